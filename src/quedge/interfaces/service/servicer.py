"""The service's methods: each report gets an answer, whatever is wrong with it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

import grpc

from quedge.controller.engine import Engine, Served
from quedge.controller.journal import StateError
from quedge.controller.refused import Refused
from quedge.controller.report import Report
from quedge.interfaces.service import methods, translate
from quedge.interfaces.service import quedge_pb2 as pb
from quedge.interfaces.service.cells import BadNameError, Cells
from quedge.interfaces.service.devices import DeviceStreams
from quedge.interfaces.service.tls.peer import refuse_unless_hybrid

T = TypeVar("T")


class Observer(Protocol):
    """Who is told of what the service does; called from its event loop, and must not block."""

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """A report was served; the time from its arrival to its answer (s)."""

    def refused(self, base_station: str, outcome: int) -> None:
        """A report was refused, with an outcome of the contract."""


class Silent:
    """An observer that does nothing."""

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""

    def refused(self, base_station: str, outcome: int) -> None:
        """See `Observer.refused`."""


class Servicer:
    """Answers for all base stations.

    Args:
        cells: the engines.
        policy: the policy's name.
        deadline_s: time after which a frame of self-reporting devices closes (s).
        observer: who is told.
        hybrid_only: whether connections without a hybrid key exchange are refused.
    """

    def __init__(
        self,
        cells: Cells,
        policy: str,
        deadline_s: float,
        observer: Observer | None = None,
        hybrid_only: bool = False,
    ) -> None:
        self._cells, self._policy, self._deadline_s, self._hybrid_only = cells, policy, deadline_s, hybrid_only
        self._observer: Observer = Silent() if observer is None else observer
        self._taken: set[str] = set()
        self._device_streams: dict[str, DeviceStreams] = {}
        self._in_work = 0

    @property
    def at_rest(self) -> bool:
        """Whether no report is being served."""
        return self._in_work == 0

    def handlers(self) -> Any:
        """What a gRPC server calls for each method."""
        calls = {
            methods.SERVE_FRAMES: self.serve_frames,
            methods.SERVE_DEVICE: self.serve_device,
            methods.DECIDE: self.decide,
            methods.STATE: self.state,
            methods.CHECKPOINT: self.checkpoint,
        }
        handlers = {}
        for method, call in calls.items():
            kind = grpc.stream_stream_rpc_method_handler if method.streams else grpc.unary_unary_rpc_method_handler
            handlers[method.name] = kind(call, method.request.FromString, method.reply.SerializeToString)
        return grpc.method_handlers_generic_handler(methods.SERVICE, handlers)

    async def serve_frames(
        self, requests: AsyncIterator[pb.FrameReport], context: Any
    ) -> AsyncIterator[pb.FrameAnswer]:
        """A stream of a base station's reports; see the contract."""
        await self._admit(context)
        name = ""
        try:
            async for request in requests:
                if request.base_station != name:
                    if request.base_station in self._taken:
                        yield self._refused(request, pb.NAME_TAKEN, "base_station", "another stream serves it")
                        continue
                    self._taken.discard(name)
                    name = request.base_station
                    self._taken.add(name)
                yield await self._answer(request)
        finally:
            self._taken.discard(name)

    async def decide(self, request: pb.FrameReport, context: Any) -> pb.FrameAnswer:
        """One report; see the contract."""
        await self._admit(context)
        if request.base_station in self._taken:
            return self._refused(request, pb.NAME_TAKEN, "base_station", "a stream serves it")
        return await self._answer(request)

    async def serve_device(
        self, requests: AsyncIterator[pb.DeviceReport], context: Any
    ) -> AsyncIterator[pb.DeviceAnswer]:
        """A stream of a device's reports; see the contract."""
        await self._admit(context)
        first = await anext(aiter(requests), None)
        if first is None:
            return
        name = first.base_station
        try:
            engine = self._engine(name)
        except (BadNameError, StateError, OSError) as error:
            self._observer.refused(name, int(_blame(error)))
            yield pb.DeviceAnswer(outcome=_blame(error), field="base_station", message=str(error))
            return
        if name in self._taken and name not in self._device_streams:
            self._observer.refused(name, pb.NAME_TAKEN)
            yield pb.DeviceAnswer(outcome=pb.NAME_TAKEN, field="base_station", message="a stream of its own serves it")
            return
        streams = self._device_streams.get(name)
        if streams is None:
            self._taken.add(name)
            streams = DeviceStreams(
                self._cells.devices,
                self._deadline_s,
                lambda report: self._served(name, engine, report),
                lambda outcome: self._observer.refused(name, outcome),
            )
            self._device_streams[name] = streams
        try:
            async with aclosing(streams.stream(first, requests)) as answers:  # its device leaves before this goes on
                async for answer in answers:
                    yield answer
        finally:
            if not streams.occupied and self._device_streams.get(name) is streams:
                del self._device_streams[name]
                self._taken.discard(name)

    async def state(self, request: pb.StateRequest, context: Any) -> pb.StateReply:
        """Where a cell stands; see the contract."""
        await self._admit(context)
        try:
            books = self._cells.known(request.base_station).books
        except BadNameError as error:
            return pb.StateReply(outcome=pb.BAD_NAME, message=str(error))
        return pb.StateReply(
            outcome=pb.SERVED,
            next_frame=books.next_frame,
            data_queue_mbit=books.data_queue_mbit.tolist(),
            energy_queue=books.energy_queue.tolist(),
            policy=self._policy,
            durability=self._cells.durability,
        )

    async def checkpoint(self, request: pb.CheckpointRequest, context: Any) -> pb.CheckpointReply:
        """Keep where a cell stands; see the contract."""
        await self._admit(context)
        try:
            engine = self._cells.known(request.base_station)
        except BadNameError as error:
            return pb.CheckpointReply(outcome=pb.BAD_NAME, message=str(error))
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[int | None] = loop.create_future()
        engine.checkpoint(_settling(loop, kept))
        frame = await kept
        if frame is None:
            return pb.CheckpointReply(outcome=pb.NOT_DURABLE, message="it could not be written")
        return pb.CheckpointReply(outcome=pb.SERVED, next_frame=frame)

    async def _admit(self, context: Any) -> None:
        """End a call over a connection whose key exchange is not as hybrid as is asked for."""
        if self._hybrid_only:
            await refuse_unless_hybrid(context)

    def _engine(self, name: str) -> Engine:
        return self._cells.engine(name)

    async def _answer(self, request: pb.FrameReport) -> pb.FrameAnswer:
        try:
            engine = self._engine(request.base_station)
        except (BadNameError, StateError, OSError) as error:
            return self._refused(request, _blame(error), "base_station", str(error))
        try:
            report = translate.report_of(request, self._cells.devices)
            return translate.answer_of(await self._served(request.base_station, engine, report))
        except Refused as refused:
            self._observer.refused(request.base_station, translate.OUTCOMES[refused.reason])
            return translate.refusal_of(refused, request.frame, engine.books.next_frame)

    async def _served(self, name: str, engine: Engine, report: Report) -> Served:
        """Have a report served.

        Raises:
            Refused: it was not.
        """
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Served | Refused] = loop.create_future()
        self._in_work += 1
        try:
            engine.submit(report, _settling(loop, told))
            outcome = await told
        finally:
            self._in_work -= 1
        if isinstance(outcome, Refused):
            raise outcome
        self._observer.served(name, outcome, time.perf_counter() - began)
        return outcome

    def _refused(self, request: pb.FrameReport, outcome: Any, field: str, message: str) -> pb.FrameAnswer:
        self._observer.refused(request.base_station, int(outcome))
        return pb.FrameAnswer(frame=request.frame, outcome=outcome, field=field, message=message)


def _blame(error: Exception) -> Any:
    """What becomes of a report whose base station has no engine: the name is bad, or its journal cannot be made."""
    return pb.BAD_NAME if isinstance(error, BadNameError) else pb.NOT_DURABLE


def _settling(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T]) -> Callable[[T], None]:
    """What settles a future of the event loop from another thread; where its stream has ended, nobody waits for it."""
    home = threading.get_ident()

    def settle(result: T) -> None:
        if not future.done():
            future.set_result(result)

    def told(result: T) -> None:
        if threading.get_ident() == home:
            settle(result)
        else:
            loop.call_soon_threadsafe(settle, result)

    return told
