"""A client of the service for programs that do other things while they wait."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Any, Self

import grpc

from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from quedge.service.client import messages
from quedge.service.client.connection import AGAIN_S, Connection
from quedge.service.client.conversation import AsyncConversation, ServiceUnavailable, in_time
from quedge.service.client.messages import (
    CellState,
    Decided,
    DeviceDecided,
    Devices,
    GatewayDecided,
    KnownState,
    Numbers,
)


class _AsyncClosing(ABC):
    """What `async with` closes."""

    @abstractmethod
    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()


class _AsyncFrames(_AsyncClosing):
    """What frames are reported to."""

    _base_station: str
    _target: str
    _known: KnownState

    async def decide(
        self, frame: int, channel_gain: Numbers, arrived_mbit: Numbers, data_queue_mbit: Numbers | None = None,
        devices: Devices | None = None,
    ) -> Decided:  # fmt: skip
        """See `Client.decide`."""
        report = messages.frame_report(self._base_station, frame, channel_gain, arrived_mbit, data_queue_mbit, devices)
        decided = messages.decided_of(await self._answer(report), self._target)
        self._known.meet(decided.incarnation)
        return decided

    @abstractmethod
    async def _answer(self, report: pb.FrameReport) -> pb.FrameAnswer: ...


class AsyncClient(Connection, _AsyncFrames):
    """A base station's connection to the service; `async with` closes it.

    It has the methods of `Client`, to be awaited. It belongs to the event loop in which it is first used.

    Example:
        >>> import asyncio
        >>> async def first_frame():
        ...     async with quedge.AsyncClient(target, "roof-4") as controller:
        ...         return await controller.decide(0, channel_gain=[2e-10, 3e-11, 1e-10], arrived_mbit=[1.0, 0.0, 3.0])
        ...
        >>> print(asyncio.run(first_frame()).offload)
        [False False False]
    """

    _grpc = grpc.aio

    def stream(self) -> AsyncFrameStream:
        """See `Client.stream`; `async with` ends it."""
        return AsyncFrameStream(self._base_station, self._conversation(methods.SERVE_FRAMES), self._known)

    def device(self, number: int) -> AsyncDeviceStream:
        """See `Client.device`; `async with` ends it."""
        return AsyncDeviceStream(self._base_station, number, self._conversation(methods.SERVE_DEVICE), self._known)

    def gateway(self) -> AsyncGatewayStream:
        """See `Client.gateway`; `async with` ends it."""
        return AsyncGatewayStream(self._base_station, self._conversation(methods.SERVE_GATEWAY), self._known)

    async def state(self) -> CellState | None:
        """See `Client.state`."""
        return messages.state_of(await self._request(methods.STATE, pb.StateRequest(base_station=self._base_station)))

    async def next_frame(self) -> int:
        """See `Client.next_frame`."""
        state = await self.state()
        self._known.check(state)
        return messages.next_frame_of(state)

    async def checkpoint(self) -> int:
        """See `Client.checkpoint`."""
        request = pb.CheckpointRequest(base_station=self._base_station)
        return messages.checkpoint_of(await self._request(methods.CHECKPOINT, request))

    async def close(self) -> None:
        """End the connection."""
        for channel in self._channels.values():
            await channel.close()

    async def _answer(self, report: pb.FrameReport) -> pb.FrameAnswer:
        answer: pb.FrameAnswer = await self._request(methods.DECIDE, report)
        return answer

    async def _request(self, method: methods.Method, request: Any) -> Any:
        until, left_s = time.monotonic() + self._timeout_s, self._timeout_s
        while True:
            target = self._target
            try:
                return await in_time(self._call(method)(request), target, left_s)
            except ServiceUnavailable:
                if not self._turn_from(target) or time.monotonic() + AGAIN_S >= until:
                    raise
            await asyncio.sleep(AGAIN_S)
            left_s = max(until - time.monotonic(), 0.0)

    def _conversation(self, method: methods.Method) -> AsyncConversation:
        target = self._target
        return AsyncConversation(self._call(method)(), target, self._timeout_s, lambda: self._turn_from(target))


class AsyncFrameStream(_AsyncFrames):
    """Frames over one stream; see `FrameStream`."""

    def __init__(self, base_station: str, conversation: AsyncConversation, known: KnownState) -> None:
        self._base_station, self._target, self._conversation = base_station, conversation.target, conversation
        self._known = known

    async def close(self) -> None:
        """See `FrameStream.close`."""
        await self._conversation.close()

    async def _answer(self, report: pb.FrameReport) -> pb.FrameAnswer:
        answer: pb.FrameAnswer = await self._conversation.request(report)
        return answer


class AsyncDeviceStream(_AsyncClosing):
    """The reports of one device; see `DeviceStream`."""

    def __init__(self, base_station: str, number: int, conversation: AsyncConversation, known: KnownState) -> None:
        self._base_station, self._number, self._conversation = base_station, number, conversation
        self._known = known

    async def decide(
        self, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None = None
    ) -> DeviceDecided:
        """See `DeviceStream.decide`."""
        report = messages.device_report(self._base_station, self._number, channel_gain, arrived_mbit, data_queue_mbit)
        return self._decided(await self._conversation.request(report))

    async def report(self, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None = None) -> None:
        """See `DeviceStream.report`."""
        report = messages.device_report(self._base_station, self._number, channel_gain, arrived_mbit, data_queue_mbit)
        await self._conversation.send(report)

    async def answer(self) -> DeviceDecided:
        """See `DeviceStream.answer`."""
        return self._decided(await self._conversation.receive())

    async def close(self) -> None:
        """See `DeviceStream.close`."""
        await self._conversation.close()

    def _decided(self, answer: pb.DeviceAnswer) -> DeviceDecided:
        decided = messages.device_decided_of(answer, self._conversation.target)
        self._known.meet(decided.incarnation)
        return decided


class AsyncGatewayStream(_AsyncClosing):
    """The reports of a gateway; see `GatewayStream`."""

    def __init__(self, base_station: str, conversation: AsyncConversation, known: KnownState) -> None:
        self._base_station, self._conversation, self._known = base_station, conversation, known

    async def decide(
        self,
        devices: Devices,
        channel_gain: Numbers,
        arrived_mbit: Numbers,
        data_queue_mbit: Numbers | None = None,
    ) -> GatewayDecided:
        """See `GatewayStream.decide`."""
        report = messages.gateway_report(self._base_station, devices, channel_gain, arrived_mbit, data_queue_mbit)
        decided = messages.gateway_decided_of(await self._conversation.request(report), self._conversation.target)
        self._known.meet(decided.incarnation)
        return decided

    async def close(self) -> None:
        """See `GatewayStream.close`."""
        await self._conversation.close()
