"""Which key exchange group a server chooses for a client that offers the hybrid one, asked over the wire."""

from __future__ import annotations

import os
import socket
import time

from quedge.interfaces.service.tls.groups import CODES, UNKNOWN
from quedge.interfaces.service.tls.hello import (
    HANDSHAKE,
    MOST_RECORD_BYTES,
    MalformedError,
    client_hello,
    selected_group,
)

_HYBRID, _X25519 = 0x11EC, 0x001D
_RECORD_HEADER_BYTES, _MESSAGE_HEADER_BYTES = 5, 4
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def negotiated_group(host: str, port: int, timeout_s: float = 2.0) -> str:
    """The key exchange group that a TLS server chooses, out of X25519MLKEM768, x25519, secp256r1 and secp384r1.

    A connection of its own sends a ClientHello, reads the ServerHello and goes; no handshake is finished and no
    certificate shown. It tells what the server does for a client that offers all of these; what another client
    negotiated, `peer_of` tells.

    Args:
        host: a name or an address; one that stands for all addresses is asked over loopback.
        port: of the server.
        timeout_s: time for all of it (s), connecting included.

    Returns:
        The group's name; `unknown` where nobody answers in time or what answers is not TLS 1.3.

    Raises:
        MissingExtraError: cryptography is not installed.
    """
    shares = _shares()
    if _HYBRID not in shares:
        return UNKNOWN
    deadline = time.monotonic() + timeout_s
    host = host.strip("[]")
    try:
        with socket.create_connection((_EVERYWHERE.get(host, host), port), timeout_s) as connection:
            connection.settimeout(_left(deadline))
            connection.sendall(client_hello(os.urandom(32), os.urandom(32), list(CODES), shares))
            group = selected_group(_first_message(connection, deadline))
    except (OSError, MalformedError):
        return UNKNOWN
    return CODES.get(group, UNKNOWN)


def _shares() -> dict[int, bytes]:
    """Public keys of which nobody keeps the secret ones; an old build of cryptography has no ML-KEM."""
    from quedge.model.extras import check_installed

    check_installed("cryptography", "asking for the negotiated group", "cryptography", "serve")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    def curve() -> bytes:
        return X25519PrivateKey.generate().public_key().public_bytes_raw()

    try:
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

        lattice = MLKEM768PrivateKey.generate().public_key().public_bytes_raw()
    except (ImportError, UnsupportedAlgorithm):
        return {_X25519: curve()}
    return {_HYBRID: lattice + curve(), _X25519: curve()}  # the lattice's part comes first


def _first_message(connection: socket.socket, deadline: float) -> bytes:
    """The first handshake message, which may come in several records."""
    message = b""
    while len(message) < _MESSAGE_HEADER_BYTES or len(message) < _length(message):
        header = _received(connection, _RECORD_HEADER_BYTES, deadline)
        size = int.from_bytes(header[3:], "big")
        if header[0] != HANDSHAKE or header[1] != 3 or not 0 < size <= MOST_RECORD_BYTES:
            raise MalformedError("not a record of a handshake")
        message += _received(connection, size, deadline)
        if len(message) >= _MESSAGE_HEADER_BYTES and _length(message) > MOST_RECORD_BYTES:
            raise MalformedError("too long for a ServerHello")
    return message[: _length(message)]


def _length(message: bytes) -> int:
    return _MESSAGE_HEADER_BYTES + int.from_bytes(message[1:_MESSAGE_HEADER_BYTES], "big")


def _received(connection: socket.socket, count: int, deadline: float) -> bytes:
    data = b""
    while len(data) < count:
        connection.settimeout(_left(deadline))
        more = connection.recv(count - len(data))
        if not more:
            raise MalformedError("cut short")
        data += more
    return data


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0.0:
        raise TimeoutError
    return left
