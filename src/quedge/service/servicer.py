"""The service's methods: each report gets an answer, whatever is wrong with it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, TypeVar

import grpc

from quedge.controller.engine import Engine, Served
from quedge.controller.report import Report, ReportRejected
from quedge.controller.state import StateError
from quedge.service import methods, translate
from quedge.service import quedge_pb2 as pb
from quedge.service.callers import Caller
from quedge.service.calls import Calls, EndedError, abort, completed, resolve, serve_in_order
from quedge.service.cells import BadNameError, CellRegistry
from quedge.service.devices import DeviceStreams
from quedge.service.health import NAME as HEALTH
from quedge.service.health import Health
from quedge.service.limits import NO_LIMITS, Limit, RateLimits, Rates
from quedge.service.member_reports import DeviceReports, GatewayReports, MemberReports
from quedge.service.monitoring.observers import Observer
from quedge.service.reflection import reflection_handlers
from quedge.service.replication import Replication
from quedge.service.tls.access import ANY_CLIENT, UNKNOWN, AccessPolicy, Peer, address_of

T = TypeVar("T")

STANDBY = "standby"
"""The name that a standby's certificate carries."""

_UNUSABLE = "the cell's state cannot be used now"


class NotServedError(Exception):
    """A base station that a call may not report for now, and the outcome of the contract that says so."""

    def __init__(self, outcome: Any, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


class Servicer:
    """Answers for all base stations, by the engines of their cells, and tells an observer.

    A frame of self-reporting devices closes after `deadline_s`; `access` is what is asked of clients; `rates` how
    much each client and base station may ask for; `on_call` is told the address of each call that is answered;
    `replication` serves a standby, if one may follow.

    Attributes:
        has_ended: whether no more reports are taken.
    """

    def __init__(
        self,
        cells: CellRegistry,
        policy: str,
        deadline_s: float,
        observer: Observer | None = None,
        access: AccessPolicy = ANY_CLIENT,
        rates: Rates = NO_LIMITS,
        on_call: Callable[[str], None] = lambda address: None,
        replication: Replication | None = None,
    ) -> None:
        self._replication = replication
        self._cells, self._policy, self._deadline_s, self._access = cells, policy, deadline_s, access
        self._observer, self._on_call = Observer() if observer is None else observer, on_call
        self._limits = RateLimits(rates)
        self._calls = Calls(self._admit, self.unreadable)
        self._health = Health(self._calls)
        self.has_ended = False
        self._taken: set[str] = set()  # base stations that a stream serves, or streams of their devices
        self._device_streams: dict[str, DeviceStreams] = {}

    @property
    def devices(self) -> int:
        """Number of devices of each cell when the service began; more may be added."""
        return self._cells.devices

    def handlers(self) -> list[Any]:
        """What a gRPC server calls for each method of the service, and of those that tell of it."""
        served: dict[methods.Method, Callable[[Any, Any], Any]] = {
            methods.SERVE_FRAMES: self.serve_frames,
            methods.SERVE_DEVICE: partial(self._serve_member, methods.SERVE_DEVICE, DeviceReports()),
            methods.SERVE_GATEWAY: partial(self._serve_member, methods.SERVE_GATEWAY, GatewayReports()),
            methods.DECIDE: self.decide,
            methods.STATE: self.state,
            methods.CHECKPOINT: self.checkpoint,
        }
        handlers = {method.name: self._calls.handler(method, serve) for method, serve in served.items()}
        if self._replication is not None:
            follow = methods.FOLLOW
            handlers[follow.name] = grpc.stream_stream_rpc_method_handler(
                self._follow, follow.request.FromString, follow.reply.SerializeToString
            )
        own = grpc.method_handlers_generic_handler(methods.SERVICE, handlers)
        return [own, self._health.handlers(), *reflection_handlers(self._calls, [methods.SERVICE, HEALTH])]

    def set_serving(self, is_serving: bool) -> None:
        """Say whether reports are taken and kept, to whoever asks by gRPC's protocol for health."""
        self._health.set(is_serving)

    def end(self) -> None:
        """End all streams, each after the answers to its reports that are being served."""
        self.has_ended = True
        self._health.end()
        self._calls.end()
        if self._replication is not None:
            self._releasing = asyncio.create_task(self._release(self._replication))

    async def serve_frames(self, requests: AsyncGenerator[pb.FrameReport, None], context: Any) -> None:
        """A stream of a base station's reports; see the contract."""
        caller, owned_name = self.stream_caller(context), ""

        def own(name: str) -> None:
            nonlocal owned_name
            if owned_name:
                self._taken.discard(owned_name)
                self._observer.stream_ended(owned_name, methods.SERVE_FRAMES.name, caller.address)
            if name:
                self._taken.add(name)
                self._observer.stream_began(name, methods.SERVE_FRAMES.name, caller.address)
            owned_name = name

        def begin(request: pb.FrameReport) -> asyncio.Future[pb.FrameAnswer]:
            caller.check()
            name = request.base_station
            try:
                engine = self._engine(caller, name, is_owner=name == owned_name)
            except NotServedError as error:
                return completed(self._not_served(request, error, caller))
            if name != owned_name:
                own(name)
            return self._answer(request, engine, caller)

        try:
            await serve_in_order(requests, begin, context.write)
        finally:
            own("")

    async def decide(self, request: pb.FrameReport, context: Any) -> pb.FrameAnswer:
        """One report; see the contract."""
        caller = self._caller(context)
        try:
            engine = self._engine(caller, request.base_station)
        except NotServedError as error:
            answer = self._not_served(request, error, caller)
        else:
            answer = await self._answer(request, engine, caller)
        caller.check()
        return answer

    async def _serve_member(
        self, method: methods.Method, kind: MemberReports, requests: AsyncGenerator[Any, None], context: Any
    ) -> None:
        """A stream of a device's or gateway's reports; see the contract."""
        caller = self.stream_caller(context)
        first = await anext(requests, None)
        if first is None:
            return
        name = first.base_station
        try:
            streams = self.streams_of(name, method.name, caller)
        except NotServedError as error:
            caller.check()
            await context.write(method.reply(outcome=error.outcome, field="base_station", message=str(error)))
            return
        try:
            await streams.serve(kind, first, requests, context.write, caller)
        finally:
            self.stream_left(name, streams, method.name, caller)

    def streams_of(self, name: str, method: str, caller: Caller) -> DeviceStreams:
        """The streams of a base station's devices, to which one is to be added that this method serves.

        `stream_left` must follow. Observers are told.

        Raises:
            NotServedError: the caller may not report for it now, which is counted as a refusal.
            EndedError: nobody may.
        """
        try:
            engine = self._engine(caller, name, is_owner=name in self._device_streams)
        except NotServedError as error:
            self._refused(name, error.outcome, caller)
            raise
        streams = self._device_streams.get(name)
        if streams is None:
            streams = self._device_streams[name] = self._new_streams(name, engine)
            self._taken.add(name)
        self._observer.stream_began(name, method, caller.address)
        return streams

    def stream_left(self, name: str, streams: DeviceStreams, method: str, caller: Caller) -> None:
        """A stream that was to be added, or was, is gone: the last one leaves the base station's name free."""
        self._observer.stream_ended(name, method, caller.address)
        if not streams.occupied and self._device_streams.get(name) is streams:
            del self._device_streams[name]
            self._taken.discard(name)

    async def state(self, request: pb.StateRequest, context: Any) -> pb.StateReply:
        """Where a cell stands; see the contract."""
        caller = self._caller(context)
        try:
            engine = self._known(caller, request.base_station)
        except BadNameError as error:
            return pb.StateReply(outcome=pb.BAD_NAME, message=str(error))
        caller.check_rate(Limit.REPORTS, request.base_station)
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
        caller = self._caller(context)
        try:
            engine = self._known(caller, request.base_station)
        except BadNameError as error:
            return pb.CheckpointReply(outcome=pb.BAD_NAME, message=str(error))
        caller.check_rate(Limit.CHECKPOINTS, request.base_station)
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[int | None] = loop.create_future()
        engine.checkpoint(call_in_loop(loop, lambda frame: resolve(kept, lambda: frame)))
        frame = await kept
        if frame is None:
            return pb.CheckpointReply(outcome=pb.NOT_DURABLE, message="it could not be written")
        return pb.CheckpointReply(outcome=pb.SERVED, next_frame=frame, incarnation=engine.incarnation)

    async def _follow(self, _: Any, context: Any) -> None:
        """A standby's stream, which outlasts those that report; see the contract."""
        await self._admit(context)
        assert self._replication is not None
        if self._access is not ANY_CLIENT and STANDBY not in self._caller(context).peer.names:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, f"its certificate must carry the name {STANDBY}")
        try:
            await self._replication.follow(context)
        except EndedError as ended:
            await abort(context, ended)

    async def _release(self, replication: Replication) -> None:
        """Let a standby go once all other calls have ended."""
        await self._calls.drained.wait()
        replication.release()

    def _check_waiting(self) -> None:
        """End a call here where no reports are served before a standby follows."""
        if self._replication is not None and self._replication.waits:
            raise EndedError(grpc.StatusCode.UNAVAILABLE, self._replication.waits)

    async def _admit(self, context: Any) -> None:
        """A call begins, and ends here where it is not to be answered."""
        self._on_call(address_of(context))
        await self._access.check(context)

    def _caller(self, context: Any) -> Caller:
        return Caller(context, self._limits, self._observer.limited)

    def stream_caller(self, context: Any) -> Caller:
        """Who begins a stream, which ends here where the client is at its limit of refused reports.

        The observer is told what was negotiated where gRPC tells it.
        """
        caller = self._caller(context)
        caller.check_begin()
        peer = caller.peer
        if peer.version and peer.group != UNKNOWN:
            self._observer.connected(peer.version, peer.group, caller.address)
        return caller

    def unreadable(self, context: Any) -> None:
        """Bytes of a call were no message; an EndedError where its caller has sent too many of them."""
        caller = self._caller(context)
        self._refused("", pb.BAD_VALUE, caller)
        caller.check()

    def _refused(self, name: str, outcome: int, caller: Caller) -> None:
        """Tell of a refusal, and count it."""
        self._observer.refused(name, outcome, caller.address)
        caller.count_refusal(outcome)

    def _check_peer(self, peer: Peer, name: str) -> None:
        if not self._access.may_speak_for(peer, name):
            raise BadNameError(f"{name[:80]!r} is not allowed; it must be a name that the client's certificate carries")

    def _engine(self, caller: Caller, name: str, is_owner: bool = False) -> Engine:
        """The engine of a base station, for a report; a NotServedError where the caller may not report for it now.

        `is_owner` tells whether it is this call's own stream that serves the base station, if one does.
        """
        self._check_waiting()
        try:
            self._check_peer(caller.peer, name)
            if name in self._taken and not is_owner:
                raise NotServedError(pb.NAME_TAKEN, "another stream serves it")
            return self._cells.engine(name)
        except BadNameError as error:
            raise NotServedError(pb.BAD_NAME, str(error)) from None
        except (StateError, OSError):  # why is for the health and the log: it names the service's own files
            raise NotServedError(pb.NOT_DURABLE, _UNUSABLE) from None

    def _known(self, caller: Caller, name: str) -> Engine:
        """The engine of a base station that has reported before, for a question about it.

        Raises:
            BadNameError: it has not, or the caller may not ask.
            EndedError: its state cannot be read now, or the caller has asked for too much that is not there.
        """
        self._check_waiting()
        try:
            self._check_peer(caller.peer, name)
            return self._cells.known(name)
        except BadNameError:
            caller.count_refusal(pb.BAD_NAME)
            caller.check()
            raise
        except OSError:
            raise EndedError(grpc.StatusCode.UNAVAILABLE, _UNUSABLE) from None

    def _new_streams(self, name: str, engine: Engine) -> DeviceStreams:
        """Streams of a base station's devices, of which none is there yet."""
        return DeviceStreams(
            lambda: engine.devices,
            self._deadline_s,
            engine.incarnation,
            lambda report: self._submitted(name, engine, report, lambda outcome: outcome),
            lambda reason, caller: self._refused(name, translate.OUTCOMES[reason], caller),
        )

    def _answer(self, request: pb.FrameReport, engine: Engine, caller: Caller) -> asyncio.Future[pb.FrameAnswer]:
        """Have a report served, or refuse it; the answer to come."""

        def answer_of(outcome: Served | ReportRejected) -> pb.FrameAnswer:
            if isinstance(outcome, Served):
                return translate.answer_of(outcome)
            self._refused(request.base_station, translate.OUTCOMES[outcome.reason], caller)
            return translate.refusal_of(outcome, request.frame, engine)

        try:
            caller.check_report(request.base_station)
            report = translate.report_of(request, engine.devices)
        except ReportRejected as refused:
            return completed(answer_of(refused))
        return self._submitted(request.base_station, engine, report, answer_of)

    def _not_served(self, request: pb.FrameReport, error: NotServedError, caller: Caller) -> pb.FrameAnswer:
        self._refused(request.base_station, error.outcome, caller)
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
