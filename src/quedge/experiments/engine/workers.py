"""What the engine asks of whoever runs its cells, and what is done where they run."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import heapq
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple, Protocol

from quedge.experiments.fingerprint import code_version
from quedge.experiments.job import Findings, Job, Series
from quedge.policy.baselines import BestSingle
from quedge.simulation.processes import ExponentialArrivals, RicianFading

_LIBRARIES = ("quedge", "numpy", "numba", "scipy", "torch", "cvxpy", "clarabel", "gymnasium", "stable-baselines3")


@functools.cache
def versions() -> Mapping[str, str]:
    """Versions of what computes here, as far as it is installed."""
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[library] = version(library)
    return found


def common_versions(several: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Versions of each library; where they differ, all of them."""
    seen: dict[str, set[str]] = {}
    for each in several:
        for library, number in each.items():
            seen.setdefault(library, set()).add(number)
    return {library: " and ".join(sorted(found)) for library, found in seen.items()}


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


_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in _THREADS}
"""Environment of a worker: libraries of linear algebra read it as they are loaded."""


class Workers(Protocol):
    """Where cells can run."""

    @property
    def slots(self) -> int:
        """How many cells are run at a time; known once an executor has been started."""
        ...

    def start(self) -> Executor:
        """A fresh executor.

        Raises:
            WorkersError: there can be none.
        """
        ...

    def abandon(self, executor: Executor) -> None:
        """End an executor at once, whatever it is doing."""
        ...


class WorkersError(Exception):
    """There are no workers to be had; the message says why."""


class Answer(NamedTuple):
    """What comes back from a worker.

    Attributes:
        findings: what was found; None where the job failed.
        reason: why it failed.
        elapsed_s: how long it took (s), once what it needs had been loaded or compiled.
        versions: of the libraries that it ran with.
        code: the version of the code that ran; empty where none did.
    """

    findings: Findings | None
    reason: str
    elapsed_s: float
    versions: Mapping[str, str]
    code: str


def run_job(job: Job) -> Answer:
    """Run a job where it is; an error becomes part of the answer."""
    code = code_version(job)  # before it runs: a file may change meanwhile
    warm_up(job)
    findings, reason, began = None, "", time.perf_counter()
    try:
        findings = {name: found if isinstance(found, Series) else float(found) for name, found in job.run().items()}
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
    return Answer(findings, reason, time.perf_counter() - began, versions(), code)
