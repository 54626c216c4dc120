"""A call that one process passes on to another, with who made it."""

from __future__ import annotations

import json
from typing import Any

import grpc

from quedge.service.calls import EndedError

_KEY = "quedge-caller-bin"
_TOLD = (
    "transport_security_type",
    "x509_common_name",
    "peer_dns",
    "ssl_tls_version",
    "ssl_negotiated_key_exchange_group",
)
"""What is told of a peer: all that the service looks at."""


SERVICE_ENDS = grpc.StatusCode.UNAVAILABLE, "the service ends"
MOVED = grpc.StatusCode.UNAVAILABLE, "another process serves the cell now; call again"
_OUT_OF_REACH = grpc.StatusCode.UNAVAILABLE, "the process that serves the cell is not there now; call again"


def ended_by(code: grpc.StatusCode, details: str) -> EndedError:
    """The end of a call that was passed on, as its client is told: nothing of what lies between processes."""
    is_lost = code is grpc.StatusCode.UNAVAILABLE and details not in (SERVICE_ENDS[1], MOVED[1])
    if is_lost or code is grpc.StatusCode.UNKNOWN:  # the latter where something went wrong there
        return EndedError(*_OUT_OF_REACH)
    return EndedError(code, details)


def is_passed_on(context: Any) -> bool:
    """Whether a call comes from another process of this service: by a socket that nobody else can open."""
    return str(context.peer()).startswith("unix:")


def caller_of(context: Any) -> tuple[tuple[str, bytes], ...]:
    """Who makes a call, as metadata for the process that it is passed on to."""
    properties = context.auth_context()
    shown = {key: [bytes(value).decode("latin-1") for value in properties[key]] for key in _TOLD if key in properties}
    return ((_KEY, json.dumps({"peer": context.peer(), "properties": shown}).encode()),)


class PassedOn:
    """The context of a call that was passed on, which tells of the client rather than of the process between."""

    def __init__(self, context: Any) -> None:
        self._context = context
        (told,) = (value for key, value in context.invocation_metadata() if key == _KEY)
        caller = json.loads(told)
        self._peer: str = caller["peer"]
        self._properties = {
            key: [value.encode("latin-1") for value in values] for key, values in caller["properties"].items()
        }

    def peer(self) -> str:
        """Where it calls from, as gRPC says it."""
        return self._peer

    def auth_context(self) -> dict[str, list[bytes]]:
        """What is known of it."""
        return self._properties

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)
