"""The engine: run the cells that have not run yet, keep each as soon as it is there, and report."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from types import TracebackType
from typing import NamedTuple

from quedge.experiments.engine.store import Store
from quedge.experiments.engine.workers import Answer, TimeLeft, Workers, WorkersError, kind_of, run_job, versions
from quedge.experiments.fingerprint import code_version, name_of
from quedge.experiments.job import Findings, Job
from quedge.files.atomic import remove_leftovers

Keep = Callable[[str, Answer], None]
"""What is done with each answer, by the job's name."""


def in_turn(jobs: Mapping[str, Job]) -> list[str]:
    """Names of jobs in the order in which they are given out.

    One of each kind comes first, so that it is soon known how long the others will take; then the large ones, lest one
    is left over at the end. What measures times waits until nothing else runs.
    """
    first: dict[str, str] = {}
    for name, job in jobs.items():
        first.setdefault(kind_of(job), name)

    def place(name: str) -> tuple[bool, bool, int]:
        return jobs[name].probe.alone, first[kind_of(jobs[name])] != name, -jobs[name].scenario.devices

    return sorted(jobs, key=place)


class Execution:
    """Runs jobs, as many at a time as the workers have slots; a job that fails ends no other.

    Used as a context: the workers begin with the first jobs, and end with the context, at once where it is left by an
    error or an interruption.
    """

    def __init__(self, workers: Workers) -> None:
        """Nothing has begun yet.

        Args:
            workers: who runs the jobs.
        """
        self._workers = workers
        self._executor: Executor | None = None

    def __enter__(self) -> Execution:
        """The execution itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the workers."""
        if self._executor is None:
            return
        if error is None:
            self._executor.shutdown()
        else:
            self._workers.abandon(self._executor)

    def run(self, jobs: Mapping[str, Job], keep: Keep, began: Callable[[str], None] = lambda name: None) -> None:
        """Run jobs to the end.

        Args:
            jobs: the jobs by name.
            keep: called with each answer, as soon as it is there.
            began: called with a job's name when a worker is given it.

        Raises:
            WorkersError: there are no workers to be had.
        """
        if jobs and self._executor is None:
            self._executor = self._workers.start()
        queue = _Queue(jobs, self._workers, keep, began)
        while queue.waiting or queue.running:
            assert self._executor is not None
            if not queue.submit(self._executor) or queue.collect():
                self._workers.abandon(self._executor)
                queue.retry()
                self._executor = self._workers.start()


class _Queue:
    """Which jobs wait, and which are being run."""

    def __init__(self, jobs: Mapping[str, Job], workers: Workers, keep: Keep, began: Callable[[str], None]) -> None:
        self._jobs = jobs
        self._workers = workers
        self._keep = keep
        self._began = began
        self._alone = {name for name, job in jobs.items() if job.probe.alone}
        self.waiting = deque(in_turn(jobs))
        self.running: dict[Future[Answer], str] = {}
        self._lost: list[str] = []
        self._deaths: Counter[str] = Counter()

    def submit(self, executor: Executor) -> bool:
        """Give out as many jobs as may run at a time; one that has to be alone runs alone.

        Returns:
            False where the workers are gone, and nothing is under way.
        """
        while self.waiting and len(self.running) < self._workers.slots:
            name = self.waiting[0]
            if self.running and (name in self._alone or not self._alone.isdisjoint(self.running.values())):
                break
            self._began(name)
            try:
                self.running[executor.submit(run_job, self._jobs[name])] = name
            except BrokenExecutor:
                self._deaths[_IDLE] += 1
                if self._deaths[_IDLE] > _PATIENCE:
                    raise WorkersError("the workers die before they have been given anything to do") from None
                break  # what runs, if anything, will tell
            self.waiting.popleft()
        return bool(self.running)

    def collect(self) -> bool:
        """Wait for answers and keep them; whether a worker was found gone."""
        ended, _ = wait(self.running, return_when=FIRST_COMPLETED)
        for future in [
            future for future in self.running if future in ended
        ]:  # in the order in which they were given out
            self._take(self.running.pop(future), future)
        return bool(self._lost)

    def _take(self, name: str, future: Future[Answer]) -> None:
        try:
            answer = future.result()
            if answer.code != code_version(self._jobs[name]):
                answer = _failed("the worker has another version of quedge, or of a file of your own")
        except BrokenExecutor:
            self._lost.append(name)
            return
        except Exception as error:  # it could not be sent there, or its answer not back; or a cluster's own trouble
            answer = _failed(" ".join(f"{type(error).__name__}: {error}".split()))
        self._keep(name, answer)

    def retry(self) -> None:
        """A worker died, and took with it whatever ran beside it: the suspects run again, each alone.

        A job that was alone when its worker died, twice, is the reason.
        """
        for name in [*self._lost, *self.running.values()]:
            self._deaths[name] += name in self._alone
            if self._deaths[name] >= _PROOF:
                self._keep(name, _failed("its worker died: killed, out of memory, or crashed"))
            else:
                self._alone.add(name)
                self.waiting.appendleft(name)
        self._lost.clear()
        self.running.clear()


_IDLE = ""  # stands for no job
_PATIENCE = 5  # deaths of workers that had nothing to do
_PROOF = 2  # deaths of the only job's worker


def _failed(reason: str) -> Answer:
    return Answer(None, reason, 0.0, versions(), "")


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
        WorkersError: there are no workers to be had.
        OSError: findings cannot be read or kept.
    """
    wanted = {name_of(job): job for job in jobs}
    remove_leftovers(store.folder)
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
    time_left = TimeLeft({name: missing[name] for name in in_turn(missing)})

    def keep(name: str, answer: Answer) -> None:
        if answer.findings is None:
            failures[name] = answer.reason
        else:
            store.save(missing[name], answer.findings, answer.elapsed_s, answer.versions)
            findings[name] = answer.findings
        time_left.ended(name, None if answer.findings is None else answer.elapsed_s)
        if progress is not None:
            done = len(findings) - reused + len(failures)
            progress(Progress(done, len(missing), time_left.seconds(workers.slots)))

    with Execution(workers) as execution:
        execution.run(missing, keep, time_left.began)
    return Ran(findings, failures, reused, tuple(damaged))
