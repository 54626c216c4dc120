"""Who is told of what the service does, and in which terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from quedge.controller.engine import Served
from quedge.controller.outcome import Answer
from quedge.controller.state import Books
from quedge.service import quedge_pb2 as pb
from quedge.service.servicer import Observer


def certified_gap(answer: Answer) -> float | None:
    """How far an answer's objective may be from the best one, relative to it; None where the policy has no bound."""
    if math.isnan(answer.upper_bound):
        return None
    above = max(answer.upper_bound - answer.objective, 0.0)
    if above == 0.0:
        return 0.0
    return above / abs(answer.objective) if answer.objective != 0.0 else math.inf


_NAMES: dict[int, str] = {number: name.lower() for name, number in pb.Outcome.items()}

REFUSALS = tuple(
    name
    for number, name in _NAMES.items()
    if number not in (pb.OUTCOME_UNSPECIFIED, pb.SERVED, pb.REPEATED)
)  # fmt: skip
"""What becomes of a report that is not served."""


def name_of(outcome: int) -> str:
    """An outcome's name in small letters; "unknown" of a number that is none."""
    return _NAMES.get(outcome, "unknown")


class QueuesSeen:
    """Both queues of every device; a device that was not in a frame keeps what was last seen of it.

    Attributes:
        data_queue_mbit: data queues (Mbit), shape (devices,).
        energy_queue: virtual energy queues, shape (devices,).
    """

    def __init__(self, books: Books) -> None:
        self.data_queue_mbit: NDArray[np.float64] = books.data_queue_mbit
        self.energy_queue: NDArray[np.float64] = books.energy_queue

    def take(self, answer: Answer) -> None:
        """See a frame. The answer's arrays are kept, never changed."""
        if answer.devices.size == self.data_queue_mbit.size:
            self.data_queue_mbit, self.energy_queue = answer.data_queue_mbit, answer.energy_queue
            return
        self.data_queue_mbit, self.energy_queue = self.data_queue_mbit.copy(), self.energy_queue.copy()
        self.data_queue_mbit[answer.devices] = answer.data_queue_mbit
        self.energy_queue[answer.devices] = answer.energy_queue


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
