"""What a process has to load or compile before the first cell of a kind, so that the cell's time is its own."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from quedge.experiments.engine.time_left import kind_of
from quedge.experiments.job import Job
from quedge.policy.baselines import BestSingle
from quedge.simulation.processes import ExponentialArrivals, RicianFading

_FRAMES = 50  # enough for a learner to learn
_warm: set[str] = set()


def warm_up(job: Job) -> None:
    """Run the first frames of a job, once a process for each kind, and forget what was found.

    A user's own policies, channels and arrivals run only where they are asked for, so ours stand in for them; a probe
    of a user's own has no stand-in, and begins cold. Whatever goes wrong will do so again in the job itself.
    """
    if kind_of(job) in _warm or not _is_ours(job.probe):
        return
    _warm.add(kind_of(job))
    first = dataclasses.replace(
        job,
        frames=min(job.frames, _FRAMES),
        policy=job.policy if _is_ours(job.policy) else BestSingle(),
        channel=job.channel if _is_ours(job.channel) else RicianFading(),
        arrivals=job.arrivals if _is_ours(job.arrivals) else ExponentialArrivals(),
    )
    with contextlib.suppress(Exception):
        first.run()


def _is_ours(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "quedge"
