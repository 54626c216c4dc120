"""Who makes a call, and whether it asks for too much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from quedge.controller.report import Reason, ReportRejected
from quedge.service import quedge_pb2 as pb
from quedge.service.calls import EndedError
from quedge.service.limits import Limit, RateLimits
from quedge.service.tls.access import Peer, address_of, peer_of

_NOT_ITS_FAULT = frozenset({pb.NOT_DURABLE, pb.OVERLOADED, pb.FAILED})
_OPTIONS = {
    Limit.REPORTS: ("reports", "--report-rate"),
    Limit.REFUSALS: ("refused reports", "--refusal-rate"),
    Limit.CHECKPOINTS: ("checkpoints", "--checkpoint-rate"),
}


class Caller:
    """Who makes a call.

    A client that shows a certificate is known by the name there, wherever it calls from; in plain text by its
    connection.

    Args:
        context: of the call, as gRPC gives it.
        limits: how much each may ask for.
        on_limited: told of what there was too much, and the caller's address.

    Attributes:
        peer: what its certificate says.
        address: where it calls from, "host:port".
    """

    def __init__(self, context: Any, limits: RateLimits, on_limited: Callable[[Limit, str], None]) -> None:
        self.peer: Peer = peer_of(context)
        self.address = address_of(context)
        self._limits, self._on_limited = limits, on_limited
        self._client = f"certificate {self.peer.name}" if self.peer.name else self.address
        self._is_over = False

    def check_rate(self, limit: Limit, base_station: str) -> None:
        """Count one more for a base station; an EndedError where it is too many of it or of this client."""
        over = self._over(limit, base_station)
        if over:
            raise EndedError(grpc.StatusCode.RESOURCE_EXHAUSTED, over)

    def check_report(self, base_station: str) -> None:
        """Count one more report; a ReportRejected where it is too many of the base station or of this client."""
        over = self._over(Limit.REPORTS, base_station)
        if over:
            raise ReportRejected(Reason.OVERLOADED, "frame", over)

    def count_refusal(self, outcome: int) -> None:
        """A report of this call was refused; some outcomes are not the client's fault."""
        if outcome not in _NOT_ITS_FAULT and not self._limits.allows(Limit.REFUSALS, self._client):
            self._is_over = True
            self._on_limited(Limit.REFUSALS, self.address)

    def check_begin(self) -> None:
        """Raise an EndedError where a stream begins whose client is at its limit of refused reports."""
        self._is_over = not self._limits.has_room(Limit.REFUSALS, self._client)
        self.check()

    def check(self) -> None:
        """Raise an EndedError where too many reports were refused: this call goes on no longer."""
        if self._is_over:
            raise EndedError(grpc.StatusCode.RESOURCE_EXHAUSTED, self._said(Limit.REFUSALS, "this client"))

    def _over(self, limit: Limit, base_station: str) -> str:
        """Whose limit one more exceeds, in words; empty where it exceeds none."""
        for who, whose in ((self._client, "this client"), (f"base station {base_station}", "this base station")):
            if not self._limits.allows(limit, who):
                self._on_limited(limit, self.address)
                return self._said(limit, whose)
        return ""

    def _said(self, limit: Limit, whose: str) -> str:
        what, option = _OPTIONS[limit]
        return (
            f"more than {self._limits.rate(limit):g} {what} a second of {whose}; the service's {option} allows no more"
        )
