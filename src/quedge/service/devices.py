"""Streams of devices and gateways that report for themselves, joined to frames of one cell."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, NamedTuple

from quedge.controller.assembly import Assembly, Member
from quedge.controller.engine import Served
from quedge.controller.report import Reason, Report, ReportRejected
from quedge.service.callers import Caller
from quedge.service.calls import completed, resolve, serve_in_order
from quedge.service.member_reports import MemberReports
from quedge.service.translate import OUTCOMES


class Stream(NamedTuple):
    """One stream: its kind of reports, its first one, who reports, and who calls."""

    kind: MemberReports
    first: Any
    member: Member
    caller: Caller


class _Waiting(NamedTuple):
    """An answer to come, the stream that waits for it, and the devices that it is about."""

    answer: asyncio.Future[Any]
    stream: Stream
    report: Report


class DeviceStreams:
    """The devices of one cell, whose frames close at a deadline; it lives in the event loop.

    `devices` gives their number, which may grow; `incarnation` is its state's; `submit` has the report of the frame
    that is due served, and gives what becomes of it; `on_refused` is told of each report that was refused, and whose it
    was.
    """

    def __init__(
        self,
        devices: Callable[[], int],
        deadline_s: float,
        incarnation: str,
        submit: Callable[[Report], asyncio.Future[Served | ReportRejected]],
        on_refused: Callable[[Reason, Caller], None],
    ) -> None:
        self._assembly, self._devices = Assembly(devices(), deadline_s), devices
        self._incarnation, self._submit, self._on_refused = incarnation, submit, on_refused
        self._waiting: list[_Waiting] = []  # for the frame that is open
        self._timer: asyncio.TimerHandle | None = None

    @property
    def occupied(self) -> bool:
        """Whether a device or gateway has a stream."""
        return self._assembly.occupied

    async def serve(
        self,
        kind: MemberReports,
        first: Any,
        requests: AsyncIterator[Any],
        write: Callable[[Any], Awaitable[None]],
        caller: Caller,
    ) -> None:
        """Serve one stream of a kind of reports, from its first report on; errors as of `serve_in_order`."""
        try:
            stream = self.joined(kind, first, caller)
        except ReportRejected as refused:
            await write(self.refusal(refused, kind, caller))
            return
        try:
            async with aclosing(self._reports(stream, requests)) as reports:
                await serve_in_order(reports, lambda report: self.add(report, stream), write)
        finally:
            self.leave(stream)

    def joined(self, kind: MemberReports, first: Any, caller: Caller) -> Stream:
        """A stream that begins with its first report, which is yet to be added; a ReportRejected where it may not."""
        self._assembly.devices = self._devices()
        stream = Stream(kind, first, Member(kind.field), caller)
        self._assembly.join(stream.member, kind.own_devices(first))
        return stream

    def leave(self, stream: Stream) -> None:
        """A stream is gone: no frame waits for it, and others may speak for its devices."""
        self._assembly.leave(stream.member)
        self._close_if_complete()

    async def _reports(self, stream: Stream, requests: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
        """All reports of a stream; after the last one no frame waits for it."""
        try:
            yield stream.first
            async for request in requests:
                yield request
        finally:
            self._assembly.rest(stream.member)
            self._close_if_complete()

    def add(self, request: Any, stream: Stream) -> asyncio.Future[Any]:
        """Take a report into the open frame, or refuse it; the answer to come.

        Raises:
            EndedError: too many of the caller's reports were refused.
        """
        stream.caller.check()
        loop = asyncio.get_running_loop()
        self._assembly.devices = self._devices()
        try:
            stream.caller.check_report(stream.first.base_station)
            stream.kind.check_same(request, stream.first)
            report = self._assembly.add(stream.member, *stream.kind.values(request), loop.time())
        except ReportRejected as refused:
            return completed(self.refusal(refused, stream.kind, stream.caller))
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(_Waiting(answer, stream, report))
        self._close_if_complete()
        return answer

    def _close_if_complete(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._assembly.is_closed(now):
            waiting, self._waiting = self._waiting, []
            self._submit(self._assembly.taken()).add_done_callback(
                lambda served: self._resolve(waiting, served.result())
            )
        self._set_timer()

    def _set_timer(self) -> None:
        """Have the open frame looked at when its time is over; if there is none, nothing."""
        closes = self._assembly.closes
        if self._timer is not None and self._timer.when() != closes:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and math.isfinite(closes):
            self._timer = asyncio.get_running_loop().call_at(closes, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._close_if_complete()  # or set it again: it may ring a little early

    def _resolve(self, waiting: list[_Waiting], outcome: Served | ReportRejected) -> None:
        """Tell all who reported what became of the frame."""

        def message(stream: Stream, report: Report) -> Any:
            if isinstance(outcome, ReportRejected):
                return self.refusal(outcome, stream.kind, stream.caller)
            return stream.kind.answer_of(outcome, report.devices)

        for answer, stream, report in waiting:
            resolve(answer, partial(message, stream, report))

    def refusal(self, refused: ReportRejected, kind: MemberReports, caller: Caller) -> Any:
        """The answer to a report that was refused, of which the observer is told."""
        self._on_refused(refused.reason, caller)
        outcome = OUTCOMES[refused.reason]
        return kind.answer(outcome=outcome, field=refused.field, message=str(refused), incarnation=self._incarnation)
