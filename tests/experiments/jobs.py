"""Small cells, and policies and probes that go wrong, for tests of whatever runs cells."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quedge.experiments.job import Findings, Job, Series
from quedge.experiments.probes.simulation import Simulation
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle

PATIENCE_S = 60.0


def job(seed: int = 0, probe: Any = None, frames: int = 20, **keys: Any) -> Job:
    """A cell of two devices."""
    return Job(Scenario(**{"devices": 2, **keys}), BestSingle(), seed, frames, probe or Simulation(points=4))


@dataclass(frozen=True)
class Told:
    """Finds what it is told; for a seed that is told, it fails, or its process dies."""

    failing: int = -1
    dying: int = -1
    exclusive: bool = False
    takes_s: float = 0.0

    def measure(self, job: Job) -> Findings:
        time.sleep(self.takes_s)
        if job.seed == self.failing:
            raise ValueError("told to fail")
        if job.seed == self.dying:
            os.kill(os.getpid(), signal.SIGKILL)
        at = np.array([1.0, 2.0])
        return {"seed": float(job.seed), "process": float(os.getpid()), "twice": Series(at, 2.0 * at)}


@dataclass(frozen=True)
class Timed:
    """Finds when it began and ended, by a clock that all processes of a machine share.

    The first two that are not exclusive wait for each other, however long a process takes to start.
    """

    meeting: str
    exclusive: bool = False

    def measure(self, job: Job) -> Findings:
        began = time.clock_gettime(time.CLOCK_MONOTONIC)
        if not self.exclusive:
            (Path(self.meeting) / str(job.seed)).touch()
        while not self.exclusive and len(os.listdir(self.meeting)) < 2 and time.monotonic() < began + PATIENCE_S:
            time.sleep(0.01)
        time.sleep(0.05)
        return {"began": began, "ended": time.clock_gettime(time.CLOCK_MONOTONIC)}


@dataclass(frozen=True)
class Whole:
    """Finds a number that is no float."""

    exclusive: bool = False

    def measure(self, job: Job) -> Findings:
        return {"count": 3, "small": np.float32(0.5)}  # type: ignore[dict-item]


@dataclass(frozen=True)
class DiesOnce:
    """Its process dies the first time, wherever it runs."""

    mark: str
    exclusive: bool = False

    def measure(self, job: Job) -> Findings:
        if not os.path.exists(self.mark):
            open(self.mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"lived": 1.0}


@dataclass(frozen=True)
class Threads:
    """Finds how many threads libraries may use."""

    exclusive: bool = False

    def measure(self, job: Job) -> Findings:
        import numba

        return {"numba": float(numba.get_num_threads()), "openblas": float(os.environ["OPENBLAS_NUM_THREADS"])}
