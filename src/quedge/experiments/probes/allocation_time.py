"""How long an allocator takes for one decision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.allocator import Allocator
from quedge.experiments.job import AllocatorGroup, Findings, Job, Series
from quedge.model.cell import cell_of
from quedge.model.frame import Frame, Status
from quedge.policy.exact import Exact
from quedge.simulation.run import simulate

_SHORT_US = 1e3


@dataclass(frozen=True)
class AllocationTime:
    """Wall times of single calls from Python, one per frame, of one allocator or of several in turn.

    The frames are the last ones of a run of the exact policy, with every device offloading: the most work for an
    allocator. A job has as many calls of each allocator as frames. In every frame all allocators are called in turn, so
    that disturbances of the machine affect all of them alike. Each allocates the frame before, too, so that caches are
    warm when its own frame is timed; allocators whose calls take milliseconds do so in their first turn only.

    It finds `time_us`, the median, and its quartiles `time_us_p25` and `time_us_p75`; the same for `solver_us`, the
    time inside the solver of an iterative allocator, without modelling; the number of `rounds` and of `fallbacks`; and
    the single times, `time_us_of_call`. With several allocators, names of measures begin with the allocator's; see
    `findings_of_member`.

    Attributes:
        settle: frames to run before.
    """

    exclusive: ClassVar[bool] = True

    settle: int = 300

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        members = (
            {f"{name}: ": each for name, each in job.policy.members}
            if isinstance(job.policy, AllocatorGroup)
            else {"": cast(Allocator, job.policy)}
        )
        calls: dict[str, list[_Call]] = {name: [] for name in members}
        everyone = np.ones(job.scenario.devices, dtype=np.bool_)
        for before, frame in pairwise(self._frames(job)):
            for name, allocator in members.items():
                if not calls[name] or min(call.time_us for call in calls[name]) < _SHORT_US:
                    allocator.allocate(before, everyone)
                calls[name].append(_timed(allocator, frame, everyone))
        return {f"{name}{measure}": found for name in members for measure, found in _measures(calls[name]).items()}

    def _frames(self, job: Job) -> list[Frame]:
        """One frame more than the job has."""
        frames = self.settle + 1 + job.frames
        run = simulate(job.scenario, Exact(), frames, job.seed, channel=job.channel, arrivals=job.arrivals)
        states = zip(run.channel_gain, run.data_queue_mbit, run.energy_queue, strict=True)
        return [Frame(cell_of(job.scenario), *state) for state in states][self.settle :]


class _Call(NamedTuple):
    time_us: float
    solver_us: float
    rounds: float
    failed: bool


def _timed(allocator: Allocator, frame: Frame, offload: NDArray[np.bool_]) -> _Call:
    began = time.perf_counter_ns()
    decision = allocator.allocate(frame, offload)
    time_us = (time.perf_counter_ns() - began) * 1e-3
    notes = decision.notes
    return _Call(time_us, notes.get("solver_us", np.nan), notes.get("rounds", 0.0), decision.status is Status.FALLBACK)


def _measures(calls: Sequence[_Call]) -> dict[str, float | Series]:
    time_us, solver_us, rounds, failed = np.array(calls, dtype=np.float64).T
    found: dict[str, float | Series] = {
        "rounds": float(rounds.mean()),
        "fallbacks": float(failed.sum()),
        "time_us_of_call": Series(np.arange(1.0, time_us.size + 1.0), time_us),
    }
    for name, values in (("time_us", time_us), ("solver_us", solver_us)):
        if np.isfinite(values).all():
            quartiles = np.percentile(values, (25.0, 50.0, 75.0))
            found[f"{name}_p25"], found[name], found[f"{name}_p75"] = map(float, quartiles)
    return found
