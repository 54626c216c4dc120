"""How long an allocator takes for one decision."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from quedge.allocation.allocator import Allocator
from quedge.experiments.findings import Findings, Series
from quedge.experiments.job import Job
from quedge.model.cell import cell_of
from quedge.model.frame import Frame, Status
from quedge.policy.exact import Exact
from quedge.simulation.simulate import simulate


@dataclass(frozen=True)
class AllocationTime:
    """Wall times of single calls from Python, a frame each, after one that is not counted.

    The frames are the last ones of a run of the exact policy; in each of them every device offloads, which is the most
    that an allocator can be asked for. The job's number of frames is the number of calls.

    It finds `time_us`, its standard deviation `time_us_sd`, and `solver_us`: the part that an iterative allocator
    spends inside its solver, without the modelling around it; the number of `rounds` and of `fallbacks`; and the
    single times, `time_us_of_call`.

    Attributes:
        settle: frames that are run before.
    """

    alone: ClassVar[bool] = True

    settle: int = 300

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        allocator = cast(Allocator, job.policy)
        run = simulate(
            job.scenario, Exact(), self.settle + job.frames, job.seed, channel=job.channel, arrivals=job.arrivals
        )
        cell, everyone = cell_of(job.scenario), np.ones(job.scenario.devices, dtype=np.bool_)
        states = zip(run.channel_gain, run.data_queue_mbit, run.energy_queue, strict=True)
        frames = [Frame(cell, *state) for state in states][self.settle :]
        allocator.allocate(frames[0], everyone)
        time_us, solver_us, rounds, fallbacks = np.empty(len(frames)), np.full(len(frames), np.nan), 0.0, 0
        for call, frame in enumerate(frames):
            began = time.perf_counter_ns()
            decision = allocator.allocate(frame, everyone)
            time_us[call] = (time.perf_counter_ns() - began) * 1e-3
            solver_us[call] = decision.notes.get("solver_us", np.nan)
            rounds += decision.notes.get("rounds", 0.0) / len(frames)
            fallbacks += decision.status is Status.FALLBACK
        found: dict[str, float | Series] = {
            "time_us": float(time_us.mean()),
            "time_us_sd": float(time_us.std(ddof=1)) if time_us.size > 1 else 0.0,
            "rounds": rounds,
            "fallbacks": float(fallbacks),
            "time_us_of_call": Series(np.arange(1.0, time_us.size + 1.0), time_us),
        }
        if np.isfinite(solver_us).all():
            found["solver_us"] = float(solver_us.mean())
        return found
