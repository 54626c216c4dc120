"""A stream for programs that do other things while they wait, and the end of each wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any

import grpc

from quedge.interfaces.service.asking.failures import ServiceUnavailable, stream_ended, too_late, unavailable

_CLOSING_S = 2.0


class AsyncConversation:
    """One stream both ways. A wait that is cancelled, or lasts too long, ends it: gRPC would lose the reply.

    Args:
        call: the stream, as it has begun.
        target: "host:port", for messages.
        timeout_s: how long a reply is waited for (s).
    """

    def __init__(self, call: Any, target: str, timeout_s: float) -> None:
        self.target, self._call, self._timeout_s = target, call, timeout_s
        self._turn = asyncio.Lock()
        self._owed = 0  # replies that have not been heard

    async def ask(self, request: Any) -> Any:
        """See `Conversation.ask`."""
        async with self._turn:
            return await self._within(self._exchange(request))

    async def tell(self, request: Any) -> None:
        """See `Conversation.tell`; it raises as `ask` where the stream takes nothing."""
        await self._within(self._say(request))

    async def hear(self) -> Any:
        """See `Conversation.hear`."""
        async with self._turn:
            return await self._within(self._next())

    async def close(self) -> None:
        """See `Conversation.close`."""
        with contextlib.suppress(ServiceUnavailable):
            await in_time(self._end(), self.target, _CLOSING_S)
        self._call.cancel()

    async def _end(self) -> None:
        await self._call.done_writing()
        while await self._call.read() is not grpc.aio.EOF:
            pass

    async def _within(self, asked: Awaitable[Any]) -> Any:
        try:
            return await in_time(asked, self.target, self._timeout_s)
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
            raise stream_ended(self.target)
        self._owed -= 1
        return reply


async def in_time(asked: Awaitable[Any], target: str, timeout_s: float) -> Any:
    """What gRPC gives.

    Raises:
        ServiceUnavailable: it gives nothing; the message tells why.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await asked
    except grpc.RpcError as error:
        raise unavailable(target, error, timeout_s) from None
    except TimeoutError:
        raise too_late(target, timeout_s) from None
    except asyncio.InvalidStateError:
        raise ServiceUnavailable(f"{target}: the stream is over") from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ServiceUnavailable(f"{target}: the service ended the call") from None  # gRPC tells it so, too
