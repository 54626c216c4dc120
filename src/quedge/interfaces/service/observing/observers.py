"""Who is told of what the service does, and how one tells all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from quedge.controller.books import Books
from quedge.controller.engine import Served
from quedge.interfaces.service.servicer import Observer


class Started(NamedTuple):
    """What a service that takes reports says of itself.

    Attributes:
        address: where it takes them, "host:port".
        policy: the policy's name.
        durability: what an acknowledged frame survives: "process", "power" or "none".
        tls: how streams are secured: "none", or "mutual" with the key exchange, as in "mutual, X25519MLKEM768".
    """

    address: str
    policy: str
    durability: str
    tls: str


class Watcher(Observer, Protocol):
    """An observer that is told of the service's life, too; called from any thread, and must not block."""

    def restored(self, base_station: str, books: Books) -> None:
        """A base station's cell stands where it stood before the service began."""

    def started(self, started: Started) -> None:
        """Reports are taken from now on."""

    def stopping(self) -> None:
        """No new reports are taken; what waits is answered."""

    def stopped(self) -> None:
        """All is answered and kept; nothing more will be told."""


class Observers:
    """Several watchers as one. What goes wrong in one of them neither reaches the service nor keeps it from the others.

    Args:
        watchers: who is told, in this order.
        mistaken: is told of a watcher that raised: the name of its class, and what it raised.
    """

    def __init__(
        self, watchers: Sequence[Watcher], mistaken: Callable[[str, Exception], None] = lambda name, error: None
    ) -> None:
        self._watchers, self._mistaken = tuple(watchers), mistaken

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""
        for watcher in self._watchers:  # written out: this one is called in every frame
            try:
                watcher.served(base_station, served, round_trip_s)
            except Exception as error:
                self._mistaken(type(watcher).__name__, error)

    def refused(self, base_station: str, outcome: int) -> None:
        """See `Observer.refused`."""
        self._tell("refused", base_station, outcome)

    def restored(self, base_station: str, books: Books) -> None:
        """See `Watcher.restored`."""
        self._tell("restored", base_station, books)

    def started(self, started: Started) -> None:
        """See `Watcher.started`."""
        self._tell("started", started)

    def stopping(self) -> None:
        """See `Watcher.stopping`."""
        self._tell("stopping")

    def stopped(self) -> None:
        """See `Watcher.stopped`."""
        self._tell("stopped")

    def _tell(self, event: str, *told: Any) -> None:
        for watcher in self._watchers:
            try:
                getattr(watcher, event)(*told)
            except Exception as error:
                self._mistaken(type(watcher).__name__, error)
