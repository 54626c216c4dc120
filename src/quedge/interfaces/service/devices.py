"""Streams of devices that report for themselves, joined to frames of one cell."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from quedge.controller.assembly import Assembly
from quedge.controller.engine import Served
from quedge.controller.refused import Reason, Refused
from quedge.controller.report import Report
from quedge.interfaces.service import quedge_pb2 as pb
from quedge.interfaces.service import translate
from quedge.interfaces.service.calls import EndedError

_MOST_ANSWERS = 64  # that wait for a slow reader; older ones give way


class _Stream:
    """One device's stream: the answers that wait for it, and how many of its reports are in frames to come."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[pb.DeviceAnswer | None] = asyncio.Queue()
        self._in_frames, self._reading = 0, True
        self._ending: EndedError | None = None

    def reported(self) -> None:
        """A report of it stands in a frame."""
        self._in_frames += 1

    def answered(self, answer: pb.DeviceAnswer) -> None:
        """A frame with a report of it has its answer."""
        self.tell(answer)
        self._in_frames -= 1
        self._end_if_done()

    def tell(self, answer: pb.DeviceAnswer) -> None:
        """Tell it something; of a slow reader's answers the oldest gives way."""
        if self._waiting.qsize() >= _MOST_ANSWERS:
            self._waiting.get_nowait()
        self._waiting.put_nowait(answer)

    def ended(self, ending: EndedError | None) -> None:
        """It reports no more, or cannot; the answer to its last report may be still to come."""
        self._reading, self._ending = False, ending
        self._end_if_done()

    async def answers(self) -> AsyncIterator[pb.DeviceAnswer]:
        """What it is told, one after the other; at the end an EndedError where it has not ended by itself."""
        while (answer := await self._waiting.get()) is not None:
            yield answer
        if self._ending is not None:
            raise self._ending

    def _end_if_done(self) -> None:
        if not self._reading and self._in_frames == 0:
            self._waiting.put_nowait(None)


class DeviceStreams:
    """The devices of one cell; it lives in the event loop.

    Args:
        devices: number of the scenario's devices.
        deadline_s: time from a frame's first report to its end (s).
        serve: has the report of the frame that is due served.
        refused: is told of each device's report that was refused.
    """

    def __init__(
        self,
        devices: int,
        deadline_s: float,
        serve: Callable[[Report], Awaitable[Served]],
        refused: Callable[[Reason], None],
    ) -> None:
        self._assembly = Assembly(devices, deadline_s)
        self._serve, self._told_refused = serve, refused
        self._streams: dict[int, _Stream] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    @property
    def occupied(self) -> bool:
        """Whether a device has a stream."""
        return bool(self._streams)

    async def stream(
        self, first: pb.DeviceReport, requests: AsyncIterator[pb.DeviceReport]
    ) -> AsyncGenerator[pb.DeviceAnswer, None]:
        """Serve one device's stream, from its first report on.

        Raises:
            EndedError: `requests` raised it; all that had been reported before is answered.
        """
        device = first.device
        try:
            self._assembly.join(device)
        except Refused as refused:
            yield self._refusal(refused)
            return
        mine = self._streams[device] = _Stream()
        reading = asyncio.create_task(self._read(first, requests, mine))
        reading.add_done_callback(lambda task: task.cancelled() or task.exception())  # whoever is gone is no error
        try:
            async for answer in mine.answers():
                yield answer
        finally:
            reading.cancel()
            del self._streams[device]
            self._assembly.leave(device)
            self._close_if_complete()

    async def _read(self, first: pb.DeviceReport, requests: AsyncIterator[pb.DeviceReport], mine: _Stream) -> None:
        ending = None
        try:
            self._add(first, first, mine)
            async for request in requests:
                self._add(request, first, mine)
        except EndedError as ended:
            ending = ended
        finally:
            self._assembly.rest(first.device)
            self._close_if_complete()
            mine.ended(ending)

    def _add(self, request: pb.DeviceReport, first: pb.DeviceReport, mine: _Stream) -> None:
        now = asyncio.get_running_loop().time()
        measured = request.data_queue_mbit if request.HasField("data_queue_mbit") else None
        try:
            _check_same_device(request, first)
            self._assembly.add(request.device, request.channel_gain, request.arrived_mbit, measured, now)
        except Refused as refused:
            mine.tell(self._refusal(refused))
            return
        mine.reported()
        self._close_if_complete()

    def _close_if_complete(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._assembly.is_closed(loop.time()):
            task = asyncio.create_task(self._decide(self._assembly.taken()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif math.isfinite(self._assembly.closes):  # a timer may ring a little early
            self._timer = loop.call_at(self._assembly.closes, self._close_if_complete)

    async def _decide(self, report: Report) -> None:
        async with self._turn:  # frames in the order in which they closed
            try:
                answer = (await self._serve(report)).answer
            except Refused as refused:
                told = {device: self._refusal(refused) for device in report.devices.tolist()}
            else:
                told = {device: translate.device_answer_of(answer, device) for device in answer.devices.tolist()}
        for device, message in told.items():
            if device in self._streams:
                self._streams[device].answered(message)

    def _refusal(self, refused: Refused) -> pb.DeviceAnswer:
        """The answer to a device's report that was refused, of which the observer is told."""
        self._told_refused(refused.reason)
        return translate.device_refusal_of(refused)


def _check_same_device(request: pb.DeviceReport, first: pb.DeviceReport) -> None:
    for field in ("device", "base_station"):
        given, due = getattr(request, field), getattr(first, field)
        if given != due:
            message = f"{given!r:.80} is not allowed; it must be {due!r}, since a stream is one device's"
            raise Refused(Reason.BAD_VALUE, field, message)
