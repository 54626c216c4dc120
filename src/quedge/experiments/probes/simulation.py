"""Simulate a cell and measure the run, as a whole and over time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.findings import Findings, Series
from quedge.experiments.job import Job
from quedge.model.frame import Status
from quedge.simulation.measures import frame_optima, objective_ratios, summarise
from quedge.simulation.trace import Trace


@dataclass(frozen=True)
class Simulation:
    """Measures of one run.

    It finds every field of `Summary`; the number of frames in which a solver failed, `fallbacks`; and means over
    consecutive stretches of frames, named `..._over_time`, of the queues, the power, the reward (objective (17)), the
    weighted rate, the offloading ratio and the objective over its optimum, at the last frame of each stretch.

    Attributes:
        warmup: share of the frames that means leave out at the start.
        points: number of stretches.
    """

    alone: ClassVar[bool] = False

    warmup: float = 0.5
    points: int = 100

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        return self.measured(job.simulate())

    def measured(self, trace: Trace) -> Findings:
        """What is found in a run."""
        optimum = frame_optima(trace)
        summary = dataclasses.asdict(summarise(trace, self.warmup, optimum))
        return {
            **{name: float(value) for name, value in summary.items()},
            "fallbacks": float(trace.status.count(Status.FALLBACK)),
            **{f"{name}_over_time": self._series(values) for name, values in over_time(trace).items()},
            "objective_ratio_over_time": self._series(objective_ratios(trace, optimum)),
        }

    def _series(self, values: NDArray[np.float64]) -> Series:
        """Means over consecutive stretches of the frames, as equally long as can be."""
        ends = np.unique(np.linspace(0, values.size, self.points + 1).astype(np.int64))[1:]
        starts = np.concatenate(([0], ends[:-1]))
        return Series(ends.astype(np.float64), np.add.reduceat(values, starts) / (ends - starts))


def over_time(trace: Trace) -> dict[str, NDArray[np.float64]]:
    """What a run is watched by, frame by frame; means over the devices, but for reward and rate."""
    return {
        "data_queue_mbit": trace.data_queue_mbit.mean(axis=1),
        "energy_queue": trace.energy_queue.mean(axis=1),
        "power_w": trace.power_w.mean(axis=1),
        "reward": trace.objective,
        "weighted_rate_mbps": trace.rate_mbps @ trace.scenario.per_device("weight"),
        "offload_ratio": trace.offload.mean(axis=1),
    }
