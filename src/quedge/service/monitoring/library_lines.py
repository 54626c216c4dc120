"""What libraries write to standard error, as events: gRPC's lines, and whatever else comes there."""

from __future__ import annotations

import re
import time

from quedge.service.monitoring.observers import Observer
from quedge.service.tls.handshakes import Arrivals, failure_of

_GRPC = re.compile(r"([IWEF])[0-9]{4} [0-9:.]+\s+[0-9]+ ([\w.]+:[0-9]+)\] (.*)")
_LEVELS = {"W": "warning", "E": "error", "F": "error"}
_OF_NO_USE = "All log messages before absl::InitializeLog"
_LOOK_EVERY_S, _LOOKS = 0.05, 6  # gRPC tells that a handshake failed before it closes the connection


class LibraryLines:
    """Tells an observer of lines: of handshakes that failed with the client's address, where it can be found out."""

    def __init__(self, observer: Observer, arrivals: Arrivals) -> None:
        self._observer, self._arrivals = observer, arrivals

    def take(self, lines: list[str]) -> None:
        """Tell of lines that have come; it waits for connections to be closed, so that threads that serve do not."""
        reasons = []
        for line in lines:
            reason = failure_of(line)
            if reason is not None:
                reasons.append(reason)
            elif _OF_NO_USE not in line:
                self._tell(line)
        if reasons:
            self._tell_of_failures(reasons)

    def _tell(self, line: str) -> None:
        found = _GRPC.match(line)
        if found is None:
            self._observer.library_said("warning", "", line)
        elif found[1] in _LEVELS:
            self._observer.library_said(_LEVELS[found[1]], found[2], found[3])

    def _tell_of_failures(self, reasons: list[str]) -> None:
        peers: list[str] = []
        for _ in range(_LOOKS):
            time.sleep(_LOOK_EVERY_S)
            peers += self._arrivals.ended()
            if len(peers) >= len(reasons):
                break
        peers = [*peers[-len(reasons) :], *[""] * (len(reasons) - len(peers))]
        for reason, peer in zip(reasons, peers, strict=True):
            self._observer.handshake_failed(reason, peer)
