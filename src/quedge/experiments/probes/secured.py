"""One run of a cell with a suite: all its measures, the capacity, and the costs of security."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quedge.experiments.job import Findings, Job
from quedge.experiments.probes.carried_load import job_precision
from quedge.experiments.probes.simulation import Simulation
from quedge.model.cell import BITS_PER_MBIT, cell_of
from quedge.model.uplink import circuit_power
from quedge.pqc.costs import BITS_PER_BYTE, traffic_of
from quedge.region.capacity import capacity
from quedge.simulation.measures import first_settled_frame
from quedge.simulation.trace import Trace

_TOLERANCE = 1e-3


@dataclass(frozen=True)
class SecuredSimulation:
    """All measures of one run, the capacity, and the costs of security while devices offload.

    It finds what `Simulation` finds, and

    - `capacity_mbps`: no policy carries a larger load, as a mean rate per device;
    - `circuit_power_w`, mean P_q while offloading, and its 95th percentile, `circuit_power_p95_w`;
    - `sent_payload_factor`: task bits over bits on the wire, records counted one by one;
    - `assumed_over_sent`: bits on the wire in the controller's model, affine in the task bits, over the counted ones;
    - `sent_mbit`: task bits of an offloading frame (Mbit).

    Attributes:
        simulation: measures the run.
        samples: most channels on which the capacity is bounded, else as many as the job has frames.
    """

    exclusive: ClassVar[bool] = False

    simulation: Simulation = Simulation()
    samples: int = 4_000

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        trace = job.simulate()
        costs = costs_of_security(trace, first_settled_frame(trace.frames, self.simulation.warmup))
        precision = job_precision(job.channel, job.frames, self.samples, _TOLERANCE, job.seed)
        bound = capacity(
            job.scenario,
            channel=job.channel,
            precision=precision,
        )
        rate = bound.upper.value * bound.mean_rate_mbps
        return {**self.simulation.measured(trace), "capacity_mbps": rate, **costs}


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
