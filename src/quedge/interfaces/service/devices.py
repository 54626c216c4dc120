"""Streams of devices that report for themselves, joined to frames of one cell."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from quedge.controller.assembly import Assembly
from quedge.controller.engine import Served
from quedge.controller.refused import Reason, Refused
from quedge.controller.report import Report
from quedge.interfaces.service import quedge_pb2 as pb
from quedge.interfaces.service import translate
from quedge.interfaces.service.in_order import in_order

_Answers = dict[int, asyncio.Future[pb.DeviceAnswer]]
"""The answers to come, by device."""


class DeviceStreams:
    """The devices of one cell; it lives in the event loop.

    Args:
        devices: number of the scenario's devices.
        deadline_s: time from a frame's first report to its end (s).
        serve: has the report of the frame that is due served, and gives what becomes of it.
        refused: is told of each device's report that was refused.
    """

    def __init__(
        self,
        devices: int,
        deadline_s: float,
        serve: Callable[[Report], asyncio.Future[Served | Refused]],
        refused: Callable[[Reason], None],
    ) -> None:
        self._assembly = Assembly(devices, deadline_s)
        self._serve, self._told_refused = serve, refused
        self._waiting: _Answers = {}  # for the frame that is open
        self._timer: asyncio.TimerHandle | None = None

    @property
    def occupied(self) -> bool:
        """Whether a device has a stream."""
        return self._assembly.occupied

    async def stream(
        self, first: pb.DeviceReport, requests: AsyncIterator[pb.DeviceReport]
    ) -> AsyncGenerator[pb.DeviceAnswer, None]:
        """Serve one device's stream, from its first report on.

        Raises:
            EndedError: `requests` raised it; all that had been reported before is answered.
        """
        try:
            self._assembly.join(first.device)
        except Refused as refused:
            yield self._refusal(refused)
            return
        reports = self._reports(first, requests)
        try:
            async with aclosing(in_order(reports, lambda report: self._added(report, first), _heard)) as answers:
                async for answer in answers:
                    yield answer
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

    def _added(self, request: pb.DeviceReport, first: pb.DeviceReport) -> asyncio.Future[pb.DeviceAnswer]:
        """Take a report into the open frame, or refuse it; the answer to come."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[pb.DeviceAnswer] = loop.create_future()
        measured = request.data_queue_mbit if request.HasField("data_queue_mbit") else None
        try:
            _check_same_device(request, first)
            self._assembly.add(request.device, request.channel_gain, request.arrived_mbit, measured, loop.time())
        except Refused as refused:
            answer.set_result(self._refusal(refused))
            return answer
        self._waiting[request.device] = answer
        self._close_if_complete()
        return answer

    def _close_if_complete(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._assembly.is_closed(loop.time()):
            waiting, self._waiting = self._waiting, {}
            self._serve(self._assembly.taken()).add_done_callback(lambda served: self._tell(waiting, served.result()))
        elif math.isfinite(self._assembly.closes):  # a timer may ring a little early
            self._timer = loop.call_at(self._assembly.closes, self._close_if_complete)

    def _tell(self, waiting: _Answers, outcome: Served | Refused) -> None:
        """Tell devices what became of the frame in which they reported."""
        for device, answer in waiting.items():
            if isinstance(outcome, Refused):
                message = self._refusal(outcome)
            else:
                message = translate.device_answer_of(outcome.answer, device)
            if not answer.done():  # its stream may be gone
                answer.set_result(message)

    def _refusal(self, refused: Refused) -> pb.DeviceAnswer:
        """The answer to a device's report that was refused, of which the observer is told."""
        self._told_refused(refused.reason)
        return translate.device_refusal_of(refused)


async def _heard(answer: asyncio.Future[pb.DeviceAnswer]) -> pb.DeviceAnswer:
    return await answer


def _check_same_device(request: pb.DeviceReport, first: pb.DeviceReport) -> None:
    for field in ("device", "base_station"):
        given, due = getattr(request, field), getattr(first, field)
        if given != due:
            message = f"{given!r:.80} is not allowed; it must be {due!r}, since a stream is one device's"
            raise Refused(Reason.BAD_VALUE, field, message)
