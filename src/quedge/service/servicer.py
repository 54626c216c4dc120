"""The service's methods: each report gets an answer, whatever is wrong with it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

import grpc

from quedge.controller.engine import Engine, Served
from quedge.controller.report import Report, ReportRejected
from quedge.controller.state import StateError
from quedge.service import methods, translate
from quedge.service import quedge_pb2 as pb
from quedge.service.calls import Calls, EndedError, completed, resolve, serve_in_order
from quedge.service.cells import BadNameError, CellRegistry
from quedge.service.devices import DeviceStreams
from quedge.service.monitoring.observers import Observer
from quedge.service.tls.access import ANY_CLIENT, UNKNOWN, AccessPolicy, Peer

T = TypeVar("T")

_UNUSABLE = "the cell's state cannot be used now"


class _NotServedError(Exception):
    """A base station that a call may not report for now, and the outcome of the contract that says so."""

    def __init__(self, outcome: Any, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


class Servicer:
    """Answers for all base stations, by the engines of their cells, and tells an observer.

    A frame of self-reporting devices closes after `deadline_s`; `access` is what is asked of clients.
    """

    def __init__(
        self,
        cells: CellRegistry,
        policy: str,
        deadline_s: float,
        observer: Observer | None = None,
        access: AccessPolicy = ANY_CLIENT,
    ) -> None:
        self._cells, self._policy, self._deadline_s, self._access = cells, policy, deadline_s, access
        self._observer = Observer() if observer is None else observer
        self._calls = Calls(lambda: self._observer.refused("", pb.BAD_VALUE))
        self._taken: set[str] = set()  # base stations that a stream serves, or streams of their devices
        self._device_streams: dict[str, DeviceStreams] = {}

    def handlers(self) -> Any:
        """What a gRPC server calls for each method."""
        served = {
            methods.SERVE_FRAMES: self.serve_frames,
            methods.SERVE_DEVICE: self.serve_device,
            methods.DECIDE: self.decide,
            methods.STATE: self.state,
            methods.CHECKPOINT: self.checkpoint,
        }
        handlers = {method.name: self._calls.handler(method, serve) for method, serve in served.items()}
        return grpc.method_handlers_generic_handler(methods.SERVICE, handlers)

    def end(self) -> None:
        """End all streams, each after the answers to its reports that are being served."""
        self._calls.end()

    async def serve_frames(self, requests: AsyncGenerator[pb.FrameReport, None], context: Any) -> None:
        """A stream of a base station's reports; see the contract."""
        peer, owned_name = await self._stream_peer(context), ""

        def begin(request: pb.FrameReport) -> asyncio.Future[pb.FrameAnswer]:
            nonlocal owned_name
            name = request.base_station
            try:
                engine = self._engine(peer, name, is_owner=name == owned_name)
            except _NotServedError as error:
                return completed(self._not_served(request, error))
            if name != owned_name:
                self._taken.discard(owned_name)
                self._taken.add(name)
                owned_name = name
            return self._answer(request, engine)

        try:
            await serve_in_order(requests, begin, context.write)
        finally:
            self._taken.discard(owned_name)

    async def decide(self, request: pb.FrameReport, context: Any) -> pb.FrameAnswer:
        """One report; see the contract."""
        peer = await self._access.peer(context)
        try:
            engine = self._engine(peer, request.base_station)
        except _NotServedError as error:
            return self._not_served(request, error)
        return await self._answer(request, engine)

    async def serve_device(self, requests: AsyncGenerator[pb.DeviceReport, None], context: Any) -> None:
        """A stream of a device's reports; see the contract."""
        peer = await self._stream_peer(context)
        first = await anext(requests, None)
        if first is None:
            return
        name = first.base_station
        try:
            engine = self._engine(peer, name, is_owner=name in self._device_streams)
        except _NotServedError as error:
            self._observer.refused(name, error.outcome)
            await context.write(pb.DeviceAnswer(outcome=error.outcome, field="base_station", message=str(error)))
            return
        streams = self._device_streams.get(name)
        if streams is None:
            streams = self._device_streams[name] = self._new_streams(name, engine)
            self._taken.add(name)
        try:
            await streams.serve(first, requests, context.write)
        finally:
            if not streams.occupied and self._device_streams.get(name) is streams:
                del self._device_streams[name]
                self._taken.discard(name)

    async def state(self, request: pb.StateRequest, context: Any) -> pb.StateReply:
        """Where a cell stands; see the contract."""
        peer = await self._access.peer(context)
        try:
            engine = self._known(peer, request.base_station)
        except BadNameError as error:
            return pb.StateReply(outcome=pb.BAD_NAME, message=str(error))
        queues = engine.queues
        return pb.StateReply(
            outcome=pb.SERVED,
            next_frame=queues.next_frame,
            data_queue_mbit=queues.data_queue_mbit.tolist(),
            energy_queue=queues.energy_queue.tolist(),
            policy=self._policy,
            durability=self._cells.durability,
            incarnation=engine.incarnation,
        )

    async def checkpoint(self, request: pb.CheckpointRequest, context: Any) -> pb.CheckpointReply:
        """Keep where a cell stands; see the contract."""
        peer = await self._access.peer(context)
        try:
            engine = self._known(peer, request.base_station)
        except BadNameError as error:
            return pb.CheckpointReply(outcome=pb.BAD_NAME, message=str(error))
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[int | None] = loop.create_future()
        engine.checkpoint(call_in_loop(loop, lambda frame: resolve(kept, lambda: frame)))
        frame = await kept
        if frame is None:
            return pb.CheckpointReply(outcome=pb.NOT_DURABLE, message="it could not be written")
        return pb.CheckpointReply(outcome=pb.SERVED, next_frame=frame, incarnation=engine.incarnation)

    async def _stream_peer(self, context: Any) -> Peer:
        """Who begins a stream; the observer is told what was negotiated where gRPC tells it."""
        peer = await self._access.peer(context)
        if peer.version and peer.group != UNKNOWN:
            self._observer.connected(peer.version, peer.group)
        return peer

    def _check_peer(self, peer: Peer, name: str) -> None:
        if not self._access.may_speak_for(peer, name):
            raise BadNameError(f"{name[:80]!r} is not allowed; it must be a name that the client's certificate carries")

    def _engine(self, peer: Peer, name: str, is_owner: bool = False) -> Engine:
        """The engine of a base station, for a report; a _NotServedError where the peer may not report for it now.

        `is_owner` tells whether it is this call's own stream that serves the base station, if one does.
        """
        try:
            self._check_peer(peer, name)
            if name in self._taken and not is_owner:
                raise _NotServedError(pb.NAME_TAKEN, "another stream serves it")
            return self._cells.engine(name)
        except BadNameError as error:
            raise _NotServedError(pb.BAD_NAME, str(error)) from None
        except (StateError, OSError):  # why is for the health and the log: it names the service's own files
            raise _NotServedError(pb.NOT_DURABLE, _UNUSABLE) from None

    def _known(self, peer: Peer, name: str) -> Engine:
        """The engine of a base station that has reported before, for a question about it.

        Raises:
            BadNameError: it has not, or the peer may not ask.
            EndedError: its state cannot be read now.
        """
        self._check_peer(peer, name)
        try:
            return self._cells.known(name)
        except OSError:
            raise EndedError(grpc.StatusCode.UNAVAILABLE, _UNUSABLE) from None

    def _new_streams(self, name: str, engine: Engine) -> DeviceStreams:
        """Streams of a base station's devices, of which none is there yet."""
        return DeviceStreams(
            lambda: engine.devices,
            self._deadline_s,
            engine.incarnation,
            lambda report: self._submitted(name, engine, report, lambda outcome: outcome),
            lambda reason: self._observer.refused(name, translate.OUTCOMES[reason]),
        )

    def _answer(self, request: pb.FrameReport, engine: Engine) -> asyncio.Future[pb.FrameAnswer]:
        """Have a report served, or refuse it; the answer to come."""

        def answer_of(outcome: Served | ReportRejected) -> pb.FrameAnswer:
            if isinstance(outcome, Served):
                return translate.answer_of(outcome)
            self._observer.refused(request.base_station, translate.OUTCOMES[outcome.reason])
            return translate.refusal_of(outcome, request.frame, engine)

        try:
            report = translate.report_of(request, engine.devices)
        except ReportRejected as refused:
            return completed(answer_of(refused))
        return self._submitted(request.base_station, engine, report, answer_of)

    def _not_served(self, request: pb.FrameReport, error: _NotServedError) -> pb.FrameAnswer:
        self._observer.refused(request.base_station, error.outcome)
        return pb.FrameAnswer(frame=request.frame, outcome=error.outcome, field="base_station", message=str(error))

    def _submitted(
        self, name: str, engine: Engine, report: Report, answer_of: Callable[[Served | ReportRejected], T]
    ) -> asyncio.Future[T]:
        """Have a report served; the answer to come. Whoever watches is told of a frame even if nobody waits for it."""
        began, loop = time.perf_counter(), asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def told(outcome: Served | ReportRejected) -> None:
            resolve(answer, lambda: answer_of(outcome))
            if isinstance(outcome, Served):  # a base station's answer goes out first
                loop.call_soon(self._observer.served, name, outcome, time.perf_counter() - began)

        engine.submit(report, call_in_loop(loop, told))
        return answer


def call_in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[T], None]) -> Callable[[T], None]:
    """A call that is made in the event loop's own thread: at once from there, soon from another one."""
    home = threading.get_ident()

    def made(result: T) -> None:
        if threading.get_ident() == home:
            call(result)
        else:
            loop.call_soon_threadsafe(call, result)

    return made
