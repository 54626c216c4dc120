"""Whether the service is well, and whether it takes reports."""

from __future__ import annotations

from collections.abc import Callable

from quedge.controller.books import Books
from quedge.controller.engine import Served
from quedge.interfaces.service.observing.observers import Started


class Health:
    """A watcher that knows whether reports are taken, and asks what ails the service.

    Args:
        ailment: what ails the service, in words; None where it is well. It is called from any thread.
    """

    def __init__(self, ailment: Callable[[], str | None] = lambda: None) -> None:
        self._ailment = ailment
        self._state = "starting"

    @property
    def state(self) -> str:
        """Where the service is in its life: "starting", "ready", "stopping" or "stopped"."""
        return self._state

    def ailment(self) -> str | None:
        """What ails the service, in words; None where it is well."""
        return self._ailment()

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""

    def refused(self, base_station: str, outcome: int) -> None:
        """See `Observer.refused`."""

    def restored(self, base_station: str, books: Books) -> None:
        """See `Watcher.restored`."""

    def started(self, started: Started) -> None:
        """See `Watcher.started`."""
        self._state = "ready"

    def stopping(self) -> None:
        """See `Watcher.stopping`."""
        self._state = "stopping"

    def stopped(self) -> None:
        """See `Watcher.stopped`."""
        self._state = "stopped"
