"""Calls: bytes in, statuses out; pipelined streams with bounded in-flight requests and responses in order."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError

from quedge.service.methods import Method

T = TypeVar("T")

_SLOWED_S = 1.0  # who asks for too much waits for being told so, and asks for less in that time
_SERIALIZED = operator.methodcaller("SerializeToString")
_SERVICE_ENDS = grpc.StatusCode.UNAVAILABLE, "the service ends"


class EndedError(Exception):
    """A call ends here, with gRPC's status `code`."""

    def __init__(self, code: grpc.StatusCode, why: str) -> None:
        super().__init__(why)
        self.code = code


class Calls:
    """The calls that are served now; it lives in the event loop. It is `drained` once they have ended, and all end.

    Both are called with a call's context: `admit` at its beginning, which may end it, `unreadable` where bytes are no
    message, which may raise an EndedError.
    """

    def __init__(self, admit: Callable[[Any], Awaitable[None]], unreadable: Callable[[Any], None]) -> None:
        self._admit, self._unreadable = admit, unreadable
        self._waiting: set[asyncio.Task[Any]] = set()  # those that wait for a request of an open stream
        self._ending, self._running = False, 0
        self.drained = asyncio.Event()

    def end(self) -> None:
        """End every stream with UNAVAILABLE: at once where nothing of it is being served, else after its answer."""
        self._ending = True
        for task in self._waiting:
            task.cancel()
        self._look_drained()

    def handler(self, method: Method, serve: Callable[[Any, Any], Any]) -> Any:
        """What gRPC calls for a method, which `serve` answers, given a message and gRPC's context.

        Of a method that streams it is given an iterator of messages and the context, to which it writes the answers.
        """

        async def answer(request: bytes, context: Any) -> Any:
            await self._admit(context)
            with self._counted():
                try:
                    return await serve(self._message(method, request, context), context)
                except EndedError as ended:
                    await abort(context, ended)

        async def answers(_: Any, context: Any) -> None:
            await self._admit(context)
            with self._counted():
                try:
                    async with aclosing(self._messages(method, context)) as messages:
                        await serve(messages, context)
                except EndedError as ended:
                    await abort(context, ended)

        if method.streams:
            return grpc.stream_stream_rpc_method_handler(answers, None, _SERIALIZED)
        return grpc.unary_unary_rpc_method_handler(answer, None, _SERIALIZED)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._look_drained()

    def _look_drained(self) -> None:
        if self._ending and self._running == 0:
            self.drained.set()

    async def _messages(self, method: Method, context: Any) -> AsyncGenerator[Any, None]:
        """The messages of a stream, and an EndedError where it cannot go on."""
        while (request := await self._next(context)) is not grpc.aio.EOF:
            yield self._message(method, request, context)

    async def _next(self, context: Any) -> Any:
        """The next request of a stream, EOF after its last one; an EndedError once the service ends."""
        return await self.wait(context.read)

    async def wait(self, begin: Callable[[], Awaitable[T]]) -> T:
        """Begin to wait for something, in a call that is served; an EndedError once the service ends."""
        task = asyncio.current_task()
        assert task is not None
        if self._ending:
            raise EndedError(*_SERVICE_ENDS)
        self._waiting.add(task)
        try:
            return await begin()
        except asyncio.CancelledError:
            if self._ending and task.uncancel() == 0:  # it was `end`, and nobody else
                raise EndedError(*_SERVICE_ENDS) from None
            raise
        finally:
            self._waiting.discard(task)

    def _message(self, method: Method, request: bytes, context: Any) -> Any:
        try:
            return method.request.FromString(request)
        except DecodeError:
            self._unreadable(context)
            name = method.request.DESCRIPTOR.name
            raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, f"these bytes are no {name}") from None


async def abort(context: Any, ended: EndedError) -> None:
    """End a call as it is told; who asks for too much waits for it."""
    if ended.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        await asyncio.sleep(_SLOWED_S)
    await context.abort(ended.code, str(ended))


Q = TypeVar("Q")
A = TypeVar("A")

MAX_IN_FLIGHT = 64
"""Requests of a stream that may wait for their answers; beyond it no more is read, and its client has to wait."""


async def serve_in_order(
    requests: AsyncIterator[Q], begin: Callable[[Q], asyncio.Future[A]], write: Callable[[A], Awaitable[None]]
) -> None:
    """A pipelined stream: bounded in-flight requests, responses in order.

    Args:
        requests: what is asked, as it comes.
        begin: called with each request as soon as it is there, though earlier ones have no answer yet; gives the answer
            to come.
        write: sends an answer.

    Raises:
        EndedError: `requests` or `begin` raised it; all that came before is answered.
    """
    waiting: asyncio.Queue[asyncio.Future[A] | None] = asyncio.Queue(MAX_IN_FLIGHT)
    in_flight, ending = 0, None

    async def respond() -> None:
        nonlocal in_flight
        while (answer := await waiting.get()) is not None:
            await write(await answer)
            in_flight -= 1

    async with asyncio.TaskGroup() as both:
        both.create_task(respond())
        try:
            async for request in requests:
                answer = begin(request)
                if in_flight == 0 and answer.done():  # it goes out at once: to hand it over takes longer
                    await write(answer.result())
                    continue
                in_flight += 1
                await waiting.put(answer)
        except EndedError as ended:
            ending = ended
        await waiting.put(None)
    if ending is not None:
        raise ending


def completed(answer: A) -> asyncio.Future[A]:
    """An answer that need not be waited for."""
    future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
    future.set_result(answer)
    return future


def resolve(answer: asyncio.Future[A], make: Callable[[], A]) -> None:
    """Make an answer that is waited for; a mistake in making it is what whoever waits gets, rather than nothing."""
    try:
        made = make()
    except Exception as mistake:
        if not answer.done():
            answer.set_exception(mistake)
    else:
        if not answer.done():  # its stream may be gone
            answer.set_result(made)
