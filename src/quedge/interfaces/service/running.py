"""A service from its settings to its end: engines, watchers, what is listened on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.controller.controller import Controller
from quedge.controller.engine import Pace
from quedge.controller.journal import Durability
from quedge.interfaces.service.cells import Cells, StateFolder
from quedge.interfaces.service.observing.endpoints import Endpoints, endpoints_of
from quedge.interfaces.service.observing.health import Health
from quedge.interfaces.service.observing.history import History
from quedge.interfaces.service.observing.logs import Logs
from quedge.interfaces.service.observing.metrics import Metrics
from quedge.interfaces.service.observing.observers import Observers, Started
from quedge.interfaces.service.observing.web import WebServer
from quedge.interfaces.service.server import Listening, serve
from quedge.interfaces.service.settings import Address, Rendering, Tls
from quedge.interfaces.service.tls.admission import ANY_CLIENT
from quedge.interfaces.service.tls.negotiated import negotiated_group


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
