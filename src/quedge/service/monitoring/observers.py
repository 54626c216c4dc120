"""Who is told of what the service does."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.controller.engine import Served
from quedge.controller.shadow import Shadowed
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
        shadow: name of the policy that decides beside; empty for none.
        coap: where devices report over CoAP, "host:port"; empty for nowhere.
    """

    address: str
    policy: str
    durability: str
    tls: str
    shadow: str = ""
    coap: str = ""


class Observer:
    """Who is told of what the service does; it does nothing of each event that it does not override.

    It must not block. `served`, `refused`, `connected` and what is told of streams are called from the event loop, the
    others from any thread.
    """

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """A report was served; the time from its arrival to its answer (s)."""

    def refused(self, base_station: str, outcome: int, peer: str = "") -> None:
        """A report was refused, with an outcome of the contract; the address that it came from.

        The name is whatever was sent, and empty where the bytes were no message.
        """

    def connected(self, tls_version: str, group: str, peer: str = "") -> None:
        """A stream began over TLS, with this key exchange; the version and the group as the IANA names them."""

    def stream_began(self, base_station: str, method: str, peer: str) -> None:
        """A stream of this method, from this address, reports for a base station from now on."""

    def stream_ended(self, base_station: str, method: str, peer: str) -> None:
        """Such a stream reports for it no more."""

    def handshake_failed(self, reason: str, peer: str) -> None:
        """A TLS handshake failed: why, and the address of the client, which is empty where it is not known."""

    def library_said(self, level: str, source: str, text: str) -> None:
        """A library wrote a line to standard error: "warning" or "error", and from where, as far as it says so."""

    def limited(self, limit: str, peer: str) -> None:
        """More was asked for than is allowed, from this address: "reports", "refusals" or "checkpoints"."""

    def few_descriptors(self, allowed: int, advised: int) -> None:
        """The process may have so few files and connections open that clients may not get one."""

    def restored(self, base_station: str, incarnation: str, queues: QueueState, lost_frames: int) -> None:
        """A base station's cell stands where it stood before the service began, but for what a loss of power took."""

    def begun(self, base_station: str, incarnation: str, queues: QueueState, set_aside: str = "") -> None:
        """A base station's cell begins, or begins anew; then `set_aside` is the folder of the files of before."""

    def left(self, base_station: str) -> None:
        """A base station's cell is served by another process of the service from now on."""

    def reloaded(self, changed: Sequence[str], power_budget_w: NDArray[np.float64]) -> None:
        """What the service was told to be was read once more; keys that changed, and the devices' budgets (W)."""

    def reload_refused(self, why: str) -> None:
        """It was read once more and cannot be served with queues kept; the old goes on."""

    def migrated(self, base_station: str, queues: QueueState) -> None:
        """A base station's cell is served under a changed scenario or agent from now on, its queues kept."""

    def shadowed(self, base_station: str, shadowed: Shadowed) -> None:
        """A shadow has decided a frame that was served."""

    def shadow_dropped(self, base_station: str, why: str) -> None:
        """A frame that was served is not decided by its shadow, which was too slow or raised."""

    def health_changed(self, error: str | None) -> None:
        """What is wrong with the service from now on; None where all is well again."""

    def certificate_used(self, expires: datetime.datetime) -> None:
        """The service's certificate, at the start or renewed, is used from now on."""

    def renewal_refused(self, why: str) -> None:
        """Changed certificates cannot be used; those that were read before stay in use."""

    def standby_changed(self, how: str) -> None:
        """A standby may take over, being "in sync"; or may not, since it "left", is "silent" or "joined anew"."""

    def standing_by(self, how: str) -> None:
        """This service is a standby, "in sync" with the first, or why not; or "taken over" or "promoted"."""

    def compiling(self) -> None:
        """Solvers are compiled, which takes long; reports are taken after that."""

    def started(self, started: Started) -> None:
        """Reports are taken from now on."""

    def stopping(self) -> None:
        """No new reports are taken; what waits is answered."""

    def stopped(self) -> None:
        """All is answered and kept; nothing more will be told."""


def _to_all(event: str) -> Any:
    """The method of `Observers` for an event."""

    def tell(self: Observers, *what: Any) -> None:
        for observer in self.observers:
            try:
                getattr(observer, event)(*what)
            except Exception as error:
                self.on_observer_error(type(observer).__name__, error)

    tell.__doc__ = f"See `Observer.{event}`."
    return tell


class Observers(Observer):
    """Several observers as one, told in this order; what goes wrong in one reaches neither the service nor the others.

    `on_observer_error` is told the name of its class, and what it raised.
    """

    def __init__(
        self,
        observers: Sequence[Observer],
        on_observer_error: Callable[[str, Exception], None] = lambda name, error: None,
    ) -> None:
        self.observers, self.on_observer_error = tuple(observers), on_observer_error

    served, refused, connected = _to_all("served"), _to_all("refused"), _to_all("connected")
    stream_began, stream_ended = _to_all("stream_began"), _to_all("stream_ended")
    limited, few_descriptors = _to_all("limited"), _to_all("few_descriptors")
    handshake_failed, library_said = _to_all("handshake_failed"), _to_all("library_said")
    restored, begun, started = _to_all("restored"), _to_all("begun"), _to_all("started")
    left = _to_all("left")
    reloaded, reload_refused, migrated = _to_all("reloaded"), _to_all("reload_refused"), _to_all("migrated")
    shadowed, shadow_dropped = _to_all("shadowed"), _to_all("shadow_dropped")
    health_changed = _to_all("health_changed")
    certificate_used, renewal_refused = _to_all("certificate_used"), _to_all("renewal_refused")
    standby_changed, standing_by = _to_all("standby_changed"), _to_all("standing_by")
    compiling, stopping, stopped = _to_all("compiling"), _to_all("stopping"), _to_all("stopped")
