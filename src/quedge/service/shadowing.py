"""A shadow policy beside the service: it decides after answers went out, in a thread of its own."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import NamedTuple

from quedge.controller.answer import info_of_failure
from quedge.controller.controller import Controller
from quedge.controller.engine import Served
from quedge.controller.shadow import Shadow
from quedge.service.monitoring.observers import Observer

MOST_WAITING = 256
_MOST_DEVICES_WAITING = 1 << 18  # so that they take some 40 MB at most
_LEAST_WAITING = 4
OVERRUN = "it is slower than the reports"
_NICE = 10  # of the shadow's thread: those that answer come first


class _Job(NamedTuple):
    base_station: str
    served: Served
    fresh: Callable[[], Controller]


class Shadowing(Observer):
    """An observer that has a shadow of each cell decide what was served, and tells another observer of it.

    Answers never wait for it: a frame that finds too many waiting is dropped, and so are those that follow until none
    waits, so that stretches of frames stay whole. What a shadow raises is told, and it begins anew with the next frame.

    Args:
        fresh: makes a controller of the shadow's policy.
        observer: who is told, from the shadow's thread or the event loop.
    """

    def __init__(self, fresh: Callable[[], Controller], observer: Observer) -> None:
        self.fresh, self._observer = fresh, observer
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._drops, self._ended = False, threading.Event()
        self._shadows: dict[str, tuple[Callable[[], Controller], Shadow]] = {}
        self._thread = threading.Thread(target=self._work, name="quedge-shadow", daemon=True)
        self._thread.start()

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""
        if served.report is None:
            return
        waiting = self._jobs.qsize()
        room = max(_LEAST_WAITING, min(MOST_WAITING, _MOST_DEVICES_WAITING // served.answer.devices.size))
        self._drops = waiting > 0 if self._drops else waiting >= room
        if self._drops:
            self._observer.shadow_dropped(base_station, OVERRUN)
        else:
            self._jobs.put(_Job(base_station, served, self.fresh))

    def stopped(self) -> None:
        """See `Observer.stopped`; what waits is dropped, and a decision that takes longer than a moment is left."""
        self._ended.set()
        self._jobs.put(None)
        self._thread.join(1.0)

    def _work(self) -> None:
        _give_way()
        while (job := self._jobs.get()) is not None and not self._ended.is_set():
            try:
                self._decide(job)
            except BaseException as error:  # whatever a policy does, even a panic of compiled code
                self._shadows.pop(job.base_station, None)
                self._observer.shadow_dropped(job.base_station, info_of_failure(error).failure)

    def _decide(self, job: _Job) -> None:
        fresh, served = job.fresh, job.served
        if served.report is None or served.before is None:
            return
        known = self._shadows.get(job.base_station)
        if known is None or known[0] is not fresh:  # its first frame, or the first one of a changed scenario
            known = self._shadows[job.base_station] = fresh, Shadow(fresh)
        shadowed = known[1].decide(served.report, served.before, served.answer)
        self._observer.shadowed(job.base_station, shadowed)


def _give_way() -> None:
    """Have this thread's work wait for that of others, where the system knows priorities of threads."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
