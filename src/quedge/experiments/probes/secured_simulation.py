"""Simulate a cell that a suite secures, and measure what the security cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quedge.experiments.findings import Findings
from quedge.experiments.job import Job
from quedge.experiments.probes.largest_stable_rate import LargestStableRate
from quedge.experiments.probes.simulation import Simulation
from quedge.model.cell import BITS_PER_MBIT, cell_of
from quedge.pqc.costs import BITS_PER_BYTE, traffic_of
from quedge.simulation.measures import first_settled_frame
from quedge.simulation.trace import Trace


@dataclass(frozen=True)
class SecuredSimulation:
    """Measures of one run, the largest stable rate, and over all frames in which a device offloaded what security cost.

    It finds what `Simulation` and `LargestStableRate` find, and

    - `circuit_power_w`, mean P_q while offloading, and its 95th percentile, `circuit_power_p95_w`;
    - `sent_payload_factor`: task bits over bits on the wire, records counted one by one;
    - `assumed_over_sent`: bits on the wire as the controller takes them, affine in the task bits, over those;
    - `sent_mbit`: task bits of an offloading frame (Mbit).

    Attributes:
        simulation: how the run is measured.
        stability: how the largest stable rate is found.
    """

    alone: ClassVar[bool] = False

    simulation: Simulation = Simulation()
    stability: LargestStableRate = LargestStableRate(resolution=0.01)

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        trace = job.simulate()
        costs = costs_of_security(trace, first_settled_frame(trace.frames, self.simulation.warmup))
        return {**self.simulation.measured(trace), **self.stability.measure(job), **costs}


def costs_of_security(trace: Trace, first_frame: int) -> dict[str, float]:
    """What the suite of a run's scenario cost from a frame on.

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
    power = cell.pqc_power_w[0] + cell.pqc_energy_j_per_mbit[0] * rate  # a suite is the same for all devices
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
