"""Streams of devices that report for themselves, joined to frames of one cell."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import NamedTuple

from quedge.controller.assembly import Assembly
from quedge.controller.engine import Served
from quedge.controller.report import Reason, Report, ReportRejected
from quedge.service import quedge_pb2 as pb
from quedge.service import translate
from quedge.service.callers import Caller
from quedge.service.calls import completed, resolve, serve_in_order


class _Waiting(NamedTuple):
    """A device's answer to come, and who waits for it."""

    answer: asyncio.Future[pb.DeviceAnswer]
    caller: Caller


class DeviceStreams:
    """The devices of one cell, whose frames close at a deadline; it lives in the event loop.

    `devices` gives their number, which may grow; `incarnation` is its state's; `submit` has the report of the frame
    that is due served, and gives what becomes of it; `on_refused` is told of each device's report that was refused, and
    whose it was.
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
        self._waiting: dict[int, _Waiting] = {}  # for the frame that is open, by device
        self._timer: asyncio.TimerHandle | None = None

    @property
    def occupied(self) -> bool:
        """Whether a device has a stream."""
        return self._assembly.occupied

    async def serve(
        self,
        first: pb.DeviceReport,
        requests: AsyncIterator[pb.DeviceReport],
        write: Callable[[pb.DeviceAnswer], Awaitable[None]],
        caller: Caller,
    ) -> None:
        """Serve one device's stream, from its first report on; errors as of `serve_in_order`."""
        self._assembly.devices = self._devices()
        try:
            self._assembly.join(first.device)
        except ReportRejected as refused:
            await write(self._refusal(refused, caller))
            return
        try:
            async with aclosing(self._reports(first, requests)) as reports:
                await serve_in_order(reports, lambda report: self._added(report, first, caller), write)
        finally:
            self._assembly.leave(first.device)
            self._close_if_complete()

    async def _reports(
        self, first: pb.DeviceReport, requests: AsyncIterator[pb.DeviceReport]
    ) -> AsyncGenerator[pb.DeviceReport, None]:
        """All reports of a stream; after the last one no frame waits for its device."""
        try:
            yield first
            async for request in requests:
                yield request
        finally:
            self._assembly.rest(first.device)
            self._close_if_complete()

    def _added(
        self, request: pb.DeviceReport, first: pb.DeviceReport, caller: Caller
    ) -> asyncio.Future[pb.DeviceAnswer]:
        """Take a report into the open frame, or refuse it; the answer to come."""
        caller.check()
        loop = asyncio.get_running_loop()
        measured = request.data_queue_mbit if request.HasField("data_queue_mbit") else None
        try:
            caller.check_report(first.base_station)
            _check_same_device(request, first)
            self._assembly.add(request.device, request.channel_gain, request.arrived_mbit, measured, loop.time())
        except ReportRejected as refused:
            return completed(self._refusal(refused, caller))
        answer: asyncio.Future[pb.DeviceAnswer] = loop.create_future()
        self._waiting[request.device] = _Waiting(answer, caller)
        self._close_if_complete()
        return answer

    def _close_if_complete(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._assembly.is_closed(loop.time()):
            waiting, self._waiting = self._waiting, {}
            self._submit(self._assembly.taken()).add_done_callback(
                lambda served: self._resolve(waiting, served.result())
            )
        elif math.isfinite(self._assembly.closes):  # a timer may ring a little early
            self._timer = loop.call_at(self._assembly.closes, self._close_if_complete)

    def _resolve(self, waiting: dict[int, _Waiting], outcome: Served | ReportRejected) -> None:
        """Tell devices what became of the frame in which they reported."""

        def message(device: int, caller: Caller) -> pb.DeviceAnswer:
            if isinstance(outcome, ReportRejected):
                return self._refusal(outcome, caller)
            return translate.device_answer_of(outcome, device)

        for device, (answer, caller) in waiting.items():
            resolve(answer, partial(message, device, caller))

    def _refusal(self, refused: ReportRejected, caller: Caller) -> pb.DeviceAnswer:
        """The answer to a device's report that was refused, of which the observer is told."""
        self._on_refused(refused.reason, caller)
        return translate.device_refusal_of(refused, self._incarnation)


def _check_same_device(request: pb.DeviceReport, first: pb.DeviceReport) -> None:
    for field in ("device", "base_station"):
        given, due = getattr(request, field), getattr(first, field)
        if given != due:
            allowed = f"{due!r}, since a stream is one device's"
            raise ReportRejected.not_allowed(Reason.BAD_VALUE, field, f"{given!r:.80}", allowed)
