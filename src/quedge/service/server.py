"""The service as a whole: from its settings to its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np

from quedge.controller.answer import ServedBy
from quedge.controller.controller import Controller
from quedge.controller.engine import Engine, Pace
from quedge.controller.journal import Durability
from quedge.controller.report import Report
from quedge.controller.state_folder import StateFolder
from quedge.policy.policy import Learner, Policy
from quedge.service.basis import Basis
from quedge.service.cells import CellRegistry
from quedge.service.methods import MAX_REPORT_BYTES
from quedge.service.monitoring.endpoints import endpoints_of
from quedge.service.monitoring.logs import Logs
from quedge.service.monitoring.observers import Observer, Observers, Started
from quedge.service.monitoring.statistics import Statistics
from quedge.service.monitoring.web import WebServer
from quedge.service.reload import Reloading
from quedge.service.servicer import Servicer
from quedge.service.settings import Address, Rendering, Tls
from quedge.service.shadowing import Shadowing
from quedge.service.tls.access import ANY_CLIENT

_GRACE_S = 2.0  # for clients that do not read their last answers
_KEEPALIVE_MS = 5_000  # a base station that is gone without a word gives its name free after twice that
_WATCH_S = 0.5
_WARM_UP_FRAMES = 80  # a learning agent takes its first steps among them


async def serve(
    servicer: Servicer,
    listen: Address,
    credentials: Any,
    ready: Callable[[int], None],
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT; then what is being served is answered, and streams end.

    Without credentials in plain text, which is for loopback addresses only. `ready` is called with the port once
    reports are taken, `stopping` once no new streams are.

    Raises:
        OSError: the address cannot be listened on.
    """
    options = [
        ("grpc.max_receive_message_length", MAX_REPORT_BYTES),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_MS),
        ("grpc.http2.ping_timeout_ms", _KEEPALIVE_MS),  # without it, it would be a minute
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.so_reuseport", 0),  # a second service on the port is refused rather than given half of the streams
    ]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers((servicer.handlers(),))
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
        rendering: how log lines are written.
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
    rendering: Rendering


class Running(NamedTuple):
    """Where a service takes reports, "host:port", and where it is seen from, as a URL; empty for nowhere."""

    address: str
    seen_at: str


def run(service: Service, ready: Callable[[Running], None]) -> None:
    """Serve until SIGTERM or SIGINT, from where the state folder stands; `ready` is called once reports are taken.

    Raises:
        StateError: the state folder cannot be used.
        ValueError: an address that is not allowed; the message names the option.
        OSError: an address cannot be listened on, or the state folder not be written to.
    """
    logs = Logs(service.rendering)
    basis, folder = service.basis, None
    if service.state is not None:
        folder = StateFolder(service.state, basis.determined_by, service.durability)
    cells = CellRegistry(
        basis.fresh, folder, service.pace, service.max_base_stations, service.begins_anew, service.base_stations,
        basis.former if service.migrates else None,
    )  # fmt: skip
    asyncio.run(_run(service, cells, logs, ready))


async def _run(service: Service, cells: CellRegistry, logs: Logs, ready: Callable[[Running], None]) -> None:
    """From cells that stand to cells that are closed, whatever fails; observers are told last."""
    budgets = service.basis.scenario.per_device("power_budget_w")
    statistics = None if service.metrics is None else Statistics(budgets)
    watching: tuple[Observer, ...] = (logs,) if statistics is None else (statistics, logs)
    observers, on_change = _beside(service.shadow, service.basis, watching, logs.observer_failed)
    try:
        with _web(service.metrics, statistics, cells.health_error) as seen_at:
            for name in cells.names():
                _tell_of(observers, cells, name, cells.known(name))
            cells.on_start = partial(_tell_of, observers, cells)
            tls, host = service.tls, service.listen.host
            credentials, access = None, ANY_CLIENT
            if tls is not None:
                credentials = tls.certificates.credentials(observers.certificate_used, observers.renewal_refused)
                access = tls.access

            def listening(port: int) -> None:
                address = f"{host}:{port}"
                mode = "none" if tls is None else "mutual"
                shadow = "" if service.shadow is None else service.shadow.name
                observers.started(Started(address, service.policy, cells.durability, mode, shadow))
                ready(Running(address, seen_at))

            servicer = Servicer(cells, service.policy, service.deadline_s, observers, access)
            watch = asyncio.create_task(_watch(cells, observers))
            reloading = Reloading(service.basis, service.reread, warm_up, cells, observers, on_change)
            with contextlib.suppress(ValueError, RuntimeError):  # only the main thread gets signals
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloading.request)
            try:
                await serve(servicer, service.listen, credentials, listening, observers.stopping)
            finally:
                reloading.end()
                watch.cancel()
    finally:
        await asyncio.get_running_loop().run_in_executor(None, cells.close)  # a second signal does not cut it short
        observers.stopped()


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


async def _watch(cells: CellRegistry, observers: Observers) -> None:
    """Tell observers whenever what is wrong changes, and have what failed tried again."""
    told = None
    while True:
        error = cells.health_error()
        if error != told:
            observers.health_changed(error)
            told = error
        if error is not None:
            cells.retry()
        await asyncio.sleep(_WATCH_S)


@contextlib.contextmanager
def _web(
    address: Address | None, statistics: Statistics | None, health_error: Callable[[], str | None]
) -> Iterator[str]:
    """The endpoints over HTTP; where they are, as a URL, or empty for nowhere."""
    if address is None or statistics is None:
        yield ""
        return
    with WebServer(*address, endpoints_of(statistics, health_error)) as web:
        yield web.address
