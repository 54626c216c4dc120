"""The service's log: a line an event, as JSON or for people; what happens often is counted."""

from __future__ import annotations

import contextlib
import datetime
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from quedge.controller.answer import ServedBy
from quedge.controller.engine import Served
from quedge.controller.shadow import Shadowed
from quedge.controller.state import QueueState
from quedge.controller.state_folder import NAME
from quedge.service import quedge_pb2 as pb
from quedge.service.monitoring.observers import Observer, Started, outcome_name
from quedge.service.settings import Rendering

EVERY_S = 10.0
_MAX_LINES = 1000  # that wait for a stream that nobody reads; more are dropped
_LOOK_EVERY_S = 0.5
_MAX_KEY, _MAX_TEXT = 200, 500
_MAX_KINDS = 1000  # of what is counted; where there are more, all else is counted together


class Logs(Observer):
    """An observer that writes a log: nothing secret, and nothing of a report but what a policy's error says.

    Refusals, late frames, failures of the policy and the like may come a thousand times a second: of each kind the
    first is told at once, then at most every ten seconds how many there were. Lines are written by a thread of its
    own, so a stream that nobody reads holds nothing up.

    Args:
        rendering: how lines are written.
        stream: where; standard error where it is None.
        clock: what time it is (s), for what is counted.
        process: number of the process, which each line tells, of several.
    """

    def __init__(
        self,
        rendering: Rendering = Rendering.JSON,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        process: int | None = None,
    ) -> None:
        self._lines = _Lines(_standard_error() if stream is None else stream, self._tell_counts)
        self._log = _logger(self._lines, rendering)
        if process is not None:
            self._log = self._log.bind(process=process)
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], _Count] = {}
        self._lines.start()

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""
        answer = served.answer
        if answer.served_by is ServedBy.POLICY or served.repeated:
            return
        where = {"base_station": base_station, "frame": answer.frame}
        if answer.served_by is ServedBy.LATE:
            self._count("warning", "late", base_station, **where, waited_s=round(served.waited_s, 6))
        else:
            self._count("error", "policy_failed", base_station, **where, reason=served.info.failure)

    def refused(self, base_station: str, outcome: int, peer: str = "") -> None:
        """See `Observer.refused`. A name that is not allowed is not written."""
        of = {"base_station": base_station} if NAME.fullmatch(base_station) else {}
        of |= _of_peer(peer)
        if outcome == pb.NOT_DURABLE:
            self._count("error", "not_durable", "", **of)
        else:
            name = outcome_name(outcome)
            self._count("warning", "refused", name, outcome=name, **of)

    def limited(self, limit: str, peer: str) -> None:
        """See `Observer.limited`; counted by the limit."""
        self._count("warning", "limited", limit, limit=str(limit), **_of_peer(peer))

    def few_descriptors(self, allowed: int, advised: int) -> None:
        """See `Observer.few_descriptors`."""
        self._log.warning("few_descriptors", allowed=allowed, advised=advised)

    def observer_failed(self, observer: str, error: Exception) -> None:
        """Another observer raised: a mistake of ours."""
        self._count("error", "observer_failed", observer, observer=observer, error=type(error).__name__)

    def restored(self, base_station: str, incarnation: str, queues: QueueState, lost_frames: int) -> None:
        """See `Observer.restored`."""
        of = {"base_station": base_station, "incarnation": incarnation, "next_frame": queues.next_frame}
        self._log.info("restored", **of)
        if lost_frames:
            self._log.error("frames_lost", **of, frames=lost_frames)

    def begun(self, base_station: str, incarnation: str, queues: QueueState, set_aside: str = "") -> None:
        """See `Observer.begun`."""
        of = {"base_station": base_station, "incarnation": incarnation}
        if set_aside:
            self._log.warning("begun_anew", **of, set_aside=set_aside)
        else:
            self._log.info("begun", **of)

    def left(self, base_station: str) -> None:
        """See `Observer.left`."""
        self._count("info", "left", base_station, base_station=base_station)

    def process_began(self, process: int, pid: int) -> None:
        """A process of several was begun."""
        self._log.info("process_began", process=process, pid=pid)

    def process_ended(self, process: int, status: int) -> None:
        """Such a process has ended, with this exit status or, below 0, by this signal, and nobody had told it to."""
        self._log.error("process_ended", process=process, status=status)

    def gives_up(self, why: str) -> None:
        """All processes end."""
        self._log.error("gives_up", reason=why)

    def reloaded(self, changed: Sequence[str], power_budget_w: NDArray[np.float64]) -> None:
        """See `Observer.reloaded`."""
        self._log.info("reloaded", changed=list(changed), devices=power_budget_w.size)

    def reload_refused(self, why: str) -> None:
        """See `Observer.reload_refused`."""
        self._log.error("reload_refused", reason=why)

    def migrated(self, base_station: str, queues: QueueState) -> None:
        """See `Observer.migrated`."""
        self._log.info(
            "migrated", base_station=base_station, next_frame=queues.next_frame, devices=queues.data_queue_mbit.size
        )

    def shadowed(self, base_station: str, shadowed: Shadowed) -> None:
        """See `Observer.shadowed`."""
        if shadowed.failure:
            where = {"base_station": base_station, "frame": shadowed.would_be.frame}
            self._count("warning", "shadow_failed", base_station, **where, reason=shadowed.failure)

    def shadow_dropped(self, base_station: str, why: str) -> None:
        """See `Observer.shadow_dropped`."""
        self._count("warning", "shadow_dropped", base_station, base_station=base_station, reason=why)

    def health_changed(self, error: str | None) -> None:
        """See `Observer.health_changed`."""
        if error is None:
            self._log.info("well")
        else:
            self._log.error("unwell", reason=error)

    def connected(self, tls_version: str, group: str, peer: str = "") -> None:
        """See `Observer.connected`; counted by what was negotiated."""
        of = {"tls_version": tls_version, "group": group, **_of_peer(peer)}
        self._count("info", "connected", f"{tls_version} {group}", **of)

    def stream_began(self, base_station: str, method: str, peer: str) -> None:
        """See `Observer.stream_began`; counted by base station and method."""
        of = {"base_station": base_station, "method": method, **_of_peer(peer)}
        self._count("info", "stream_began", f"{base_station} {method}", **of)

    def stream_ended(self, base_station: str, method: str, peer: str) -> None:
        """See `Observer.stream_ended`; counted as `stream_began`."""
        of = {"base_station": base_station, "method": method, **_of_peer(peer)}
        self._count("info", "stream_ended", f"{base_station} {method}", **of)

    def handshake_failed(self, reason: str, peer: str) -> None:
        """See `Observer.handshake_failed`; counted by why."""
        self._count("warning", "handshake_failed", reason, reason=reason, **_of_peer(peer))

    def library_said(self, level: str, source: str, text: str) -> None:
        """See `Observer.library_said`; counted by where it comes from, or by the line."""
        kind = source or text[:_MAX_KEY]
        self._count(level, "library", kind, text=text[:_MAX_TEXT], **({"source": source} if source else {}))

    def certificate_used(self, expires: datetime.datetime) -> None:
        """See `Observer.certificate_used`."""
        self._log.info("certificate_used", expires=expires.isoformat())

    def renewal_refused(self, why: str) -> None:
        """See `Observer.renewal_refused`."""
        self._log.error("renewal_refused", reason=why)

    def standby_changed(self, how: str) -> None:
        """See `Observer.standby_changed`."""
        (self._log.info if how == "in sync" else self._log.warning)("standby", standing=how)

    def standing_by(self, how: str) -> None:
        """See `Observer.standing_by`; counted by how."""
        self._count("info", "standing_by", how, standing=how)

    def compiling(self) -> None:
        """See `Observer.compiling`."""
        self._log.info("compiling")

    def started(self, started: Started) -> None:
        """See `Observer.started`."""
        self._log.info("started", **started._asdict())

    def stopping(self) -> None:
        """See `Observer.stopping`."""
        self._log.info("stopping")

    def stopped(self) -> None:
        """See `Observer.stopped`; all is written when it returns, if anybody reads."""
        self._tell_counts(at_once=True)
        self._log.info("stopped")
        self._lines.close()

    def _count(self, level: str, event: str, kind: str, **fields: Any) -> None:
        now = self._clock()
        with self._lock:
            if len(self._counts) >= _MAX_KINDS and (event, kind) not in self._counts:
                kind = ""
            count = self._counts.get((event, kind))
            if count is not None and now < count.due:
                count.more += 1
                count.fields = fields
                return
            more = 1 if count is None else count.more + 1
            self._counts[event, kind] = _Count(level, fields, now + EVERY_S)
        self._tell(level, event, fields, more)

    def _tell_counts(self, at_once: bool = False) -> None:
        """Tell what was counted and is due."""
        now, due = self._clock(), []
        with self._lock:
            for (event, kind), count in list(self._counts.items()):
                if now < count.due and not at_once:
                    continue
                if count.more:
                    due.append((event, count))
                    self._counts[event, kind] = _Count(count.level, count.fields, now + EVERY_S)
                else:
                    del self._counts[event, kind]
        for event, count in due:
            self._tell(count.level, event, count.fields, count.more)

    def _tell(self, level: str, event: str, fields: dict[str, Any], count: int) -> None:
        getattr(self._log, level)(event, **fields, count=count)


def _of_peer(peer: str) -> dict[str, str]:
    return {"peer": peer} if peer else {}


class _Count:
    """How often something happened since it was last told, and when it may be told again."""

    def __init__(self, level: str, fields: dict[str, Any], due: float) -> None:
        self.level, self.fields, self.due = level, fields, due
        self.more = 0


class _Unbuffered:
    """A stream past Python's buffer, whose lock would keep the process from its end while nobody reads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(self._descriptor, data) :]

    def flush(self) -> None:
        """Nothing waits."""

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


class _Stream(Protocol):
    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...

    def isatty(self) -> bool: ...


def _standard_error() -> _Stream:
    """Where standard error leads now: others' lines may be taken from it later, ours go on."""
    try:
        return _Unbuffered(os.dup(sys.stderr.fileno()))
    except (OSError, ValueError):  # it stands for something that is no file
        return sys.stderr


class _Lines:
    """Writes lines in a thread; it is what structlog calls a logger."""

    def __init__(self, stream: _Stream, look: Callable[[], None]) -> None:
        self.stream, self._look = stream, look
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="quedge-log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(2.0)

    def msg(self, line: str) -> None:
        if self._queue.qsize() < _MAX_LINES:
            self._queue.put(line)

    info = warning = error = msg

    def _write(self) -> None:
        while True:
            with contextlib.suppress(queue.Empty):
                line = self._queue.get(timeout=_LOOK_EVERY_S)
                if line is None:
                    return
                with contextlib.suppress(OSError, ValueError):  # a stream that is gone, or closed
                    self.stream.write(line + "\n")
                    self.stream.flush()
            self._look()


def _logger(lines: _Lines, rendering: Rendering) -> Any:
    """A logger of structlog with a set-up of its own: nothing global is changed."""
    import structlog

    json = rendering is Rendering.JSON
    last: Any = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=lines.stream.isatty())
    )
    return structlog.wrap_logger(
        lines,
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper("iso", utc=True), last],
        wrapper_class=structlog.make_filtering_bound_logger(20),  # from INFO on
        context_class=dict,
        cache_logger_on_first_use=True,
    )
