"""Probes that simulate a run: all its measures, or a few for a search."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quedge.experiments.job import Findings, Job, Series
from quedge.experiments.statistics import drift_of, means_of_stretches
from quedge.model.frame import Status
from quedge.simulation.measures import (
    first_settled_frame,
    frame_optima,
    objective_ratios,
    over_time,
    queue_and_power,
    summarise,
)  # fmt: skip
from quedge.simulation.trace import Trace

QUEUES = ("data_queue_mbit", "energy_queue")
"""Measures for which a drift is found."""


@dataclass(frozen=True)
class Simulation:
    """All measures of one run.

    It finds

    - every field of `Summary` that is not None, and the quartiles of decision times, `decision_us_p25` and
      `decision_us_p75`;
    - `fallbacks`, the number of frames in which a solver failed;
    - `..._over_time`: the measures of `over_time` and `objective_ratio`, as means over stretches of frames;
    - `..._drift` and `..._drift_margin` of both queues after the warm-up, see `Drift`, unless the frames are too few.

    Attributes:
        warmup: share of the frames at the start that means leave out.
        points: number of stretches.
    """

    exclusive: ClassVar[bool] = False

    warmup: float = 0.5
    points: int = 100

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        return self.measured(job.simulate())

    def measured(self, trace: Trace) -> Findings:
        """The findings of a run."""
        optimum = frame_optima(trace)
        summary = dataclasses.asdict(summarise(trace, self.warmup, optimum))
        series = over_time(trace) | {"objective_ratio": objective_ratios(trace, optimum)}
        settled = first_settled_frame(trace.frames, self.warmup)
        found: dict[str, float | Series] = {name: float(value) for name, value in summary.items() if value is not None}
        found["fallbacks"] = float(trace.status.count(Status.FALLBACK))
        for quartile in (25, 75):
            found[f"decision_us_p{quartile}"] = float(np.percentile(trace.timed_decisions_us(settled), quartile))
        for queue in QUEUES:
            drift = drift_of(series[queue][settled:])
            if drift is not None:
                found[f"{queue}_drift"], found[f"{queue}_drift_margin"] = drift
        return found | {f"{name}_over_time": means_of_stretches(each, self.points) for name, each in series.items()}


@dataclass(frozen=True)
class QueueAndPower:
    """Queue, delay and power of one run; without the optimum it takes a fraction of the time of `Simulation`.

    It finds `data_queue_mbit`, `delay_p95_frames`, `deadline_violation_ratio`, `power_w` and `power_max_device_w`, as
    `Summary` has them.

    Attributes:
        warmup: share of the frames at the start that means leave out.
    """

    exclusive: ClassVar[bool] = False

    warmup: float = 0.5

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        return queue_and_power(job.simulate(), first_settled_frame(job.frames, self.warmup))
