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
from quedge.experiments.job import Findings, Job, Series, Together
from quedge.model.cell import cell_of
from quedge.model.frame import Frame, Status
from quedge.policy.exact import Exact
from quedge.simulation.run import simulate

_SHORT_US = 1e3


@dataclass(frozen=True)
class AllocationTime:
    """Wall times of single calls from Python, a frame each, of one allocator or of several in turn.

    The frames are the last ones of a run of the exact policy; in each of them every device offloads, which is the most
    that an allocator can be asked for. The job's number of frames is the number of calls of each allocator. Frame by
    frame all allocators are called, one after the other, so that what disturbs the machine meets all of them alike;
    each is called for the frame before and then for its own, and the second call is timed, so that caches are warm. An
    allocator whose calls take milliseconds gains nothing by that, and after its first turn it is called once.

    It finds `time_us`, the median, and its quartiles `time_us_p25` and `time_us_p75`; the same of `solver_us`, the part
    that an iterative allocator spends inside its solver, without the modelling around it; the number of `rounds` and of
    `fallbacks`; and the single times, `time_us_of_call`. Of several allocators each measure has its allocator's name
    before it; see `found_of`.

    Attributes:
        settle: frames that are run before.
    """

    alone: ClassVar[bool] = True

    settle: int = 300

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        members = (
            {f"{name}: ": each for name, each in job.policy.members}
            if isinstance(job.policy, Together)
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
        """One more than the job has."""
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
