"""What must not happen in the first frames of a service happens before it says that it is ready."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quedge.controller.answer import ServedBy
from quedge.controller.controller import Controller
from quedge.controller.report import Report

_FRAMES = 80  # a learning agent takes its first steps among them


def warm_up(fresh: Callable[[], Controller]) -> None:
    """Compile, or load from disk, all that frames need, on a controller that is then thrown away."""
    controller, rng = fresh(), np.random.default_rng(0)
    every = np.arange(controller.devices)
    for frame in range(_FRAMES):
        gain, arrived = rng.exponential(1e-11, every.size) + 1e-15, rng.exponential(3.0, every.size)
        report = Report(frame, every, gain, arrived, np.full(every.size, np.nan))
        controller.serve(report, ServedBy.LATE if frame == 1 else ServedBy.POLICY)
