"""Workers for tests: they run each cell at once, in this process."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any


class InProcess:
    """Workers without processes; what was asked of them can be looked at."""

    slots = 2

    def __init__(self) -> None:
        self.jobs: list[Any] = []
        self.started = 0

    def start(self) -> Executor:
        self.started += 1
        return _Immediately(self)

    def abandon(self, executor: Executor) -> None:
        executor.shutdown(wait=False, cancel_futures=True)


class _Immediately(Executor):
    def __init__(self, workers: InProcess) -> None:
        self._workers = workers

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._workers.jobs.append(args[0])
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
