"""An address that several processes of one service listen on, and nobody else."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

from quedge.service.settings import Address


@contextlib.contextmanager
def reserved(address: Address) -> Iterator[Address]:
    """Hold an address for processes that listen on it together; its port is known then, whatever was asked for.

    Nobody is listened to here: sockets that are bound, and have the system share connections out among those that
    listen beside them.

    Raises:
        OSError: it is no address of this machine, or another process listens there.
    """
    shown = f"{address.host}:{address.port}"
    try:
        found = socket.getaddrinfo(
            address.host.strip("[]") or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        raise OSError(None, "is no address of this machine", shown) from None
    port = address.port
    with contextlib.ExitStack() as held:
        for family, kind, protocol, _, where in found:
            try:
                bound = _bound(family, kind, protocol, (where[0], port, *where[2:]))
            except OSError as error:
                why = os.strerror(error.errno) if error.errno else str(error)
                raise OSError(None, f"cannot be listened on: {why}", shown) from None
            port = held.enter_context(bound).getsockname()[1]
        yield Address(address.host, port)


def _bound(family: int, kind: int, protocol: int, where: tuple[object, ...]) -> socket.socket:
    """A socket that is bound beside nobody who listens, and that others may listen beside."""
    with _socket(family, kind, protocol) as trying:  # refused where somebody listens, however that shares
        trying.bind(where)
        where = trying.getsockname()
    shared = _socket(family, kind, protocol)
    try:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(where)
    except BaseException:
        shared.close()
        raise
    return shared


def _socket(family: int, kind: int, protocol: int) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made
