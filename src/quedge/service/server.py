"""The service as a whole: from its settings to its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np

from quedge.controller.answer import ServedBy
from quedge.controller.controller import Controller
from quedge.controller.engine import Engine, Pace, Standing
from quedge.controller.journal import Durability
from quedge.controller.replica import NO_REPLICA
from quedge.controller.report import Report
from quedge.controller.state_folder import StateFolder
from quedge.policy.policy import Learner, Policy
from quedge.service.basis import Basis
from quedge.service.cells import CellRegistry
from quedge.service.coap.front import SILENT_S, CoapFront
from quedge.service.coap.front import listening as listening_for_coap
from quedge.service.limits import Rates
from quedge.service.methods import max_report_bytes
from quedge.service.monitoring.endpoints import endpoints_of
from quedge.service.monitoring.library_lines import LibraryLines
from quedge.service.monitoring.logs import Logs
from quedge.service.monitoring.observers import Observer, Observers, Started
from quedge.service.monitoring.spans import Spans
from quedge.service.monitoring.statistics import Statistics
from quedge.service.monitoring.web import Guard, WebServer
from quedge.service.pairing import Pair, replication_of, stood_by
from quedge.service.processes.own_process import OwnProcess
from quedge.service.processes.routing import Routing
from quedge.service.reload import Reloading
from quedge.service.replication import Replication
from quedge.service.servicer import Servicer
from quedge.service.settings import Address, Rendering, Running, Tls, allowed_descriptors
from quedge.service.shadowing import Shadowing
from quedge.service.standard_error import taken_over
from quedge.service.tls.access import ANY_CLIENT
from quedge.service.tls.handshakes import Arrivals

_GRACE_S = 2.0  # for clients that do not read their last answers
_KEEPALIVE_MS = 5_000  # a base station that is gone without a word gives its name free after twice that
_HANDSHAKE_MS = 10_000  # a connection that says nothing is ended then
_IDLE_MS = 300_000  # one without a call
_LEAST_STREAMS = 128  # at the same time over a connection; more wait for their turn at the client
_OWN_DESCRIPTORS = 192  # for journals, web clients and libraries: connections beyond all others are turned away
_ADVISED_DESCRIPTORS = 1024
_WATCH_S = 0.5
_SILENT_FRAMES = 3  # a device that reports each frame over CoAP is there between two of them
_WARM_UP_FRAMES = 80  # a learning agent takes its first steps among them


async def serve(
    servicer: Servicer,
    listen: Address,
    credentials: Any,
    ready: Callable[[int], None],
    stopping: Callable[[], None] = lambda: None,
    shared: Sequence[Any] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then what is being served is answered, and streams end.

    Without credentials in plain text, which is for loopback addresses only. `ready` is called with the port once
    reports are taken, `stopping` once no new streams are. Where several processes listen on the address, `shared` has
    the handlers that are called instead of the servicer's own.

    Raises:
        OSError: the address cannot be listened on.
    """
    options = [
        ("grpc.max_receive_message_length", max_report_bytes(servicer.devices)),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
        ("grpc.max_connection_idle_ms", _IDLE_MS),
        ("grpc.max_concurrent_streams", max(_LEAST_STREAMS, 2 * servicer.devices)),  # one client may be all devices
        ("grpc.max_allowed_incoming_connections", max(1, allowed_descriptors() - _OWN_DESCRIPTORS)),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_MS),
        ("grpc.http2.ping_timeout_ms", _KEEPALIVE_MS),  # without it, it would be a minute
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.so_reuseport", int(shared is not None)),  # a second service is refused rather than given half of them
    ]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers(servicer.handlers() if shared is None else shared)
    address = f"{listen.host}:{listen.port}"
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError:
        port = 0
    if port == 0:
        raise OSError(None, "cannot be listened on", address)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError, RuntimeError):  # only the main thread gets signals
            loop.add_signal_handler(name, stop.set)
    await server.start()
    gc.collect()
    gc.freeze()  # what lives as long as the service need not be looked through again
    servicer.set_serving(True)
    ready(port)
    try:
        await stop.wait()
    finally:
        stopping()
        servicer.end()
        await server.stop(_GRACE_S)


def warm_up(fresh: Callable[[], Controller]) -> None:
    """Compile, or load from disk, all that frames need, on a controller that is then thrown away."""
    controller, rng = fresh(), np.random.default_rng(0)
    every = np.arange(controller.devices)
    for frame in range(_WARM_UP_FRAMES):
        gain, arrived = rng.exponential(1e-11, every.size) + 1e-15, rng.exponential(3.0, every.size)
        report = Report(frame, every, gain, arrived, np.full(every.size, np.nan))
        controller.serve(report, ServedBy.LATE if frame == 1 else ServedBy.POLICY)


class NamedPolicy(NamedTuple):
    """A policy, and its name."""

    name: str
    policy: Policy | Learner

    def fresh(self, basis: Basis) -> Callable[[], Controller]:
        """What makes controllers in which it decides in another policy's place."""
        return basis._replace(policy=self.policy, start=None).fresh


class Service(NamedTuple):
    """What a service is told to be.

    Attributes:
        basis: what the answers depend on besides the reports.
        reread: reads that once more, from the files that it came from.
        policy: the policy's name.
        shadow: a second policy that decides beside, and is never sent; None for none.
        max_base_stations: largest number of base stations.
        base_stations: those that may report; all names where it is None.
        listen: where reports are taken.
        deadline_s: time after which a frame of self-reporting devices closes (s).
        pace: how engines work.
        state: folder for what survives; None for nothing.
        migrates: whether cells are taken over that were served under another scenario.
        begins_anew: whether cells whose state cannot be used begin anew.
        durability: what an acknowledged frame survives.
        tls: how streams are secured; None for plain text.
        metrics: where the service is seen from; None for nowhere.
        guard: what has to be shown there.
        rendering: how log lines are written.
        rates: how much each client and base station may ask for.
        traced: whether each frame is a span.
        pair: what it has to do with a second service.
        coap: where devices report over CoAP; None for nowhere.
        process: this one, where it is one of several; they share address and state.
    """

    basis: Basis
    reread: Callable[[], Basis]
    policy: str
    shadow: NamedPolicy | None
    max_base_stations: int
    base_stations: frozenset[str] | None
    listen: Address
    deadline_s: float
    pace: Pace
    state: Path | None
    migrates: bool
    begins_anew: bool
    durability: Durability
    tls: Tls | None
    metrics: Address | None
    guard: Guard
    rendering: Rendering
    rates: Rates
    traced: bool
    pair: Pair = Pair()
    coap: Address | None = None
    process: OwnProcess | None = None


def run(
    service: Service,
    ready: Callable[[Running], None],
    prepare: Callable[[Callable[[], None]], None] = lambda tell: None,
) -> None:
    """Serve until SIGTERM or SIGINT, from where the state folder stands; `ready` is called once reports are taken.

    The service is seen from outside from the beginning. `prepare` is called before the state is opened: it compiles
    what frames need, and calls what it is given where that takes long.

    Raises:
        StateError: the state folder cannot be used.
        ValueError: an address that is not allowed; the message names the option.
        OSError: an address cannot be listened on, or the state folder not be written to.
    """
    process, basis = service.process, service.basis
    logs = Logs(service.rendering, process=None if process is None else process.number)
    arrivals, seen = Arrivals(), _Cells()
    is_seen = service.metrics is not None or process is not None
    statistics = Statistics(basis.scenario.per_device("power_budget_w")) if is_seen else None
    told = (statistics, logs, Spans() if service.traced else None)
    watching = [each for each in told if each is not None]
    observers, on_change = _beside(service.shadow, basis, watching, logs.observer_failed)
    with _web(service, statistics, seen) as seen_at, taken_over(LibraryLines(observers, arrivals).take):
        if service.pair.follows is not None:
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # by which a standby is promoted
        prepare(observers.compiling)
        folder, replication, state = None, None, service.state
        if state is not None:
            changed = stood_by(service.pair, state, basis, service.reread, service.durability, observers)
            if changed is None:
                observers.stopped()
                return
            if changed is not basis:
                observers.reloaded(changed.changes(basis), changed.scenario.per_device("power_budget_w"))
                on_change(changed)
                service, basis = service._replace(basis=changed), changed
            replication = seen.replication = replication_of(service.pair, state, observers)
            replica = NO_REPLICA if replication is None else replication
            lock = None if process is None else process.lock
            folder = StateFolder(state, basis.determined_by, service.durability, replica, lock)
        routing = (
            None if process is None else Routing(process, ANY_CLIENT if service.tls is None else service.tls.access)
        )
        cells = seen.registry = CellRegistry(
            basis.fresh, folder, service.pace, service.max_base_stations, service.begins_anew, service.base_stations,
            basis.former if service.migrates else None, None if routing is None else routing.is_here,
        )  # fmt: skip
        parts = _Parts(service, cells, observers, arrivals, on_change, replication, seen.health_error, routing)
        asyncio.run(_run(parts, lambda address, coap_at: ready(Running(address, seen_at, coap_at))))


class _Cells:
    """The cells as they are seen from outside, as soon as there are any."""

    def __init__(self) -> None:
        self.registry: CellRegistry | None = None
        self.replication: Replication | None = None

    def health_error(self) -> str | None:
        if self.replication is not None and self.replication.waits:
            return self.replication.waits
        return None if self.registry is None else self.registry.health_error()

    def standings(self) -> list[tuple[str, Standing]]:
        return [] if self.registry is None else self.registry.standings()


class _Parts(NamedTuple):
    """What a service is made of; `on_change` is told of another basis, `health_error` says what is wrong.

    `routing` tells which cells are here, where other processes have some, too.
    """

    service: Service
    cells: CellRegistry
    observers: Observers
    arrivals: Arrivals
    on_change: Callable[[Basis], None]
    replication: Replication | None
    health_error: Callable[[], str | None]
    routing: Routing | None


async def _run(parts: _Parts, ready: Callable[[str, str], None]) -> None:
    """From cells that stand to cells that are closed, whatever fails; observers are told last.

    `ready` is called with where reports are taken, over gRPC and over CoAP.
    """
    cells, observers = parts.cells, parts.observers
    try:
        if allowed_descriptors() < _ADVISED_DESCRIPTORS:
            observers.few_descriptors(allowed_descriptors(), _ADVISED_DESCRIPTORS)
        for name in cells.names():
            _tell_of(observers, cells, name, cells.known(name))
        cells.on_start = partial(_tell_of, observers, cells)
        await _serve_cells(parts, ready)
    finally:
        if parts.routing is not None:
            await parts.routing.close()
        await asyncio.get_running_loop().run_in_executor(None, cells.close)  # a second signal does not cut it short
        observers.stopped()


async def _serve_cells(parts: _Parts, ready: Callable[[str, str], None]) -> None:
    service, cells, observers, arrivals, on_change, replication, _, routing = parts
    credentials, access, on_call = None, ANY_CLIENT, _nobody_is_told
    if service.tls is not None:
        access, on_call = service.tls.access, arrivals.answered
        credentials = service.tls.certificates.credentials(
            observers.certificate_used, observers.renewal_refused, arrivals.arrived
        )

    def listening(port: int) -> None:
        arrivals.port = port
        address, mode = f"{service.listen.host}:{port}", "none" if service.tls is None else "mutual"
        shadow = "" if service.shadow is None else service.shadow.name
        observers.started(Started(address, service.policy, cells.durability, mode, shadow, coap_at))
        ready(address, coap_at)

    def stopping() -> None:
        if replication is not None:  # before the port is closed
            replication.end()
        observers.stopping()

    servicer = Servicer(
        cells, service.policy, service.deadline_s, observers, access, service.rates, on_call, replication
    )
    watch = asyncio.create_task(_watch(parts, servicer))
    reloading = Reloading(service.basis, service.reread, warm_up, cells, observers, on_change)
    with contextlib.suppress(ValueError, RuntimeError):  # only the main thread gets signals
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloading.request)
    shared: Sequence[Any] | None = None
    try:
        async with contextlib.AsyncExitStack() as taking:
            if routing is not None:
                shared = routing.begin(cells, observers, servicer.handlers())
                await taking.enter_async_context(routing.taking(shared, servicer.devices, _GRACE_S))
            coap_at = await taking.enter_async_context(_over_coap(service, servicer))
            await serve(servicer, service.listen, credentials, listening, stopping, shared)
    finally:
        reloading.end()
        watch.cancel()


@contextlib.asynccontextmanager
async def _over_coap(service: Service, servicer: Servicer) -> AsyncIterator[str]:
    """Reports over CoAP; where they are taken, "host:port", or empty for nowhere."""
    if service.coap is None:
        yield ""
        return
    front = CoapFront(servicer, max(SILENT_S, _SILENT_FRAMES * service.basis.scenario.frame_s))
    async with listening_for_coap(front, *service.coap) as port:
        yield f"{service.coap.host}:{port}"


def _nobody_is_told(address: str) -> None:
    """Of calls in plain text: there is no handshake."""


def _beside(
    shadow: NamedPolicy | None, basis: Basis, watching: Sequence[Observer], on_error: Callable[[str, Exception], None]
) -> tuple[Observers, Callable[[Basis], None]]:
    """Those who watch, a shadow before them if there is one; and who is told of another basis."""
    observers = Observers(watching, on_error)
    if shadow is None:
        return observers, lambda changed: None
    shadowing = Shadowing(shadow.fresh(basis), observers)

    def change(changed: Basis) -> None:
        shadowing.fresh = shadow.fresh(changed)

    return Observers((shadowing, *watching), on_error), change


def _tell_of(observers: Observers, cells: CellRegistry, name: str, engine: Engine) -> None:
    """Tell observers of a cell that begins, or stands where it stood."""
    if engine.queues.next_frame > 0 or engine.lost_frames > 0:
        observers.restored(name, engine.incarnation, engine.queues, engine.lost_frames)
    else:
        observers.begun(name, engine.incarnation, engine.queues, str(cells.set_aside.get(name, "")))
    if name in cells.migrated:
        observers.migrated(name, engine.queues)


async def _watch(parts: _Parts, servicer: Servicer) -> None:
    """Tell observers and clients whenever what is wrong changes, and have what failed tried again."""
    told, cells, observers = None, parts.cells, parts.observers
    while True:
        error = parts.health_error()
        if parts.replication is not None:
            with contextlib.suppress(OSError):  # it is tried again
                parts.replication.look()
        if error != told:
            observers.health_changed(error)
            servicer.set_serving(error is None)
            told = error
        if error is not None:
            cells.retry()
        await asyncio.sleep(_WATCH_S)


@contextlib.contextmanager
def _web(service: Service, statistics: Statistics | None, cells: _Cells) -> Iterator[str]:
    """The endpoints over HTTP; where they are, as a URL, or empty for nowhere."""
    if statistics is None:
        yield ""
        return
    endpoints = endpoints_of(statistics, cells.health_error, cells.standings)
    if service.process is not None:  # it is seen where the one that looks after it is seen
        service.process.show(endpoints)
    if service.process is not None or service.metrics is None:
        yield ""
        return
    with WebServer(*service.metrics, endpoints, service.guard) as web:
        yield web.address
