"""The engine: run the cells that have not run yet, keep each as soon as it is there, and report those that fail."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from typing import NamedTuple

from quedge.experiments.engine.store import Store
from quedge.experiments.engine.time_left import TimeLeft
from quedge.experiments.engine.workers import Answer, Workers, run_job
from quedge.experiments.findings import Findings
from quedge.experiments.fingerprint import code_version, name_of
from quedge.experiments.job import Job


class Progress(NamedTuple):
    """How far the engine is.

    Attributes:
        done: cells that have ended, well or not.
        total: cells that were to be run.
        seconds_left: what the rest will take (s); None while nobody knows.
    """

    done: int
    total: int
    seconds_left: float | None


class Ran(NamedTuple):
    """What became of some jobs; each by its name.

    Attributes:
        findings: what was found, now or before.
        failures: why the others failed.
        reused: how many of the findings were there before.
        damaged: files that could not be read, whose cells ran again.
    """

    findings: Mapping[str, Findings]
    failures: Mapping[str, str]
    reused: int
    damaged: tuple[str, ...]


def run_missing(
    jobs: Iterable[Job],
    store: Store,
    workers: Workers,
    progress: Callable[[Progress], None] | None = None,
) -> Ran:
    """Run the jobs whose findings are not in the store; each is kept there as soon as it has run.

    Jobs of the same name run once. A job that fails, or takes its worker down with it, ends no other. What is
    interrupted, by whatever, goes on where it stood when it is called again.

    Args:
        jobs: what is wanted.
        store: where findings are and will be.
        workers: who runs what is missing.
        progress: called after every job.

    Raises:
        ValueError: see `fingerprint.determinants`; before anything has run.
        OSError: findings cannot be kept.
    """
    wanted = {name_of(job): job for job in jobs}
    store.remove_leftovers()
    findings: dict[str, Findings] = {}
    damaged: list[str] = []
    for name, job in wanted.items():
        try:
            found = store.load(job)
        except ValueError as error:
            damaged.append(str(error))
            continue
        if found is not None:
            findings[name] = found
    reused = len(findings)
    missing = {name: job for name, job in wanted.items() if name not in findings}
    failures: dict[str, str] = {}
    time_left = TimeLeft(missing)

    def keep(name: str, answer: Answer) -> None:
        if answer.findings is None:
            failures[name] = answer.reason
        else:
            store.save(missing[name], answer.findings, answer.elapsed_s)
            findings[name] = answer.findings
        time_left.ended(name, answer.elapsed_s)
        if progress is not None:
            done = len(findings) - reused + len(failures)
            progress(Progress(done, len(missing), time_left.seconds(workers.slots)))

    if missing:
        _Execution(missing, workers, keep).run()
    return Ran(findings, failures, reused, tuple(damaged))


class _Execution:
    """Jobs on their way through the workers, as many at a time as there are slots."""

    def __init__(self, jobs: Mapping[str, Job], workers: Workers, keep: Callable[[str, Answer], None]) -> None:
        self._jobs = jobs
        self._workers = workers
        self._keep = keep
        # What measures times waits until nothing else runs; large cells come first, lest one is left over at the end.
        order = sorted(jobs, key=lambda name: (jobs[name].probe.alone, -jobs[name].scenario.devices))
        self._waiting = deque(order)
        self._alone = {name for name, job in jobs.items() if job.probe.alone}
        self._running: dict[Future[Answer], str] = {}

    def run(self) -> None:
        executor = self._workers.start()
        try:
            while self._waiting or self._running:
                lost = self._submit(executor)
                if not lost:
                    ended, _ = wait(self._running, return_when=FIRST_COMPLETED)
                    lost = [name for future in ended if (name := self._collect(future)) is not None]
                if lost:
                    self._workers.abandon(executor)
                    self._retry(lost)
                    executor = self._workers.start()
        except BaseException:
            self._workers.abandon(executor)
            raise
        executor.shutdown()

    def _submit(self, executor: Executor) -> list[str]:
        """Give out as many jobs as may run at a time; one that has to be alone runs alone.

        Returns:
            The job that was lost, where the workers died with nothing else on their hands.
        """
        while self._waiting and len(self._running) < self._workers.slots:
            name = self._waiting[0]
            if self._running and (name in self._alone or not self._alone.isdisjoint(self._running.values())):
                break
            self._waiting.popleft()
            try:
                self._running[executor.submit(run_job, self._jobs[name])] = name
            except BrokenExecutor:
                if not self._running:
                    return [name]
                self._waiting.appendleft(name)  # what runs will tell
                break
        return []

    def _collect(self, future: Future[Answer]) -> str | None:
        """Keep what a job has brought; the job's name where its worker is gone."""
        name = self._running.pop(future)
        try:
            answer = future.result()
        except BrokenExecutor:
            return name
        except Exception as error:  # it could not be sent there, or its answer not back; or a cluster's own trouble
            answer = Answer(None, " ".join(f"{type(error).__name__}: {error}".split()), 0.0, code_version())
        if answer.code != code_version():
            answer = answer._replace(findings=None, reason="the worker has another version of quedge")
        self._keep(name, answer)
        return None

    def _retry(self, lost: list[str]) -> None:
        """A worker died, and took with it whatever ran beside it: the suspects run again, each alone."""
        lost += self._running.values()
        self._running.clear()
        for name in lost:
            if name in self._alone or len(lost) == 1:
                reason = "its worker died: killed, out of memory, or crashed"
                self._keep(name, Answer(None, reason, 0.0, code_version()))
            else:
                self._alone.add(name)
                self._waiting.appendleft(name)
