"""Workers: their interface, what they do with a job, and how long jobs are expected to take."""

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
from quedge.files.fingerprint import is_of_the_package
from quedge.policy.baselines import BestSingle
from quedge.simulation.processes import ExponentialArrivals, RicianFading

_LIBRARIES = ("quedge", "numpy", "numba", "scipy", "torch", "cvxpy", "clarabel", "gymnasium", "stable-baselines3")


@functools.cache
def versions() -> Mapping[str, str]:
    """Versions of Python and of the libraries that compute, as far as installed."""
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[library] = version(library)
    return found


def common_versions(several: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Versions of each library; all of them where they differ."""
    seen: dict[str, set[str]] = {}
    for each in several:
        for library, number in each.items():
            seen.setdefault(library, set()).add(number)
    return {library: " and ".join(sorted(found)) for library, found in seen.items()}


def kind_of(job: Job) -> str:
    """The policy and probe of a job: jobs of a kind take as long per frame and device."""
    return f"{job.probe!r} {job.policy!r}"


class _Work(NamedTuple):
    keys: tuple[tuple[str, int] | str | None, ...]  # groups of jobs to estimate from, the closest first
    amount: float  # frames times devices
    exclusive: bool


class TimeLeft:
    """Estimates the time left from the jobs that have ended.

    A job is expected to take as long, per frame and device, as jobs of its kind with as many devices; where there are
    none, as those of its kind, or as all.
    """

    def __init__(self, jobs: Mapping[str, Job], clock: Callable[[], float] = time.monotonic) -> None:
        """Start with no job ended; the jobs stand in the order of their submission."""
        self._waiting = {
            name: _Work(
                ((kind_of(job), job.scenario.devices), kind_of(job), None),
                job.frames * job.scenario.devices,
                job.probe.exclusive,
            )
            for name, job in jobs.items()
        }
        self._running: dict[str, tuple[_Work, float]] = {}
        self._taken: dict[tuple[str, int] | str | None, tuple[float, float]] = {}
        self._clock = clock

    def began(self, name: str) -> None:
        """A job was submitted, for the first time or again."""
        work = self._waiting.pop(name, None) or self._running[name][0]
        self._running[name] = work, self._clock()

    def ended(self, name: str, elapsed_s: float | None) -> None:
        """A job has ended; None where it failed, which says nothing about the others."""
        work, _ = self._running.pop(name)
        if elapsed_s is None:
            return
        for key in work.keys:
            seconds, amount = self._taken.get(key, (0.0, 0.0))
            self._taken[key] = seconds + elapsed_s, amount + work.amount

    def seconds(self, slots: int) -> float | None:
        """Time for the rest (s), `slots` jobs at a time; None before any job has ended.

        Each waiting job goes to the worker that is free first; exclusive ones come last.
        """
        if not self._taken:
            return None
        now = self._clock()
        under_way = [max(self._expected(work) - (now - began), 0.0) for work, began in self._running.values()]
        free = sorted([*under_way, *[0.0] * (slots - len(under_way))])
        exclusive = 0.0
        for work in self._waiting.values():
            if work.exclusive:
                exclusive += self._expected(work)
            else:
                heapq.heapreplace(free, free[0] + self._expected(work))
        return max(free) + exclusive

    def _expected(self, work: _Work) -> float:
        seconds, amount = next(self._taken[key] for key in work.keys if key in self._taken)
        return work.amount * seconds / amount


def time_left_text(seconds: float | None) -> str:
    """The time left in words."""
    if seconds is None:
        return ""
    if seconds < 60.0:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60.0:.0f} min left" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h left"


_FRAMES = 50  # enough for a learner to learn
_warm: set[str] = set()


def warm_up(job: Job) -> None:
    """Run the first frames of a job, once per process and kind, so that compiling is not timed.

    Ours stand in for a user's own policies, channels and arrivals, which may have effects; a probe of a user's own is
    not warmed up. Errors are left to the job itself.
    """
    if kind_of(job) in _warm or not _is_builtin(job.probe):
        return
    _warm.add(kind_of(job))
    first = dataclasses.replace(
        job,
        frames=min(job.frames, _FRAMES),
        policy=job.policy if _is_builtin(job.policy) else BestSingle(),
        channel=job.channel if _is_builtin(job.channel) else RicianFading(),
        arrivals=job.arrivals if _is_builtin(job.arrivals) else ExponentialArrivals(),
    )
    with contextlib.suppress(Exception):
        first.run()


def _is_builtin(value: Any) -> bool:
    return is_of_the_package(type(value).__module__)


_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in _THREADS}
"""Environment of a worker, which libraries of linear algebra read as they are loaded."""


class Workers(Protocol):
    """Where jobs can run."""

    @property
    def slots(self) -> int:
        """How many jobs run at a time; known once an executor has been started."""
        ...

    def start(self) -> Executor:
        """A fresh executor; a WorkersError where none can be started."""
        ...

    def abandon(self, executor: Executor) -> None:
        """End an executor at once, whatever it is doing."""
        ...


class JobResult(NamedTuple):
    """What a worker returns.

    Attributes:
        findings: of the job; None where it failed.
        reason: why it failed.
        elapsed_s: wall time of the job (s), without loading and compiling.
        versions: of the libraries that it ran with.
        code: version of the code that ran; empty where none did.
    """

    findings: Findings | None
    reason: str
    elapsed_s: float
    versions: Mapping[str, str]
    code: str


def run_job(job: Job) -> JobResult:
    """Run a job in this process; an error becomes part of the result."""
    code = code_version(job)  # before it runs: a file may change meanwhile
    warm_up(job)
    findings, reason, began = None, "", time.perf_counter()
    try:
        findings = {name: found if isinstance(found, Series) else float(found) for name, found in job.run().items()}
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
    return JobResult(findings, reason, time.perf_counter() - began, versions(), code)
