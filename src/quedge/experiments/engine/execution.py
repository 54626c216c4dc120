"""Jobs on their way through the workers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from types import TracebackType

from quedge.experiments.engine.time_left import kind_of
from quedge.experiments.engine.versions import versions
from quedge.experiments.engine.workers import Answer, Workers, WorkersError, run_job
from quedge.experiments.fingerprint import code_version
from quedge.experiments.job import Job

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
