"""The service as a whole: from its settings to its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np
from numpy.typing import NDArray

from quedge.controller.controller import Controller
from quedge.controller.engine import Pace
from quedge.controller.journal import Durability
from quedge.controller.outcome import ServedBy
from quedge.controller.report import Report
from quedge.service.cells import Cells, StateFolder
from quedge.service.monitoring.health import Endpoints, Health, endpoints_of
from quedge.service.monitoring.history import History
from quedge.service.monitoring.logs import Logs
from quedge.service.monitoring.metrics import Metrics
from quedge.service.monitoring.observers import Observers, Started
from quedge.service.monitoring.web import WebServer
from quedge.service.servicer import Observer, Servicer
from quedge.service.settings import Address, Rendering, Tls
from quedge.service.tls.access import ANY_CLIENT, Admission
from quedge.service.tls.negotiated import negotiated_group

_MOST_MESSAGE_BYTES = 4 << 20
_GRACE_S = 2.0  # for clients that do not read their last answers
_KEEPALIVE_MS = 5_000  # a base station that is gone without a word gives its name free after twice that


class Listening(NamedTuple):
    """What the service listens on.

    Attributes:
        host: an address of this machine.
        port: 0 for one of the system's choice.
        credentials: of TLS; None for plain text, which is for loopback addresses only.
    """

    host: str
    port: int
    credentials: Any = None


async def serve(
    cells: Cells,
    policy: str,
    listening: Listening,
    deadline_s: float,
    ready: Callable[[int], None],
    observer: Observer | None = None,
    stopping: Callable[[], None] = lambda: None,
    admission: Admission = ANY_CLIENT,
) -> None:
    """Serve until SIGTERM or SIGINT; then what is being served is answered, and streams end.

    Args:
        cells: the engines; who made them closes them afterwards.
        policy: the policy's name.
        listening: what to listen on.
        deadline_s: time after which a frame of self-reporting devices closes (s).
        ready: called with the port once reports are taken.
        observer: who is told of what happens.
        stopping: called once no new streams are taken.
        admission: what is asked of clients.

    Raises:
        OSError: the address cannot be listened on.
    """
    options = [
        ("grpc.max_receive_message_length", _MOST_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_MS),
        ("grpc.http2.ping_timeout_ms", _KEEPALIVE_MS),  # without it, it would be a minute
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.so_reuseport", 0),  # a second service on the port is refused rather than given half of the streams
    ]
    server = grpc.aio.server(options=options)
    servicer = Servicer(cells, policy, deadline_s, observer, admission)
    server.add_generic_rpc_handlers((servicer.handlers(),))
    address = f"{listening.host}:{listening.port}"
    try:
        if listening.credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, listening.credentials)
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


_FRAMES = 80  # a learning agent takes its first steps among them


def warm_up(fresh: Callable[[], Controller]) -> None:
    """Compile, or load from disk, all that frames need, on a controller that is then thrown away."""
    controller, rng = fresh(), np.random.default_rng(0)
    every = np.arange(controller.devices)
    for frame in range(_FRAMES):
        gain, arrived = rng.exponential(1e-11, every.size) + 1e-15, rng.exponential(3.0, every.size)
        report = Report(frame, every, gain, arrived, np.full(every.size, np.nan))
        controller.serve(report, ServedBy.LATE if frame == 1 else ServedBy.POLICY)


class Service(NamedTuple):
    """What a service is told to be.

    Attributes:
        fresh: makes a controller that stands at its beginning.
        policy: the policy's name.
        power_budget_w: budget of each device's mean power (W), shape (devices,).
        determined_by: what the answers depend on besides the reports.
        listen: where reports are taken.
        deadline_s: time after which a frame of self-reporting devices closes (s).
        pace: how engines work.
        state: folder for what survives; None for nothing.
        durability: what an acknowledged frame survives.
        tls: how streams are secured; None for plain text.
        metrics: where the service is seen from; None for nowhere.
        rendering: how log lines are written.
    """

    fresh: Callable[[], Controller]
    policy: str
    power_budget_w: NDArray[np.float64]
    determined_by: str
    listen: Address
    deadline_s: float
    pace: Pace
    state: Path | None
    durability: Durability
    tls: Tls | None
    metrics: Address | None
    rendering: Rendering


class Running(NamedTuple):
    """Where a service that takes reports is reached.

    Attributes:
        address: where reports are taken, "host:port".
        group: the key exchange that it negotiates with a peer that offers a hybrid one; "none" in plain text.
        seen_at: where it is seen from, as a URL; empty for nowhere.
    """

    address: str
    group: str
    seen_at: str


def run(service: Service, ready: Callable[[Running], None]) -> None:
    """Serve until SIGTERM or SIGINT, from where the state folder stands.

    Args:
        service: what it is told to be.
        ready: called once reports are taken.

    Raises:
        StateError: the state folder cannot be used.
        ValueError: an address that is not allowed; the message names the option.
        OSError: an address cannot be listened on, or the state folder not be written to.
    """
    logs = Logs(service.rendering)
    folder = None if service.state is None else StateFolder(service.state, service.determined_by, service.durability)
    cells = Cells(service.fresh, folder, service.pace)
    asyncio.run(_run(service, cells, logs, ready))


async def _run(service: Service, cells: Cells, logs: Logs, ready: Callable[[Running], None]) -> None:
    """From cells that stand to cells that are closed, whatever fails; watchers are told last."""
    observers, endpoints = _watched(service, Health(cells.ailment), logs)
    try:
        with _seen(service.metrics, endpoints) as seen_at:
            for name in cells.names():
                observers.restored(name, cells.known(name).books)
            await _serve(service, cells, observers, seen_at, ready)
    finally:
        await asyncio.get_running_loop().run_in_executor(None, cells.close)  # a second signal does not cut it short
        observers.stopped()


def _watched(service: Service, health: Health, logs: Logs) -> tuple[Observers, Endpoints]:
    """Who is told of what happens, and what can be seen of it."""
    if service.metrics is None:
        return Observers((health, logs), logs.observer_failed), {}
    metrics, history = Metrics(service.power_budget_w), History(service.power_budget_w)
    observers = Observers((metrics, history, health, logs), logs.observer_failed)
    return observers, endpoints_of(metrics, history, health)


@contextlib.contextmanager
def _seen(metrics: Address | None, endpoints: Endpoints) -> Iterator[str]:
    """Where it can be seen, as a URL; empty for nowhere."""
    if metrics is None:
        yield ""
        return
    with WebServer(*metrics, endpoints) as web:
        yield web.address


async def _serve(
    service: Service, cells: Cells, observers: Observers, seen_at: str, ready: Callable[[Running], None]
) -> None:
    tls, host = service.tls, service.listen.host
    credentials = None if tls is None else tls.credentials
    loop = asyncio.get_running_loop()

    def listening(port: int) -> None:
        async def tell() -> None:
            group = "none"
            if tls is not None:
                group = await loop.run_in_executor(None, negotiated_group, host, port)
            mode = "none" if tls is None else f"mutual, {group}"
            address = f"{host}:{port}"
            observers.started(Started(address, service.policy, cells.durability, mode))
            ready(Running(address, group, seen_at))

        tasks.add(asyncio.create_task(tell()))

    tasks: set[asyncio.Task[None]] = set()
    await serve(
        cells,
        service.policy,
        Listening(host, service.listen.port, credentials),
        service.deadline_s,
        listening,
        observers,
        observers.stopping,
        ANY_CLIENT if tls is None else tls.admission,
    )
