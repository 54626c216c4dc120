"""A client of the service for programs that do other things while they wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from quedge.interfaces.service import methods
from quedge.interfaces.service import quedge_pb2 as pb
from quedge.interfaces.service.client import (
    BASE_STATION,
    CHANNEL_OPTIONS,
    TIMEOUT_S,
    CellState,
    Decided,
    DeviceDecided,
    Numbers,
    ServiceUnavailable,
    checkpoint_of,
    credentials_of,
    decided_of,
    device_decided_of,
    device_report,
    frame_report,
    multicallable,
    state_of,
    unavailable,
)

_CLOSING_S = 2.0


class AsyncClient:
    """A base station's connection to the service; `async with` closes it.

    It has the methods of `Client`, to be awaited. It belongs to the event loop in which it is first used.

    Args:
        target: "host:port".
        base_station: as in `Client`, like all that follow.
        credentials: of TLS.
        ca: file of the certificate that the service's one is signed by.
        certificate: file of this client's own certificate.
        key: file of its key.
        timeout_s: how long an answer is waited for (s).

    Raises:
        ValueError: TLS arguments that do not go together.
        OSError: a file that cannot be read.
    """

    def __init__(
        self,
        target: str,
        base_station: str = BASE_STATION,
        *,
        credentials: Any = None,
        ca: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._target, self._base_station, self._timeout_s = target, base_station, timeout_s
        self._credentials = credentials_of(credentials, ca, certificate, key)
        self._channel: Any = None

    async def decide(
        self,
        frame: int,
        channel_gain: Numbers,
        arrived_mbit: Numbers,
        data_queue_mbit: Numbers | None = None,
        devices: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> Decided:
        """See `Client.decide`."""
        report = frame_report(self._base_station, frame, channel_gain, arrived_mbit, data_queue_mbit, devices)
        return decided_of(await self._ask(methods.DECIDE, report), self._target)

    def stream(self) -> AsyncFrameStream:
        """See `Client.stream`; `async with` ends it."""
        return AsyncFrameStream(self._base_station, self._conversation(methods.SERVE_FRAMES))

    def device(self, number: int) -> AsyncDeviceStream:
        """See `Client.device`; `async with` ends it."""
        return AsyncDeviceStream(self._base_station, number, self._conversation(methods.SERVE_DEVICE))

    async def state(self) -> CellState | None:
        """See `Client.state`."""
        return state_of(await self._ask(methods.STATE, pb.StateRequest(base_station=self._base_station)))

    async def next_frame(self) -> int:
        """See `Client.next_frame`."""
        state = await self.state()
        return 0 if state is None else state.next_frame

    async def checkpoint(self) -> int:
        """See `Client.checkpoint`."""
        request = pb.CheckpointRequest(base_station=self._base_station)
        return checkpoint_of(await self._ask(methods.CHECKPOINT, request))

    async def close(self) -> None:
        """End the connection."""
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    def _call(self, method: methods.Method) -> Any:
        if self._channel is None:  # only now there is an event loop
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self._target, CHANNEL_OPTIONS)
            else:
                self._channel = grpc.aio.secure_channel(self._target, self._credentials, CHANNEL_OPTIONS)
        return multicallable(self._channel, method)

    async def _ask(self, method: methods.Method, request: Any) -> Any:
        return await _in_time(self._call(method)(request), self._target, self._timeout_s)

    def _conversation(self, method: methods.Method) -> _Conversation:
        return _Conversation(self._call(method)(), self._target, self._timeout_s)


class AsyncFrameStream:
    """Frames over one stream; see `FrameStream`."""

    def __init__(self, base_station: str, conversation: _Conversation) -> None:
        self._base_station, self._conversation = base_station, conversation

    async def decide(
        self,
        frame: int,
        channel_gain: Numbers,
        arrived_mbit: Numbers,
        data_queue_mbit: Numbers | None = None,
        devices: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> Decided:
        """See `FrameStream.decide`."""
        report = frame_report(self._base_station, frame, channel_gain, arrived_mbit, data_queue_mbit, devices)
        return decided_of(await self._conversation.ask(report), self._conversation.target)

    async def close(self) -> None:
        """See `FrameStream.close`."""
        await self._conversation.close()

    async def __aenter__(self) -> AsyncFrameStream:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()


class AsyncDeviceStream:
    """The reports of one device; see `DeviceStream`."""

    def __init__(self, base_station: str, number: int, conversation: _Conversation) -> None:
        self._base_station, self._number, self._conversation = base_station, number, conversation

    async def decide(
        self, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None = None
    ) -> DeviceDecided:
        """See `DeviceStream.decide`."""
        report = device_report(self._base_station, self._number, channel_gain, arrived_mbit, data_queue_mbit)
        return device_decided_of(await self._conversation.ask(report), self._conversation.target)

    async def report(self, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None = None) -> None:
        """See `DeviceStream.report`."""
        report = device_report(self._base_station, self._number, channel_gain, arrived_mbit, data_queue_mbit)
        await self._conversation.tell(report)

    async def answer(self) -> DeviceDecided:
        """See `DeviceStream.answer`."""
        return device_decided_of(await self._conversation.hear(), self._conversation.target)

    async def close(self) -> None:
        """See `DeviceStream.close`."""
        await self._conversation.close()

    async def __aenter__(self) -> AsyncDeviceStream:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()


class _Conversation:
    """One stream both ways. A wait that is cancelled, or lasts too long, ends it: gRPC would lose the reply."""

    def __init__(self, call: Any, target: str, timeout_s: float) -> None:
        self.target, self._call, self._timeout_s = target, call, timeout_s
        self._turn = asyncio.Lock()
        self._owed = 0  # replies that have not been heard

    async def ask(self, request: Any) -> Any:
        """Say something and hear the reply to it; replies that nobody waited for go by."""
        async with self._turn:
            return await self._within(self._exchange(request))

    async def tell(self, request: Any) -> None:
        """Say something."""
        await self._within(self._say(request))

    async def hear(self) -> Any:
        """The next reply."""
        async with self._turn:
            return await self._within(self._next())

    async def close(self) -> None:
        """End it from this side, and wait a little for the other side to know."""
        with contextlib.suppress(ServiceUnavailable):
            await _in_time(self._end(), self.target, _CLOSING_S)
        self._call.cancel()

    async def _end(self) -> None:
        await self._call.done_writing()
        while await self._call.read() is not grpc.aio.EOF:
            pass

    async def _within(self, asked: Awaitable[Any]) -> Any:
        try:
            return await _in_time(asked, self.target, self._timeout_s)
        except ServiceUnavailable:
            self._call.cancel()
            raise

    async def _exchange(self, request: Any) -> Any:
        await self._say(request)
        while True:
            reply = await self._next()
            if self._owed == 0:
                return reply

    async def _say(self, request: Any) -> None:
        await self._call.write(request)
        self._owed += 1

    async def _next(self) -> Any:
        reply = await self._call.read()
        if reply is grpc.aio.EOF:
            raise ServiceUnavailable(f"{self.target}: the service ended the stream")
        self._owed -= 1
        return reply


async def _in_time(asked: Awaitable[Any], target: str, timeout_s: float) -> Any:
    """What gRPC gives, or a ServiceUnavailable that tells why it gives nothing."""
    try:
        async with asyncio.timeout(timeout_s):
            return await asked
    except grpc.RpcError as error:
        raise unavailable(target, error, timeout_s) from None
    except TimeoutError:
        raise ServiceUnavailable(f"{target}: no answer came within {timeout_s:g} s") from None
    except asyncio.InvalidStateError:
        raise ServiceUnavailable(f"{target}: the stream is over") from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ServiceUnavailable(f"{target}: the service ended the call") from None  # gRPC tells it so, too
