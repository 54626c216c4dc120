"""The few measures that a search for V and ν goes by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from quedge.experiments.findings import Findings
from quedge.experiments.job import Job
from quedge.simulation.delay import delay_percentile
from quedge.simulation.measures import first_settled_frame


@dataclass(frozen=True)
class QueueAndPower:
    """Queue, delay and power of one run, without the optimum beside it: a fraction of the time of `Simulation`.

    It finds `data_queue_mbit`, `delay_p95_frames`, `power_w` and `power_max_device_w`, as `Summary` has them.

    Attributes:
        warmup: share of the frames that means leave out at the start.
    """

    alone: ClassVar[bool] = False

    warmup: float = 0.5

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        trace = job.simulate()
        settled = first_settled_frame(job.frames, self.warmup)
        return {
            "data_queue_mbit": float(trace.data_queue_mbit[settled:].mean()),
            "delay_p95_frames": delay_percentile(trace, 95.0, settled),
            "power_w": float(trace.power_w[settled:].mean()),
            "power_max_device_w": float(trace.power_w[settled:].mean(axis=0).max()),
        }
