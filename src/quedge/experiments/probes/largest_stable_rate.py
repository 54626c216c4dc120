"""The largest stable arrival rate, by bisection, and the costs of security."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quedge.experiments.job import Findings, Job
from quedge.experiments.probes.simulation import Simulation
from quedge.model.cell import BITS_PER_MBIT, cell_of
from quedge.model.uplink import circuit_power
from quedge.pqc.costs import BITS_PER_BYTE, traffic_of
from quedge.simulation.measures import first_settled_frame
from quedge.simulation.trace import Trace

_MAX_FACTOR = 2.0**10  # rates are searched up to this multiple of the job's, and down to its inverse


@dataclass(frozen=True)
class LargestStableRate:
    """Bisection on the arrival rate, all devices' rates in proportion.

    A run is stable if over its second half the mean data queue grows by no more than `growth` of the arrivals (least
    squares), and the mean power exceeds its budget by no more than `growth`. A slight overload shows only in long runs,
    so the rate depends on the job's length.

    It finds, as mean rates per device, `stable_rate_mbps`, the largest rate found stable, `unstable_rate_mbps`, the
    smallest found unstable, and their middle `largest_stable_rate_mbps`.

    Attributes:
        growth: tolerated share of the arrivals, and of the power budget.
        resolution: difference of the two rates at which bisection stops, relative to the larger one.
    """

    exclusive: ClassVar[bool] = False

    growth: float = 0.01
    resolution: float = 0.005

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        rate = float(job.scenario.per_device("arrival_rate_mbps").mean())
        if rate <= 0.0:
            raise ValueError("arrival_rate_mbps: 0 is not allowed; there must be arrivals to vary")
        low, high = self._bracket(job)
        while low > 0.0 and high - low > self.resolution * high:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self._stable(job, middle) else (low, middle)
        return {
            "largest_stable_rate_mbps": 0.5 * (low + high) * rate,
            "stable_rate_mbps": low * rate,
            "unstable_rate_mbps": high * rate,
        }

    def _bracket(self, job: Job) -> tuple[float, float]:
        """Multiples of the job's rates, the first stable and the second not; the first is 0 where none is stable."""
        if self._stable(job, 1.0):
            low, high = 1.0, 2.0
            while self._stable(job, high):
                low, high = high, 2.0 * high
                if high > _MAX_FACTOR:
                    raise ValueError(
                        "arrival_rate_mbps: a thousandfold rate is still stable: the run is too short to tell, or its "
                        "arrivals do not depend on the rate"
                    )
        else:
            low, high = 0.5, 1.0
            while low > 1.0 / _MAX_FACTOR and not self._stable(job, low):
                low, high = 0.5 * low, low
        return (low, high) if low > 1.0 / _MAX_FACTOR else (0.0, high)

    def _stable(self, job: Job, factor: float) -> bool:
        rates = tuple(factor * job.scenario.per_device("arrival_rate_mbps"))
        scenario = dataclasses.replace(job.scenario, arrival_rate_mbps=rates)
        trace = dataclasses.replace(job, scenario=scenario).simulate()
        budget = float(scenario.per_device("power_budget_w").mean())
        half = slice(trace.frames // 2, None)
        power = float(trace.power_w[half].mean())
        return growth_of_queues(trace) <= self.growth and power <= (1.0 + self.growth) * budget


def growth_of_queues(trace: Trace) -> float:
    """Growth of the mean data queue per frame over the second half of a run, over the mean arrivals."""
    half = slice(trace.frames // 2, None)
    queue = trace.data_queue_mbit[half].mean(axis=1)
    frame = np.arange(queue.size) - (queue.size - 1) / 2.0
    spread = float(frame @ frame)
    slope = float(frame @ queue) / spread if spread > 0.0 else 0.0
    return slope / float(trace.arrival_mbit.mean())


@dataclass(frozen=True)
class SecuredSimulation:
    """All measures of one run, the largest stable rate, and the costs of security while devices offload.

    It finds what `Simulation` and `LargestStableRate` find, and

    - `circuit_power_w`, mean P_q while offloading, and its 95th percentile, `circuit_power_p95_w`;
    - `sent_payload_factor`: task bits over bits on the wire, records counted one by one;
    - `assumed_over_sent`: bits on the wire in the controller's model, affine in the task bits, over the counted ones;
    - `sent_mbit`: task bits of an offloading frame (Mbit).

    Attributes:
        simulation: measures the run.
        stability: finds the largest stable rate.
    """

    exclusive: ClassVar[bool] = False

    simulation: Simulation = Simulation()
    stability: LargestStableRate = LargestStableRate(resolution=0.01)

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        trace = job.simulate()
        costs = costs_of_security(trace, first_settled_frame(trace.frames, self.simulation.warmup))
        return {**self.simulation.measured(trace), **self.stability.measure(job), **costs}


def costs_of_security(trace: Trace, first_frame: int) -> dict[str, float]:
    """The costs of a run's suite from a frame on.

    Raises:
        ValueError: the scenario names no suite.
    """
    scenario = trace.scenario
    suite = scenario.secured_by
    if suite is None:
        raise ValueError("suite: None is not allowed; a secured simulation needs a scenario that names one")
    traffic, cell = traffic_of(suite, scenario.profiles), cell_of(scenario)
    sent = trace.offload[first_frame:] & (trace.rate_mbps[first_frame:] > 0.0)
    if not sent.any():
        return {}
    rate = trace.rate_mbps[first_frame:][sent]
    power = np.array([circuit_power(cell, 0, each) for each in rate])  # a suite is the same for all devices
    task_bits = rate * scenario.frame_s * BITS_PER_MBIT
    wire_bits = BITS_PER_BYTE * sum(traffic.wire_bytes(bits) for bits in task_bits)
    assumed_bits = task_bits.sum() / traffic.record_share + task_bits.size * traffic.overhead_bits
    return {
        "circuit_power_w": float(power.mean()),
        "circuit_power_p95_w": float(np.percentile(power, 95.0)),
        "sent_payload_factor": float(task_bits.sum() / wire_bits),
        "assumed_over_sent": float(assumed_bits / wire_bits),
        "sent_mbit": float(task_bits.mean() / BITS_PER_MBIT),
    }
