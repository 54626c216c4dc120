"""Streams of devices that report for themselves, joined to frames of one cell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from quedge.controller.assembly import Assembly
from quedge.controller.engine import Served
from quedge.controller.refused import Refused
from quedge.controller.report import Report
from quedge.interfaces.service import quedge_pb2 as pb
from quedge.interfaces.service import translate

_MOST_ANSWERS = 64  # that wait for a slow reader; older ones give way


class DeviceStreams:
    """The devices of one cell; it lives in the event loop.

    Args:
        devices: number of the scenario's devices.
        deadline_s: time from a frame's first report to its end (s).
        serve: has the report of the frame that is due served.
    """

    def __init__(self, devices: int, deadline_s: float, serve: Callable[[Report], Awaitable[Served]]) -> None:
        self._assembly = Assembly(devices, deadline_s)
        self._serve = serve
        self._answers: dict[int, asyncio.Queue[pb.DeviceAnswer]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    @property
    def occupied(self) -> bool:
        """Whether a device has a stream."""
        return bool(self._answers)

    async def stream(
        self, first: pb.DeviceReport, requests: AsyncIterator[pb.DeviceReport]
    ) -> AsyncIterator[pb.DeviceAnswer]:
        """Serve one device's stream, from its first report on."""
        device = first.device
        try:
            self._assembly.join(device)
        except Refused as refused:
            yield translate.device_refusal_of(refused, 0)
            return
        answers: asyncio.Queue[pb.DeviceAnswer] = asyncio.Queue(_MOST_ANSWERS)
        self._answers[device] = answers
        reading = asyncio.create_task(self._read(first, requests, answers))
        try:
            while True:
                getting = asyncio.create_task(answers.get())
                await asyncio.wait((getting, reading), return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    getting.cancel()
                    if answers.empty():
                        return
                    continue
                yield getting.result()
        finally:
            reading.cancel()
            self._answers.pop(device, None)
            self._assembly.leave(device)
            self._close_if_complete()

    async def _read(
        self, first: pb.DeviceReport, requests: AsyncIterator[pb.DeviceReport], answers: asyncio.Queue[pb.DeviceAnswer]
    ) -> None:
        self._add(first, answers)
        async for request in requests:
            if (request.base_station, request.device) != (first.base_station, first.device):
                field = "device" if request.device != first.device else "base_station"
                _put(answers, pb.DeviceAnswer(outcome=pb.BAD_VALUE, field=field, message="a stream is one device's"))
                continue
            self._add(request, answers)
        while self._tasks:  # the answer of its last frame is still to come
            await asyncio.wait(self._tasks)

    def _add(self, request: pb.DeviceReport, answers: asyncio.Queue[pb.DeviceAnswer]) -> None:
        loop = asyncio.get_running_loop()
        measured = request.data_queue_mbit if request.HasField("data_queue_mbit") else None
        try:
            self._assembly.add(request.device, request.channel_gain, request.arrived_mbit, measured, loop.time())
        except Refused as refused:
            _put(answers, translate.device_refusal_of(refused, 0))
            return
        if self._timer is None:
            self._timer = loop.call_at(self._assembly.closes, self._close_if_complete)
        self._close_if_complete()

    def _close_if_complete(self) -> None:
        loop = asyncio.get_event_loop()
        if not self._assembly.is_closed(loop.time()):
            if self._timer is not None and self._timer.when() <= loop.time():
                self._timer = loop.call_at(self._assembly.closes, self._close_if_complete)
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        task = asyncio.create_task(self._decide(self._assembly.taken()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _decide(self, report: Report) -> None:
        async with self._turn:  # frames in the order in which they closed
            try:
                served = await self._serve(report)
            except Refused as refused:
                for device in report.devices.tolist():
                    self._tell(device, translate.device_refusal_of(refused, report.frame))
                return
        for device in served.answer.devices.tolist():
            self._tell(device, translate.device_answer_of(served.answer, device))

    def _tell(self, device: int, answer: pb.DeviceAnswer) -> None:
        if device in self._answers:
            _put(self._answers[device], answer)


def _put(answers: asyncio.Queue[pb.DeviceAnswer], answer: pb.DeviceAnswer) -> None:
    if answers.full():
        answers.get_nowait()
    answers.put_nowait(answer)
