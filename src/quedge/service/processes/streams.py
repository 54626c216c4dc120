"""A stream of reports as the process sees it that the client has come to."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from quedge.service import methods
from quedge.service.processes.passing import PassedOn, caller_of, ended_by, is_passed_on

if TYPE_CHECKING:
    from quedge.service.processes.routing import Routing

_LOOK_AGAIN_S = 10.0
"""How long a base station's stream is passed on before its cell is looked for once more: it may come here by then."""


class RoutedStream:
    """The context of a stream, as the method gets it that serves here: it reads what is about cells that are here.

    What is about other cells is passed on while it reads, and their answers are written in between.

    Args:
        routing: where the cells are.
        method: that serves the stream.
        context: as gRPC gives it.
    """

    def __init__(self, routing: Routing, method: methods.Method, context: Any) -> None:
        self._is_passed_on = is_passed_on(context)
        self._context = PassedOn(context) if self._is_passed_on else context
        self._routing, self._method = routing, method
        self._name, self._prefix = "", b""
        self._held = grpc.aio.EOF
        self._open, self._answered = 0, asyncio.Event()
        self._answered.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def read(self) -> Any:
        """The next request about a cell that is here; EOF after the last one, and an EndedError where others end it."""
        while True:
            request, self._held = self._held, grpc.aio.EOF
            if request is grpc.aio.EOF:
                request = await self._context.read()
            if request is grpc.aio.EOF or self._is_about_same(request):
                return self._taken(request)
            name = name_in(self._method, request)
            if name is None or not self._routing.may_ask(self._context, name):
                return self._taken(request)
            process = await self._place(name)
            if process is None:
                self.end()
                self._name, self._prefix = name, self._prefix_of(name)
                return self._taken(request)
            await self._answered.wait()
            if not await self._pass_on(process, name, request):
                return grpc.aio.EOF

    async def write(self, answer: Any) -> None:
        """Write an answer of this process."""
        await self._context.write(answer)
        self._open -= 1
        if self._open <= 0:
            self._answered.set()

    def end(self) -> None:
        """Nothing is served for the base station of before."""
        if self._name:
            self._routing.leave(self._name)
            self._name = ""

    def _taken(self, request: Any) -> Any:
        if request is not grpc.aio.EOF:
            self._open += 1
            self._answered.clear()
        return request

    def _is_about_same(self, request: bytes) -> bool:
        """Whether it is about the cell that the stream is served for; members' streams are about one cell only."""
        if not self._name:
            return False
        return request.startswith(self._prefix) or self._method is not methods.SERVE_FRAMES

    async def _place(self, name: str) -> int | None:
        """The process that has the cell, None for this one; then it is counted here."""
        if name == self._name:  # written in an unusual way
            self._routing.take_passed_on(name)
            return None
        if self._is_passed_on:
            self._routing.take_passed_on(name)
            return None
        return await self._routing.take(name)

    def _prefix_of(self, name: str) -> bytes:
        """What a request about it begins with, as everybody writes it."""
        return b"\x0a" + bytes((len(name),)) + name.encode()

    async def _pass_on(self, process: int, name: str, request: bytes) -> bool:
        """Pass on what is about one cell, and its answers; whether the stream goes on after that.

        Raises:
            EndedError: it was ended there.
        """
        prefix, until = self._prefix_of(name), time.monotonic() + _LOOK_AGAIN_S
        may_end = self._method is methods.SERVE_FRAMES  # a member's stream is about one cell, and is part of its frame
        call = self._routing.channel(process).stream_stream(self._method.path)(metadata=caller_of(self._context))
        answering = asyncio.create_task(self._answer(call))
        answering.add_done_callback(_looked_at)
        reading: asyncio.Task[Any] | None = None
        try:
            while True:
                with suppress(asyncio.InvalidStateError, grpc.RpcError):  # `answering` knows why
                    await call.write(request)
                reading = asyncio.create_task(self._context.read())
                reading.add_done_callback(_looked_at)
                await asyncio.wait({reading, answering}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    answering.result()
                    return False
                request = reading.result()
                if request is grpc.aio.EOF:
                    break
                if may_end and (time.monotonic() > until or not request.startswith(prefix)):
                    break
            await self._done(call, answering)
            answering.result()
            self._held = request
            return request is not grpc.aio.EOF
        except asyncio.CancelledError:
            await self._done(call, answering)  # what was passed on is answered
            raise
        finally:
            answering.cancel()
            call.cancel()
            if reading is not None:
                reading.cancel()

    async def _done(self, call: Any, answering: asyncio.Task[None]) -> None:
        """No more is passed on; wait for the answers."""
        with suppress(asyncio.InvalidStateError, grpc.RpcError):
            await call.done_writing()
        await asyncio.wait({answering})

    async def _answer(self, call: Any) -> None:
        """Write the answers that come; an EndedError where the call does not end well."""
        try:
            while (answer := await call.read()) is not grpc.aio.EOF:
                await self._context.write(answer)
        except grpc.RpcError as error:
            raise ended_by(error.code(), error.details()) from None
        if (code := await call.code()) is not grpc.StatusCode.OK:
            raise ended_by(code, await call.details())


def name_in(method: methods.Method, request: bytes) -> str | None:
    """The base station that a request is about; None of bytes that are no request."""
    try:
        return str(method.request.FromString(request).base_station)
    except DecodeError:
        return None


def _looked_at(task: asyncio.Task[Any]) -> None:
    """Whatever became of a task that was given up, asyncio need not complain that nobody has looked."""
    if not task.cancelled():
        task.exception()
