"""Which calls this process serves, which cells it takes from others for them, and which calls it passes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import grpc

from quedge.controller.state import StateError
from quedge.controller.state_folder import NAME
from quedge.service import methods
from quedge.service.calls import EndedError, abort
from quedge.service.cells import BadNameError, CellRegistry
from quedge.service.monitoring.observers import Observer
from quedge.service.processes.own_process import OwnProcess
from quedge.service.processes.passing import MOVED, SERVICE_ENDS, PassedOn, caller_of, ended_by, is_passed_on
from quedge.service.processes.streams import RoutedStream, name_in
from quedge.service.tls.access import AccessPolicy, peer_of

_METHODS = {
    method.path: method
    for method in (
        methods.SERVE_FRAMES, methods.SERVE_DEVICE, methods.SERVE_GATEWAY, methods.DECIDE, methods.STATE,
        methods.CHECKPOINT,
    )
}  # fmt: skip
_MOST_STREAMS = 1 << 20  # all that a process passes on goes over one connection
_OPTIONS = (
    ("grpc.max_receive_message_length", methods.MAX_ANSWER_BYTES),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),  # a process that begins again is found soon
)


class Routing:
    """Where the cells are that calls are about; it lives in the event loop.

    A cell that is here stays while any call about it is served.

    Args:
        own: this process, which begins with its share of the cells.
        access: for which base stations a client may speak; where it may not, nothing is moved.
    """

    def __init__(self, own: OwnProcess, access: AccessPolicy) -> None:
        self._own, self._access = own, access
        self._here, self._serving = set(own.share()), Counter[str]()
        self._leaving: dict[str, asyncio.Future[None]] = {}
        self._channels: dict[int, grpc.aio.Channel] = {}
        self._cells: CellRegistry | None = None
        self._observer = Observer()

    def begin(self, cells: CellRegistry, observer: Observer, handlers: Sequence[Any]) -> list[Any]:
        """These are the cells from now on; the observer is told of those that leave.

        Returns:
            What a server is to call where the first of these handlers is that of the service.
        """
        self._cells, self._observer = cells, observer
        loop = asyncio.get_running_loop()
        self._own.release = lambda name: asyncio.run_coroutine_threadsafe(self._release(name), loop)
        return [RoutedHandlers(handlers[0], self), *handlers[1:]]

    def is_here(self, name: str) -> bool:
        """Whether a cell is this process' own; the others' journals must not be opened."""
        return name in self._here

    def may_ask(self, context: Any, name: str) -> bool:
        """Whether a client may speak for a base station that may be one; else it is refused where it has called."""
        return NAME.fullmatch(name) is not None and self._access.may_speak_for(peer_of(context), name)

    async def take(self, name: str, moves: bool = True) -> int | None:
        """Have a cell here for a call that reports, or asks, and count it; or tell which process has it.

        An EndedError where nobody can tell.

        Args:
            name: the base station's.
            moves: whether the call reports, so that the cell begins, or comes here.

        Returns:
            The other process; None where it is here, or where there is none; `leave` is to be called then.
        """
        if name not in self._here:
            if name in self._leaving:
                await asyncio.wait([self._leaving[name]])
            try:
                owner = await self._own.acquire(name, moves, moves)
            except ConnectionError:
                raise EndedError(*SERVICE_ENDS) from None
            if owner is not None and owner != self._own.number:
                return owner
            if owner is not None:
                self._begin(name)
        self._serving[name] += 1
        return None

    def take_passed_on(self, name: str) -> None:
        """Count a call that another process has passed on; an EndedError where the cell is not here any more."""
        if name not in self._here:
            raise EndedError(*MOVED)
        self._serving[name] += 1

    def leave(self, name: str) -> None:
        """Such a call has ended."""
        self._serving[name] -= 1
        if not self._serving[name]:
            del self._serving[name]

    def channel(self, process: int) -> grpc.aio.Channel:
        """What leads to another process."""
        if process not in self._channels:
            self._channels[process] = grpc.aio.insecure_channel(self._own.socket(process), _OPTIONS)
        return self._channels[process]

    @asynccontextmanager
    async def taking(self, handlers: Sequence[Any], devices: int, grace_s: float) -> AsyncIterator[None]:
        """Take calls that others pass on, by the handlers of a server; at the end what is served is answered."""
        options = [
            ("grpc.max_receive_message_length", methods.max_report_bytes(devices)),
            ("grpc.max_concurrent_streams", _MOST_STREAMS),
        ]
        server = grpc.aio.server(options=options)
        server.add_generic_rpc_handlers(tuple(handlers))
        server.add_insecure_port(self._own.socket())
        await server.start()
        try:
            yield
        finally:
            await server.stop(grace_s)
            self._own.leave_folder()

    async def close(self) -> None:
        """Cells that leave have left, no more do, and no more calls are passed on."""
        self._own.release = None
        if self._leaving:
            await asyncio.wait(list(self._leaving.values()))
        for channel in self._channels.values():
            await channel.close()

    def _begin(self, name: str) -> None:
        """Have a cell stand here where its journal stands."""
        self._here.add(name)
        if self._cells is not None:
            with suppress(BadNameError, StateError, OSError):  # it is told to whoever reports, and tried again
                self._cells.engine(name)

    async def _release(self, name: str) -> bool:
        """Give a cell up, with all of it kept; False while something of it is being served."""
        if self._serving[name]:
            return False
        if name in self._leaving:
            await asyncio.wait([self._leaving[name]])
        if name not in self._here or self._cells is None:
            return True
        loop = asyncio.get_running_loop()
        self._here.discard(name)
        engine = self._cells.released(name)
        if engine is not None:
            self._observer.left(name)
            closing = self._leaving[name] = loop.run_in_executor(None, engine.close)
            await asyncio.wait([closing])
            del self._leaving[name]
        return True


class RoutedHandlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """What a gRPC server calls for each method of the service: what it serves here, and what it passes on.

    Args:
        inner: what serves here.
        routing: where the cells are.
    """

    def __init__(self, inner: Any, routing: Routing) -> None:
        self._inner, self._routing = inner, routing
        self._handlers: dict[str, Any] = {}

    def service(self, details: Any) -> Any:
        """See `grpc.GenericRpcHandler.service`."""
        path = details.method
        if path in self._handlers:
            return self._handlers[path]
        handler, method = self._inner.service(details), _METHODS.get(path)
        if handler is None or method is None:
            return handler
        made = self._streaming(method, handler) if method.streams else self._single(method, handler)
        self._handlers[path] = made
        return made

    def _streaming(self, method: methods.Method, handler: Any) -> Any:
        async def serve(requests: Any, context: Any) -> None:
            stream = RoutedStream(self._routing, method, context)
            try:
                await handler.stream_stream(requests, stream)
            finally:
                stream.end()

        return grpc.stream_stream_rpc_method_handler(serve, None, _serialised(handler))

    def _single(self, method: methods.Method, handler: Any) -> Any:
        routing, moves = self._routing, method is methods.DECIDE

        async def serve(request: bytes, context: Any) -> Any:
            name = name_in(method, request)
            passed_on = is_passed_on(context)
            context = PassedOn(context) if passed_on else context
            if name is None or not routing.may_ask(context, name):
                return await handler.unary_unary(request, context)
            process = None
            try:
                if passed_on:
                    routing.take_passed_on(name)
                else:
                    process = await routing.take(name, moves)
            except EndedError as ended:
                return await abort(context, ended)
            if process is None:
                try:
                    return await handler.unary_unary(request, context)
                finally:
                    routing.leave(name)
            call = routing.channel(process).unary_unary(method.path)
            try:
                return await call(request, metadata=caller_of(context))
            except grpc.RpcError as error:
                return await abort(context, ended_by(error.code(), error.details()))

        return grpc.unary_unary_rpc_method_handler(serve, None, _serialised(handler))


def _serialised(handler: Any) -> Callable[[Any], bytes]:
    """What makes bytes of an answer: of one that was passed on it has them."""
    return partial(_bytes_of, handler.response_serializer)


def _bytes_of(serialise: Callable[[Any], bytes], answer: Any) -> bytes:
    return answer if isinstance(answer, bytes) else serialise(answer)
