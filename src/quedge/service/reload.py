"""What a running service is told to be, read once more: SIGHUP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from quedge.controller.controller import Controller
from quedge.controller.engine import Change, Engine
from quedge.service.basis import Basis
from quedge.service.calls import resolve
from quedge.service.cells import CellRegistry
from quedge.service.monitoring.observers import Observer

_RETRY_S = 0.5


class Reloading:
    """Takes over a changed scenario or agent with all queues kept; what may not change is refused, and all goes on.

    It lives in the event loop.

    Args:
        basis: what is served under now.
        reread: reads it once more, from a thread of its own.
        warm_up: has all that is new compiled.
        cells: those that are served.
        observer: who is told.
        on_change: called with what is served under from now on.
    """

    def __init__(
        self,
        basis: Basis,
        reread: Callable[[], Basis],
        warm_up: Callable[[Callable[[], Controller]], None],
        cells: CellRegistry,
        observer: Observer,
        on_change: Callable[[Basis], None] = lambda basis: None,
    ) -> None:
        self._basis, self._reread, self._warm_up = basis, reread, warm_up
        self._cells, self._observer, self._on_change = cells, observer, on_change
        self._reading: asyncio.Task[None] | None = None
        self._migrating: set[asyncio.Task[None]] = set()
        self._is_due, self._changes, self._ended = False, 0, False

    def request(self) -> None:
        """Read it once more, now or once the reading that goes on is over."""
        if self._ended:
            return
        self._is_due = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._reload_while_due())

    def end(self) -> None:
        """End what goes on, for good; cells that have been told of a change take it over all the same."""
        self._ended = True
        for task in (*self._migrating, *filter(None, [self._reading])):
            task.cancel()

    async def _reload_while_due(self) -> None:
        while self._is_due:
            self._is_due = False
            try:
                await self._reload()
            except Exception as error:  # whatever is in the files: the old goes on
                is_told = isinstance(error, (ValueError, ImportError))
                self._observer.reload_refused(str(error) if is_told else f"{type(error).__name__}: {error}")

    async def _reload(self) -> None:
        loop = asyncio.get_running_loop()

        def read() -> tuple[Basis, tuple[str, ...]]:
            basis = self._reread()
            changed = basis.changes(self._basis)
            if changed:
                self._warm_up(basis.fresh)
            return basis, changed

        basis, changed = await loop.run_in_executor(None, read)
        self._observer.reloaded(changed, basis.scenario.per_device("power_budget_w"))
        if not changed:
            return
        self._basis, self._changes = basis, self._changes + 1
        self._on_change(basis)
        change = basis.change(keeps_agent="agent" not in changed)
        engines = self._cells.change(change, basis.former)
        for name, engine in engines.items():
            task = asyncio.create_task(self._migrate(name, engine, change, self._changes))
            self._migrating.add(task)
            task.add_done_callback(self._migrating.discard)

    async def _migrate(self, name: str, engine: Engine, change: Change, number: int) -> None:
        """Have a cell take over a change, and tell of it, as soon as it can be written; another one may follow."""
        loop = asyncio.get_running_loop()
        while number == self._changes and name in self._cells.names():  # it may have gone to another process
            migrated: asyncio.Future[int | None] = loop.create_future()
            engine.migrate(change, partial(_resolve_in, loop, migrated))
            if await migrated is not None:
                self._observer.migrated(name, engine.queues)
                return
            await asyncio.sleep(_RETRY_S)


def _resolve_in(loop: asyncio.AbstractEventLoop, future: asyncio.Future[int | None], frame: int | None) -> None:
    """Resolve a future from any thread."""
    loop.call_soon_threadsafe(lambda: resolve(future, lambda: frame))
