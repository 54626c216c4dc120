"""How a service is told to listen, to be secured and to log; it needs no library of the service's own."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from quedge.interfaces.service.tls.admission import Admission


class Address(NamedTuple):
    """Where to listen; port 0 stands for one of the system's choice."""

    host: str
    port: int


class Tls(NamedTuple):
    """How streams are secured.

    Attributes:
        credentials: of the server, as `server_credentials` makes them.
        admission: what is asked of clients besides a certificate.
    """

    credentials: Any
    admission: Admission


class Rendering(StrEnum):
    """How lines are written."""

    JSON = "json"
    """One JSON object a line."""
    CONSOLE = "console"
    """For people, coloured on a terminal."""
