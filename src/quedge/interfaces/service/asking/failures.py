"""Why a client has no decision: its report was refused, or no answer came."""

from __future__ import annotations

from typing import Any

import grpc

_HANDSHAKE = "the TLS handshake failed; do the certificates belong to this service?"
_UNKNOWN = "the host's name is not known"
_LOST = "the connection was lost: the service has ended, or speaks TLS where this side does not"
_SIGNS = (
    ("handshake", _HANDSHAKE),
    ("certificate", _HANDSHAKE),
    ("refused", "nothing listens there; is the service running?"),
    ("dns", _UNKNOWN),
    ("resol", _UNKNOWN),
    ("closed", _LOST),
    ("reset", _LOST),
    ("cancel", "the service ended the call"),
    ("failed to connect", "the host cannot be reached"),
)
"""What gRPC says, in lower case, and what is meant; the first one that fits."""


class ServiceUnavailable(ConnectionError):  # noqa: N818  (it tells a state of the service)
    """No answer came: the service is not there, was lost, or did not answer in time.

    Whether the last report was served is not known. Send it again after a reconnect: a report that was served already
    gets the same answer, marked as repeated, and is not served twice.
    """


class ReportRefused(Exception):  # noqa: N818  (the contract's own word)
    """The service refused a report and stands where it stood before it.

    Attributes:
        outcome: the reason, by its name in the contract, "BAD_VALUE" for example.
        field: the report's field that is to blame.
        next_frame: the frame that is due; None where the service does not tell.
    """

    def __init__(self, outcome: str, field: str, message: str, next_frame: int | None = None) -> None:
        super().__init__(message or f"{field}: {outcome}")
        self.outcome = outcome
        self.field = field
        self.next_frame = next_frame


def unavailable(target: str, error: Any, timeout_s: float) -> ServiceUnavailable:
    """What is raised for a `grpc.RpcError`, in plain words."""
    code, details = error.code(), str(error.details() or "")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return too_late(target, timeout_s)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServiceUnavailable(f"{target}: what answers there is no controller of quedge")
    told = next((text for sign, text in _SIGNS if sign in details.casefold()), details or code.name)
    return ServiceUnavailable(f"{target}: {told}")


def too_late(target: str, timeout_s: float) -> ServiceUnavailable:
    """What is raised where a wait has lasted too long."""
    return ServiceUnavailable(f"{target}: no answer came within {timeout_s:g} s")


def stream_ended(target: str) -> ServiceUnavailable:
    """What is raised where a stream ends before its answer."""
    return ServiceUnavailable(f"{target}: the service ended the stream")
