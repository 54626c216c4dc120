"""Run the jobs without findings, keep each as soon as it is done, and report progress."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from types import TracebackType
from typing import NamedTuple

from quedge.errors import WorkersError
from quedge.experiments.engine.store import Store
from quedge.experiments.engine.workers import JobResult, TimeLeft, Workers, kind_of, run_job, versions
from quedge.experiments.fingerprint import code_version, name_of
from quedge.experiments.job import Findings, Job
from quedge.files.atomic import remove_leftovers

Keep = Callable[[str, JobResult], None]
"""What is done with each result, by the job's name."""


def submission_order(jobs: Mapping[str, Job]) -> list[str]:
    """Names of jobs in the order of their submission.

    One of each kind comes first, so that the time left can soon be estimated; then the large ones, so that none runs
    alone at the end. Jobs that measure times come last, and run alone.
    """
    first: dict[str, str] = {}
    for name, job in jobs.items():
        first.setdefault(kind_of(job), name)

    def place(name: str) -> tuple[bool, bool, int]:
        return jobs[name].probe.exclusive, first[kind_of(jobs[name])] != name, -jobs[name].scenario.devices

    return sorted(jobs, key=place)


class Execution:
    """Runs jobs, as many at a time as the workers have slots; a failed job does not stop the others.

    A context manager: the workers start with the first jobs and end with the context, at once where an error or an
    interruption leaves it.
    """

    def __init__(self, workers: Workers) -> None:
        """Start nothing yet."""
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

    def start(self) -> None:
        """Start the workers, unless they have been started; a WorkersError where none can be."""
        if self._executor is None:
            self._executor = self._workers.start()

    def run(self, jobs: Mapping[str, Job], keep: Keep, began: Callable[[str], None] = lambda name: None) -> None:
        """Run jobs, by name, to the end; `began` is told of each that a worker can turn to, `keep` of each result.

        Raises:
            WorkersError: no workers can be started.
        """
        if jobs:
            self.start()
        queue = _Queue(jobs, self._workers, keep, began)
        while queue.waiting or queue.running:
            assert self._executor is not None
            if not queue.submit(self._executor) or queue.collect():
                self._workers.abandon(self._executor)
                queue.retry()
                self._executor = self._workers.start()


class _Queue:
    """The jobs that wait, and those that workers have: as many as they have slots run, as many more come next.

    So no worker idles while findings are kept, and each job still stands for itself, however short it is.
    """

    def __init__(self, jobs: Mapping[str, Job], workers: Workers, keep: Keep, began: Callable[[str], None]) -> None:
        self._jobs = jobs
        self._workers = workers
        self._keep = keep
        self._began = began
        self._alone = {name for name, job in jobs.items() if job.probe.exclusive}
        self.waiting = deque(submission_order(jobs))
        self.running: dict[Future[JobResult], str] = {}  # in the order of submission
        self._begun: set[str] = set()
        self._deaths: Counter[str] = Counter()

    def submit(self, executor: Executor) -> bool:
        """Submit what runs and what comes next; exclusive jobs run alone.

        Returns:
            False where the workers are gone and nothing runs.
        """
        while self.waiting and len(self.running) < 2 * self._workers.slots:
            name = self.waiting[0]
            if self.running and (name in self._alone or not self._alone.isdisjoint(self.running.values())):
                break
            try:
                self.running[executor.submit(run_job, self._jobs[name])] = name
            except BrokenExecutor:
                self._deaths[_IDLE] += 1
                if self._deaths[_IDLE] > _MAX_IDLE_DEATHS:
                    raise WorkersError("the workers die before they have been given anything to do") from None
                break  # collect() will find out
            self.waiting.popleft()
        self._note_begun()
        return bool(self.running)

    def collect(self) -> bool:
        """Wait for results and keep them; whether a worker has died."""
        ended, _ = wait(self.running, return_when=FIRST_COMPLETED)
        taken = [self._take(future) for future in list(self.running) if future in ended]
        return not all(taken)

    def _take(self, future: Future[JobResult]) -> bool:
        """Keep a result; False where a worker has died, so that the job still stands among those that run."""
        name = self.running[future]
        try:
            result = future.result()
            if result.code != code_version(self._jobs[name]):
                result = _failed("the worker has another version of quedge, or of a file of your own")
        except BrokenExecutor:
            return False
        except Exception as error:  # the job or its result could not be sent, or the cluster failed
            result = _failed(" ".join(f"{type(error).__name__}: {error}".split()))
        self._begin(name)
        del self.running[future]
        self._keep(name, result)
        self._note_begun()
        return True

    def _note_begun(self) -> None:
        """Workers take jobs in the order of submission, so the first ones run."""
        for name in itertools.islice(self.running.values(), self._workers.slots):
            self._begin(name)

    def _begin(self, name: str) -> None:
        if name not in self._begun:
            self._begun.add(name)
            self._began(name)

    def retry(self) -> None:
        """A worker died with all that ran beside it: run the suspects again, each alone, before all others.

        A job that was alone when its worker died, twice, has failed.
        """
        for name in reversed(self.running.values()):
            self._deaths[name] += name in self._alone
            if self._deaths[name] >= _MAX_DEATHS:
                self._keep(name, _failed("its worker died: killed, out of memory, or crashed"))
                continue
            if name in self._begun:
                self._begun.remove(name)
                self._alone.add(name)
            self.waiting.appendleft(name)
        self.running.clear()


_IDLE = ""  # stands for no job
_MAX_IDLE_DEATHS = 5  # of workers without a job
_MAX_DEATHS = 2  # of the worker of a job that runs alone


def _failed(reason: str) -> JobResult:
    return JobResult(None, reason, 0.0, versions(), "")


class Progress(NamedTuple):
    """How far a run is.

    Attributes:
        done: jobs that have ended, failed ones included.
        total: jobs to run.
        seconds_left: estimated time for the rest (s); None before any estimate.
    """

    done: int
    total: int
    seconds_left: float | None


class Ran(NamedTuple):
    """The results of some jobs, by their names.

    Attributes:
        findings: of this run and of earlier ones.
        failures: why the other jobs failed.
        reused: number of findings from earlier runs.
        damaged: files that could not be read, whose jobs ran again.
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
    meanwhile: Callable[[], None] = lambda: None,
) -> Ran:
    """Run the jobs whose findings are not in the store, and keep each there as soon as it has run.

    Jobs of the same name run once. A job that fails or kills its worker does not stop the others. After an interruption
    the next call goes on from there. `progress` is called after every job, `meanwhile` once, while workers start.

    Raises:
        ValueError: see `fingerprint.determinants`; before anything has run.
        WorkersError: no workers can be started.
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
    time_left = TimeLeft({name: missing[name] for name in submission_order(missing)})

    def keep(name: str, result: JobResult) -> None:
        if result.findings is None:
            failures[name] = result.reason
        else:
            store.save(missing[name], result.findings, result.elapsed_s, result.versions)
            findings[name] = result.findings
        time_left.ended(name, None if result.findings is None else result.elapsed_s)
        if progress is not None:
            done = len(findings) - reused + len(failures)
            progress(Progress(done, len(missing), time_left.seconds(workers.slots)))

    with Execution(workers) as execution:
        if missing:
            execution.start()
            meanwhile()
        execution.run(missing, keep, time_left.began)
    return Ran(findings, failures, reused, tuple(damaged))
