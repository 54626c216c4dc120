"""Who is told of what the service does."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from quedge.controller.engine import Served
from quedge.controller.state import QueueState
from quedge.service import quedge_pb2 as pb

_OUTCOME_NAMES: dict[int, str] = {number: name.lower() for name, number in pb.Outcome.items()}

REFUSALS = tuple(
    name
    for number, name in _OUTCOME_NAMES.items()
    if number not in (pb.OUTCOME_UNSPECIFIED, pb.SERVED, pb.REPEATED)
)  # fmt: skip
"""What becomes of a report that is not served."""


def outcome_name(outcome: int) -> str:
    """An outcome's name in small letters; "unknown" of a number that is none."""
    return _OUTCOME_NAMES.get(outcome, "unknown")


class Started(NamedTuple):
    """What a service that takes reports says of itself.

    Attributes:
        address: where it takes them, "host:port".
        policy: the policy's name.
        durability: what an acknowledged frame survives: "process", "power" or "none".
        tls: how streams are secured: "none" or "mutual".
    """

    address: str
    policy: str
    durability: str
    tls: str


class Observer:
    """Who is told of what the service does; it does nothing of each event that it does not override.

    It must not block. `served`, `refused` and `connected` are called from the event loop, the others from any thread.
    """

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """A report was served; the time from its arrival to its answer (s)."""

    def refused(self, base_station: str, outcome: int) -> None:
        """A report was refused, with an outcome of the contract.

        The name is whatever was sent, and empty where the bytes were no message.
        """

    def connected(self, tls_version: str, group: str) -> None:
        """A stream began over TLS, with this key exchange; the version and the group as the IANA names them."""

    def restored(self, base_station: str, queues: QueueState) -> None:
        """A base station's cell stands where it stood before the service began."""

    def certificate_used(self, expires: datetime.datetime) -> None:
        """The service's certificate, at the start or renewed, is used from now on."""

    def renewal_refused(self, why: str) -> None:
        """Changed certificates cannot be used; those that were read before stay in use."""

    def started(self, started: Started) -> None:
        """Reports are taken from now on."""

    def stopping(self) -> None:
        """No new reports are taken; what waits is answered."""

    def stopped(self) -> None:
        """All is answered and kept; nothing more will be told."""


class Observers(Observer):
    """Several observers as one. What goes wrong in one of them neither reaches the service nor the others.

    Args:
        observers: who is told, in this order.
        on_observer_error: is told of an observer that raised: the name of its class, and what it raised.
    """

    def __init__(
        self,
        observers: Sequence[Observer],
        on_observer_error: Callable[[str, Exception], None] = lambda name, error: None,
    ) -> None:
        self._observers, self._on_observer_error = tuple(observers), on_observer_error

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""
        for observer in self._observers:  # written out: this one is called in every frame
            try:
                observer.served(base_station, served, round_trip_s)
            except Exception as error:
                self._on_observer_error(type(observer).__name__, error)

    def refused(self, base_station: str, outcome: int) -> None:
        """See `Observer.refused`."""
        self._tell("refused", base_station, outcome)

    def connected(self, tls_version: str, group: str) -> None:
        """See `Observer.connected`."""
        self._tell("connected", tls_version, group)

    def restored(self, base_station: str, queues: QueueState) -> None:
        """See `Observer.restored`."""
        self._tell("restored", base_station, queues)

    def certificate_used(self, expires: datetime.datetime) -> None:
        """See `Observer.certificate_used`."""
        self._tell("certificate_used", expires)

    def renewal_refused(self, why: str) -> None:
        """See `Observer.renewal_refused`."""
        self._tell("renewal_refused", why)

    def started(self, started: Started) -> None:
        """See `Observer.started`."""
        self._tell("started", started)

    def stopping(self) -> None:
        """See `Observer.stopping`."""
        self._tell("stopping")

    def stopped(self) -> None:
        """See `Observer.stopped`."""
        self._tell("stopped")

    def _tell(self, event: str, *told: Any) -> None:
        for observer in self._observers:
            try:
                getattr(observer, event)(*told)
            except Exception as error:
                self._on_observer_error(type(observer).__name__, error)
