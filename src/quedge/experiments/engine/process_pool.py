"""Workers that are processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec, TypeVar

from quedge.experiments.engine.workers import ONE_THREAD

P = ParamSpec("P")
T = TypeVar("T")


_PRELOADED = ["quedge.experiments.engine.workers", "quedge.experiments.probes.simulation"]


class ProcessPool:
    """Processes with one compute thread each; they end with the process that started them."""

    def __init__(self, workers: int | None = None, *, from_server: bool = False) -> None:
        """A pool of so many processes; by default one per processor that this process may use.

        Args:
            workers: number of processes.
            from_server: whether Python's fork server starts them, where the system is Linux: sooner, since they share
                what it has loaded. It stays, with its environment, for all that this process does with fork servers,
                so this is for programs that do nothing else with one.
        """
        self._slots = workers or usable_processors()
        self._from_server = from_server and sys.platform == "linux"  # elsewhere a fork may break system libraries

    @property
    def slots(self) -> int:
        """See `Workers.slots`."""
        return self._slots

    def start(self) -> Executor:
        """See `Workers.start`."""
        if not self._from_server:
            return _QuietPool(self._slots, multiprocessing.get_context("spawn"))
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        with _environment(ONE_THREAD), _sigint_blocked():
            forkserver.ensure_running()
        return _QuietPool(self._slots, context)

    def abandon(self, executor: Executor) -> None:
        """See `Workers.abandon`."""
        executor.shutdown(wait=False, cancel_futures=True)
        if isinstance(executor, _QuietPool):
            executor.kill()


class _QuietPool(ProcessPoolExecutor):
    """A process pool whose processes ignore Ctrl-C: this process ends them."""

    def __init__(self, workers: int, context: BaseContext) -> None:
        super().__init__(workers, context, _end_with_parent)
        self._workers = workers
        self._started: set[BaseProcess] = set()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if len(self._started) == self._workers:  # none starts any more
            return super().submit(fn, *args, **kwargs)
        before = set(multiprocessing.active_children())
        try:
            with _environment(ONE_THREAD), _sigint_blocked():
                return super().submit(fn, *args, **kwargs)
        finally:
            self._started |= set(multiprocessing.active_children()) - before

    def kill(self) -> None:
        """End the processes, whatever they are doing."""
        for process in self._started:
            process.kill()


def usable_processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end_with_parent() -> None:
    """In a worker: end when the parent is gone, which a killed parent cannot announce."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for processes that start meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block Ctrl-C; processes that start meanwhile inherit that for good."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before: Any = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
