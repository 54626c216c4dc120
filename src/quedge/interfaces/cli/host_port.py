"""HOST:PORT among the options: where to listen, and what to connect to."""

from __future__ import annotations

import re

import typer

from quedge.interfaces.service.settings import Address

_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\s:/\[\]]+):([0-9]{1,5})")
"""An IPv6 address stands in brackets."""
_MOST_PORT = 65_535


def listening_of(text: str) -> Address:
    """A host and a port to listen on; port 0 stands for one of the system's choice."""
    return _address_of(text, lowest_port=0)


def target_of(text: str) -> str:
    """A host and a port to connect to, as gRPC takes them."""
    host, port = _address_of(text, lowest_port=1)
    return f"{host}:{port}"


def _address_of(text: str, lowest_port: int) -> Address:
    match = _HOST_PORT.fullmatch(text)
    if match is None or not lowest_port <= int(match[2]) <= _MOST_PORT:
        raise typer.BadParameter(f"{text[:60]!r} is not allowed; it must be HOST:PORT, such as 127.0.0.1:50051.")
    return Address(match[1], int(match[2]))
