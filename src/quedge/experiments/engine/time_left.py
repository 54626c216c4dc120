"""How long the rest of some cells will take."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from quedge.experiments.job import Job


def kind_of(job: Job) -> str:
    """Cells of a kind take as long, frame by frame and device by device: the same policy and probe."""
    return f"{job.probe!r} {job.policy!r}"


class _Cell(NamedTuple):
    keys: tuple[tuple[str, int] | str | None, ...]  # whose pace to go by, the best first
    work: float
    alone: bool


class TimeLeft:
    """Expects of a cell what cells like it have taken so far.

    These are the cells of its kind with as many devices, or where none has ended those of its kind, or of any.
    """

    def __init__(self, jobs: Mapping[str, Job], clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing has run yet.

        Args:
            jobs: what is to run, by name, in the order in which it is given out.
            clock: tells the time (s).
        """
        self._waiting = {
            name: _Cell(
                ((kind_of(job), job.scenario.devices), kind_of(job), None),
                job.frames * job.scenario.devices,
                job.probe.alone,
            )
            for name, job in jobs.items()
        }
        self._running: dict[str, tuple[_Cell, float]] = {}
        self._taken: dict[tuple[str, int] | str | None, tuple[float, float]] = {}
        self._clock = clock

    def began(self, name: str) -> None:
        """A cell has been given to a worker, for the first time or again."""
        cell = self._waiting.pop(name, None) or self._running[name][0]
        self._running[name] = cell, self._clock()

    def ended(self, name: str, elapsed_s: float | None) -> None:
        """A cell that began has run, or failed: then it took nothing that could be expected of others."""
        cell, _ = self._running.pop(name)
        if elapsed_s is None:
            return
        for key in cell.keys:
            seconds, work = self._taken.get(key, (0.0, 0.0))
            self._taken[key] = seconds + elapsed_s, work + cell.work

    def seconds(self, slots: int) -> float | None:
        """What the rest will take (s), `slots` cells at a time; None while nothing has run.

        The cells are given out as they wait, each to the worker that is free first; those that must be alone come last.
        """
        if not self._taken:
            return None
        now = self._clock()
        under_way = [max(self._expected(cell) - (now - began), 0.0) for cell, began in self._running.values()]
        free = sorted([*under_way, *[0.0] * (slots - len(under_way))])
        alone = 0.0
        for cell in self._waiting.values():
            if cell.alone:
                alone += self._expected(cell)
            else:
                heapq.heapreplace(free, free[0] + self._expected(cell))
        return max(free) + alone

    def _expected(self, cell: _Cell) -> float:
        seconds, work = next(self._taken[key] for key in cell.keys if key in self._taken)
        return cell.work * seconds / work


def told(seconds: float | None) -> str:
    """A time left in words."""
    if seconds is None:
        return ""
    if seconds < 60.0:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60.0:.0f} min left" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h left"
