"""One cell's controller at work: it decides each report, writes it down and tells of it, in order.

A thread does so. Where nothing is written down and decisions are quick, a report that finds the thread at rest is
decided at once by whoever brings it: handing it over and back takes longer than deciding it. What is to be learned from
a frame is learned by the thread after its answer was told.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from quedge.controller.answer import NO_INFO, Answer, DecisionInfo, ServedBy
from quedge.controller.controller import Controller
from quedge.controller.journal import Journal, new_incarnation
from quedge.controller.records import Entry
from quedge.controller.report import NEXT_FRAME, Reason, Report, ReportRejected
from quedge.controller.state import QueueState, Snapshot, StateError, reason_of

T = TypeVar("T")

QUICK_S = 3e-4
"""A policy that took no longer last time is asked at once (s); two hand-overs between threads take about 1e-4."""

Done = Callable[["Served | ReportRejected"], None]
"""Who is told of a report: that it was served, or why not; it must not block, nor submit.

Called from the engine's thread, or from that of `submit`.
"""

Kept = Callable[[int | None], None]
"""Who is told of a checkpoint: the next frame there, or None where it was not written. It must not block."""


class Served(NamedTuple):
    """A report that was served.

    Attributes:
        answer: the answer, as durable as the journal makes it.
        repeated: whether this very report had been served before, and its answer is given once more.
        decision_s: time in which it was decided (s); 0 where it was repeated.
        waited_s: time from its arrival to the beginning of that (s).
        info: what is said of the decision beside the answer; nothing where the answer is repeated.
        incarnation: identity of the state in which it was served.
        report: the report, with the frame's number; None where it was repeated.
        before: the cell's queues before the frame; None where it was repeated.
    """

    answer: Answer
    repeated: bool
    decision_s: float
    waited_s: float
    info: DecisionInfo = NO_INFO
    incarnation: str = ""
    report: Report | None = None
    before: QueueState | None = None


@dataclass(frozen=True)
class Pace:
    """How an engine works.

    Attributes:
        late_s: a report that has waited longer than this before its turn is decided by best-single (s).
        max_waiting: reports beyond this number are refused.
        checkpoint_frames: number of served frames from one checkpoint to the next: what a restart serves again.
    """

    late_s: float = 0.05
    max_waiting: int = 256
    checkpoint_frames: int = 1000


class Standing(NamedTuple):
    """How an engine stands.

    Attributes:
        waiting: reports that wait for their turn.
        journal_bytes: size of what its journal keeps; None without one.
        kept_at: when this process last kept a checkpoint, in seconds since 1970; None where it has not.
    """

    waiting: int
    journal_bytes: int | None
    kept_at: float | None


class Change(NamedTuple):
    """What a cell is served under from now on, with its queues kept.

    Attributes:
        fresh: makes a controller that stands at its beginning, of as many devices or more.
        determined_by: what its answers depend on besides the reports.
        keeps_agent: whether an agent goes on from where it stands; else it begins as the new controller's does.
    """

    fresh: Callable[[], Controller]
    determined_by: str
    keeps_agent: bool = True


class _Job(NamedTuple):
    report: Report
    arrived: float
    done: Done


class _Lesson(NamedTuple):
    """The thread is to learn from the last frame."""


class Engine:
    """Serves one cell's reports, one after the other, and tells of each when it is durable.

    Args:
        fresh: makes a controller that stands at its beginning.
        journal: where served frames are kept; None where nothing survives the process.
        pace: how it works.
        clock: what time it is (s); `time.monotonic`, whatever happens to the clock on the wall.
        change: what it is to be served under instead, if anything, once it stands where the journal stands; where that
            keeps no agent, the journal is of another policy, and has no frame that is to be served again.

    Attributes:
        incarnation: identity of the state, which the journal keeps; without one, of this engine.

    Raises:
        StateError: the journal cannot be used.
        OSError: it cannot be read.
    """

    def __init__(
        self,
        fresh: Callable[[], Controller],
        journal: Journal | None = None,
        pace: Pace = Pace(),
        clock: Callable[[], float] = time.monotonic,
        change: Change | None = None,
    ) -> None:
        self._fresh, self._journal, self._pace, self._clock = fresh, journal, pace, clock
        self._controller, self._last = self._from_journal(change is not None and not change.keeps_agent)
        self._queues = self._controller.queues
        self.incarnation = new_incarnation() if journal is None else journal.incarnation
        self._write_error: str | None = None  # why the last attempt to write failed
        self._diverged = False  # from the journal, in a way that only a replay mends
        self._kept_at: float | None = None
        self._in_doubt = False  # whether the journal holds a frame, or a change, that it refused
        self._change, self._adopted = change, ""  # what is due, and under what it is served since the last change
        is_due = self._last is not None or change is not None  # a restart is not served twice
        self._unkept = self._pace.checkpoint_frames if is_due else 0
        self._policy_took_s = math.inf
        self._jobs: queue.SimpleQueue[_Job | _Lesson | Kept | None] = queue.SimpleQueue()
        self._gate, self._open = threading.Lock(), True
        self._in_hand = 0  # of the thread's jobs, those that are not done; it rests at 0
        self._keep_if_due()
        self._thread = threading.Thread(target=self._work, name="quedge-cell", daemon=True)
        self._thread.start()

    def health_error(self) -> str | None:
        """Why reports are not served, or would not be durable; None where all is well. Any thread may ask."""
        if not self._thread.is_alive():
            return "its engine has ended"
        if self._journal is not None:
            try:
                self._journal.check_files()
            except OSError as error:
                return reason_of(error)
        return self._write_error

    @property
    def queues(self) -> QueueState:
        """The cell's queues after the last frame that was served; their arrays must not be changed."""
        return self._queues

    def standing(self) -> Standing:
        """How it stands; any thread may ask."""
        return Standing(self._jobs.qsize(), None if self._journal is None else self._journal.size_bytes, self._kept_at)

    @property
    def devices(self) -> int:
        """Number of the cell's devices."""
        return self._controller.devices

    @property
    def lost_frames(self) -> int:
        """Acknowledged frames that a loss of power took before the engine began."""
        return 0 if self._journal is None else self._journal.lost_frames

    def retry(self) -> None:
        """Keep a checkpoint if the last attempt to write failed, and nothing waits that will be written anyway."""
        with self._gate:
            if self._open and self._write_error is not None and self._in_hand == 0:
                self._hand_over(lambda kept: None)

    def submit(self, report: Report, done: Done) -> None:
        """Have a report served; `done` is told what became of it."""
        job = _Job(report, self._clock(), done)
        with self._gate:
            waiting, at_rest = self._jobs.qsize(), self._in_hand == 0
            if self._open and at_rest and self._journal is None and self._policy_took_s <= QUICK_S:
                _notify(done, self._result(job))
                if self._controller.has_to_learn:
                    self._hand_over(_Lesson())
                return
            if self._open and waiting < self._pace.max_waiting:
                self._hand_over(job)
                return
        why = f"{waiting} reports wait already" if self._open else "no more reports are taken: the service ends"
        _notify(done, ReportRejected(Reason.OVERLOADED, "frame", why))

    def checkpoint(self, done: Kept) -> None:
        """Keep where the controller stands; `done` is told the next frame there, or None where it was not written."""
        with self._gate:
            if self._open:
                self._hand_over(done)
                return
        _notify(done, None)

    def migrate(self, change: Change, done: Kept) -> None:
        """Serve what is submitted from now on under a change, with the queues kept.

        `done` is told the next frame, or None where the change could not be written. Then the cell goes on as before,
        is not well, and the change is tried again.
        """
        with self._gate:
            if self._open:
                self._change = change
                self._hand_over(done)
                return
        _notify(done, None)

    def close(self) -> None:
        """Serve what waits, keep where the controller stands, and end."""
        with self._gate:
            self._open = False
            self._jobs.put(None)
        self._thread.join()
        if self._journal is not None:
            self._journal.close()

    def _from_journal(self, queues_only: bool = False) -> tuple[Controller, Entry | None]:
        controller = self._fresh()
        return controller, None if self._journal is None else self._journal.restore(controller, queues_only)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if isinstance(job, _Job):
                _notify(job.done, self._result(job))
                self._learn()  # nobody waits for it, nor for what follows
                self._keep_if_due()
            elif isinstance(job, _Lesson):
                self._learn()
            else:
                _notify(job, self._kept())
            with self._gate:
                self._in_hand -= 1
        if self._unkept:
            self._kept()

    def _hand_over(self, job: _Job | _Lesson | Kept) -> None:
        self._in_hand += 1
        self._jobs.put(job)

    def _learn(self) -> None:
        try:
            self._controller.learn()
        except Exception:  # it may have learned half of it: with a journal it goes back to where that stands
            self._diverged = self._journal is not None

    def _result(self, job: _Job) -> Served | ReportRejected:
        try:
            self._agree()
            return self._served(job)
        except ReportRejected as refused:
            return refused
        except (OSError, StateError) as error:
            self._write_error = reason_of(error)
            return ReportRejected(Reason.NOT_DURABLE, "frame", "its record could not be written")
        except Exception as error:  # a mistake of ours: the next report has its turn
            return ReportRejected(Reason.FAILED, "frame", f"it could not be served: {type(error).__name__}")

    def _served(self, job: _Job) -> Served:
        report, last = job.report, self._last
        if report.frame == NEXT_FRAME:
            report = report._replace(frame=self._queues.next_frame)
        if last is not None and report.frame == last.report.frame and report.packed() == last.report.packed():
            if self._journal is not None:
                self._journal.settle()
            return Served(last.answer, True, 0.0, 0.0, incarnation=self.incarnation)
        self._controller.check_turn(report.frame)
        self._diverged = self._journal is not None  # until the frame is kept
        began, before = self._clock(), self._queues
        late = began - job.arrived > self._pace.late_s
        answer = self._controller.serve(report, ServedBy.LATE if late else ServedBy.POLICY)
        decided = self._clock()
        entry = Entry(report, answer)
        if self._journal is not None:
            self._append(self._journal, entry)
        self._diverged, self._last, self._queues = False, entry, self._controller.queues
        self._write_error = None
        failed = answer.served_by is ServedBy.POLICY_FAILED  # it may not fail again: such a frame is not served twice
        if answer.served_by is not ServedBy.LATE:
            self._policy_took_s = decided - began
        self._unkept += self._pace.checkpoint_frames if failed else 1
        waited_s, info = began - job.arrived, self._controller.decision_info
        return Served(answer, False, decided - began, waited_s, info, self.incarnation, report, before)

    def _append(self, journal: Journal, entry: Entry) -> None:
        """Write a frame down; where that fails the controller stands where it stood before it."""
        try:
            journal.append(entry)
        except (OSError, StateError):
            self._controller.undo()
            self._diverged, self._in_doubt = False, True
            raise

    def _agree(self) -> None:
        """Stand where the journal stands: what it refused may be written all the same, and is repeated then."""
        change, journal = self._change, self._journal
        if self._in_doubt and change and journal and journal.determined_by() == change.determined_by:
            self._fresh, self._change, self._diverged = change.fresh, None, True
            self._adopted = change.determined_by
        if self._diverged:
            self._controller, self._last = self._from_journal()
        elif self._in_doubt and self._journal is not None:
            written = self._journal.last()
            if written is not None and written.report.frame == self._queues.next_frame:
                self._diverged = True  # until it is served again
                self._journal.serve_again(self._controller, written)
                self._last = written
        self._queues = self._controller.queues
        self._diverged = self._in_doubt = False

    def _keep_if_due(self) -> None:
        if self._unkept >= self._pace.checkpoint_frames:
            self._kept()

    def _kept(self) -> int | None:
        """Keep where the controller stands; the next frame there, or None where it was not written.

        If not, the frames are there: a restart takes longer, and the next attempt may succeed.
        """
        self._unkept = 0
        if self._journal is None and self._change is None:
            return None
        try:
            self._agree()
            if self._change is not None and self._change.determined_by == self._adopted:
                self._change = None  # asked for once more
            if self._change is not None:
                self._adopt(self._change)
            elif self._journal is not None:
                self._journal.keep(self._controller.snapshot())
        except Exception as error:
            self._unkept = 1  # to be tried when the engine ends, if not before
            self._write_error = reason_of(error)
            if self._change is not None:  # with the next frame
                self._unkept, self._in_doubt = self._pace.checkpoint_frames, True
            return None
        self._write_error, self._kept_at = None, time.time()
        return self._controller.queues.next_frame

    def _adopt(self, change: Change) -> None:
        """Keep a checkpoint from which the cell is served under a change, and serve it so."""
        before, controller = self._controller.snapshot(), change.fresh()
        agent = before.agent if change.keeps_agent else controller.snapshot().agent
        standing = Snapshot(before.queues.widened(controller.devices), before.random_state, agent)
        controller.restore(standing)
        if self._journal is not None:
            self._journal.keep(standing, change.determined_by)
        self._fresh, self._controller, self._change = change.fresh, controller, None
        self._adopted = change.determined_by
        self._queues = controller.queues


def _notify(done: Callable[[T], None], result: T) -> None:
    """Tell of a result; whoever waits for it cannot stop the cell."""
    with contextlib.suppress(Exception):
        done(result)
