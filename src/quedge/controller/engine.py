"""One cell's controller at work: a thread that decides and a thread that writes, each in order."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from quedge.controller import checkpoint
from quedge.controller.answer import Answer, ServedBy
from quedge.controller.controller import Controller, Standing
from quedge.controller.journal import Entry, Journal, StateError
from quedge.controller.refused import Reason, Refused
from quedge.controller.report import NEXT_FRAME, Report

Done = Callable[["Served | Refused"], None]
"""What is told of a report: that it was served, or why not. Called from the engine's threads; it must not block."""


class Served(NamedTuple):
    """A report that was served.

    Attributes:
        answer: the answer, as durable as the journal makes it.
        repeated: whether this very report had been served before, and its answer is given once more.
        decision_s: time in which it was decided (s); 0 where it was repeated.
        waited_s: time from its arrival to the beginning of that (s).
    """

    answer: Answer
    repeated: bool
    decision_s: float
    waited_s: float


@dataclass(frozen=True)
class Pace:
    """How an engine works.

    Attributes:
        late_s: a report that has waited longer than this before its turn is decided by best-single (s).
        most_waiting: reports beyond this number are refused.
        checkpoint_frames: number of served frames from one checkpoint to the next: what a restart serves again.
    """

    late_s: float = 0.05
    most_waiting: int = 256
    checkpoint_frames: int = 1000


class _Job(NamedTuple):
    report: Report
    arrived: float
    done: Done


class _Written(NamedTuple):
    """What the writer is to keep, and whom to tell."""

    entry: Entry | None
    served: Served
    done: Done


class _Stand(NamedTuple):
    """Where the controller stands, to be kept, and whom to tell."""

    standing: Standing
    done: Callable[[int | None], None] | None = None


class _Reset(NamedTuple):
    """All that came before has been refused; what follows is of a controller that stands where the journal does."""

    ready: threading.Event


class Engine:
    """Serves one cell's reports, one after the other, and tells of each when it is durable.

    Args:
        fresh: makes a controller that stands at its beginning.
        journal: where served frames are kept; None where nothing survives the process.
        pace: how it works.
        clock: what time it is (s); `time.monotonic`, whatever happens to the clock on the wall.

    Raises:
        StateError: the journal cannot be used.
    """

    def __init__(
        self,
        fresh: Callable[[], Controller],
        journal: Journal | None = None,
        pace: Pace = Pace(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh, self._journal, self._pace, self._clock = fresh, journal, pace, clock
        self._controller, self._last = self._restored()
        self._jobs: queue.SimpleQueue[_Job | Callable[[int | None], None] | None] = queue.SimpleQueue()
        self._writes: queue.SimpleQueue[_Written | _Stand | _Reset | None] = queue.SimpleQueue()
        self._unwritable = False
        self._unkept = 0
        self._threads = [
            threading.Thread(target=self._decide, name="quedge-decide", daemon=True),
            threading.Thread(target=self._write, name="quedge-write", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def controller(self) -> Controller:
        """The controller; it belongs to the engine's thread and may be read only."""
        return self._controller

    def submit(self, report: Report, done: Done) -> None:
        """Have a report served; `done` is told what became of it."""
        if self._jobs.qsize() >= self._pace.most_waiting:
            done(Refused(Reason.OVERLOADED, "frame", f"{self._jobs.qsize()} reports wait already"))
            return
        self._jobs.put(_Job(report, self._clock(), done))

    def checkpoint(self, done: Callable[[int | None], None]) -> None:
        """Keep where the controller stands; `done` is told the next frame there, or None where it was not written."""
        self._jobs.put(done)

    def close(self) -> None:
        """Serve what waits, keep where the controller stands, and end."""
        self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        if self._journal is not None:
            self._journal.close()

    def _restored(self) -> tuple[Controller, Entry | None]:
        controller = self._fresh()
        return controller, None if self._journal is None else self._journal.restore(controller)

    def _decide(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not isinstance(job, _Job):
                self._writes.put(_Stand(self._controller.standing(), job))
                continue
            try:
                if self._unwritable:
                    self._reset()
                self._serve(job)
            except Refused as refused:
                job.done(refused)
            except (OSError, StateError):
                job.done(Refused(Reason.NOT_DURABLE, "frame", "the state on disk can be neither written nor read"))
            except Exception as error:  # a mistake of ours: the books are untouched, and the next report has its turn
                job.done(Refused(Reason.FAILED, "frame", f"it could not be served: {type(error).__name__}"))
        if self._unkept and not self._unwritable:
            self._writes.put(_Stand(self._controller.standing()))
        self._writes.put(None)

    def _serve(self, job: _Job) -> None:
        report, last = job.report, self._last
        if report.frame == NEXT_FRAME:
            report = report._replace(frame=self._controller.books.next_frame)
        if last is not None and report.frame == last.report.frame and report.packed() == last.report.packed():
            self._writes.put(_Written(None, Served(last.answer, True, 0.0, 0.0), job.done))
            return
        began = self._clock()
        late = began - job.arrived > self._pace.late_s
        answer = self._controller.serve(report, ServedBy.LATE if late else ServedBy.POLICY)
        self._last = Entry(report, answer)
        served = Served(answer, False, self._clock() - began, began - job.arrived)
        self._writes.put(_Written(self._last, served, job.done))
        self._unkept += 1
        if self._unkept >= self._pace.checkpoint_frames or answer.served_by is ServedBy.POLICY_FAILED:
            self._unkept = 0
            self._writes.put(_Stand(self._controller.standing()))

    def _reset(self) -> None:
        """Stand where the journal stands: what was decided since could not be written."""
        ready = threading.Event()
        self._writes.put(_Reset(ready))
        ready.wait()
        self._controller, self._last = self._restored()
        self._unkept = 0
        self._unwritable = False

    def _write(self) -> None:
        while True:
            batch = [self._writes.get()]
            while not self._writes.empty():
                batch.append(self._writes.get())
            written = [each for each in batch if isinstance(each, _Written)]
            self._keep(written)
            for each in batch:
                if isinstance(each, _Stand):
                    frame = each.standing.books.next_frame if self._keep_standing(each.standing) else None
                    if each.done is not None:
                        each.done(frame)
                elif isinstance(each, _Reset):
                    each.ready.set()
            if batch[-1] is None:
                return

    def _keep(self, written: list[_Written]) -> None:
        entries = [each.entry for each in written if each.entry is not None]
        if self._journal is not None and entries and not self._unwritable:
            try:
                self._journal.append(entries)
            except OSError:
                self._unwritable = True
        for each in written:
            if self._unwritable:
                each.done(Refused(Reason.NOT_DURABLE, "frame", "its record could not be written"))
            else:
                each.done(each.served)

    def _keep_standing(self, standing: Standing) -> bool:
        """Whether it was written; if not, the frames are there: a restart takes longer, and the next may succeed."""
        if self._journal is None or self._unwritable:
            return False
        try:
            self._journal.keep(checkpoint.packed(standing), standing.books.next_frame)
        except OSError:
            return False
        return True
