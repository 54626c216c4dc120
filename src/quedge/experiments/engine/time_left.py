"""How long the rest of some cells will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from quedge.experiments.job import Job


class TimeLeft:
    """Expects of a cell what cells of its kind have taken so far: the same policy and probe, frame by frame."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        """Nothing has run yet.

        Args:
            jobs: what is to run, by name.
        """
        self._kind = {name: (job.probe.alone, f"{job.probe!r} {job.policy!r}") for name, job in jobs.items()}
        self._work = {name: job.frames * job.scenario.devices for name, job in jobs.items()}
        self._left: Counter[tuple[bool, str]] = Counter()
        for name, kind in self._kind.items():
            self._left[kind] += self._work[name]
        self._taken: dict[tuple[bool, str], tuple[float, int]] = {}

    def ended(self, name: str, elapsed_s: float) -> None:
        """A cell has run."""
        kind, work = self._kind[name], self._work[name]
        self._left[kind] -= work
        seconds, before = self._taken.get(kind, (0.0, 0))
        self._taken[kind] = seconds + elapsed_s, before + work

    def seconds(self, slots: int) -> float | None:
        """What the rest will take (s), `slots` cells at a time; None while nothing has run."""
        work = sum(done for _, done in self._taken.values())
        if work == 0:
            return None
        of_any_kind = sum(seconds for seconds, _ in self._taken.values()) / work
        total = 0.0
        for (alone, kind), left in self._left.items():
            seconds, done = self._taken.get((alone, kind), (of_any_kind, 1))
            total += seconds / done * left / (1 if alone else slots)
        return total


def told(seconds: float | None) -> str:
    """A time left in words."""
    if seconds is None:
        return ""
    if seconds < 60.0:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60.0:.0f} min left" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h left"
