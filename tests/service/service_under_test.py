"""A service in a thread of the tests' own process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from quedge.controller.controller import Controller
from quedge.controller.engine import Pace
from quedge.controller.journal import Durability
from quedge.controller.state_folder import StateFolder
from quedge.model.scenario import Scenario
from quedge.policy.exact import Exact
from quedge.policy.policy import Learner, Policy
from quedge.service import server
from quedge.service.cells import CellRegistry
from quedge.service.limits import NO_LIMITS, Rates
from quedge.service.monitoring.observers import Observer
from quedge.service.servicer import Servicer
from quedge.service.settings import Address
from quedge.service.tls.access import ANY_CLIENT, AccessPolicy

SCENARIO = Scenario(devices=3)

_PATIENCE_S = 60.0
_MAX_BASE_STATIONS = 1000


class _Loop(asyncio.SelectorEventLoop):
    def add_signal_handler(self, *arguments: Any) -> None:
        raise NotImplementedError  # only the main thread gets signals


class Service:
    """A service that runs; `with` ends it, with a checkpoint, as SIGTERM does.

    Args:
        scenario: the cell.
        policy: who decides.
        state: folder for what survives; without, nothing does.
        pace: how engines work; without, no report is late, however busy the machine is.
        deadline_s: when a frame of self-reporting devices closes.
        port: 0 for one of the system's choice.
        credentials: of TLS.
        access: what is asked of clients.
        rates: how much each may ask for.
        observer: who is told of what happens.
    """

    def __init__(
        self,
        scenario: Scenario = SCENARIO,
        policy: Policy | Learner | None = None,
        *,
        state: Path | None = None,
        pace: Pace | None = None,
        deadline_s: float = 0.02,
        port: int = 0,
        credentials: Any = None,
        access: AccessPolicy = ANY_CLIENT,
        rates: Rates = NO_LIMITS,
        observer: Observer | None = None,
    ) -> None:
        chosen = Exact() if policy is None else policy
        folder = None if state is None else StateFolder(state, f"{scenario} {chosen}", Durability.PROCESS)
        pace = Pace(late_s=_PATIENCE_S) if pace is None else pace
        self._cells = CellRegistry(lambda: Controller(scenario, chosen), folder, pace, _MAX_BASE_STATIONS)
        self._listen, self._credentials = Address("127.0.0.1", port), credentials
        self._deadline_s, self._access, self._rates, self._observer = deadline_s, access, rates, observer
        self._ready = threading.Event()
        self._loop = _Loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    @property
    def target(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Service:
        self._thread.start()
        assert self._ready.wait(_PATIENCE_S), "the service did not begin"
        return self

    def __exit__(self, *raised: object) -> None:
        self.end()

    def end(self) -> None:
        """End it; twice is once."""
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive(), "the service did not end"

    def _run(self) -> None:
        async def run() -> None:
            servicer = Servicer(self._cells, "exact", self._deadline_s, self._observer, self._access, self._rates)
            await server.serve(servicer, self._listen, self._credentials, self._listens)

        self._task = self._loop.create_task(run())
        with suppress(asyncio.CancelledError), closing(self._cells):
            self._loop.run_until_complete(self._task)
        self._loop.close()

    def _listens(self, port: int) -> None:
        self.port = port
        self._ready.set()


@contextmanager
def mute() -> Iterator[str]:
    """Where something takes connections and never says a word."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
