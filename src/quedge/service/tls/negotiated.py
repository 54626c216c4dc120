"""The first message of either side of TLS 1.3: as much as it takes to ask a server for its key exchange group.

Source: RFC 8446, section 4.1; X25519MLKEM768 after draft-ietf-tls-ecdhe-mlkem.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence

from quedge.service.tls.access import CODES, UNKNOWN

HANDSHAKE = 22
"""Type of the records that carry these messages."""

MOST_RECORD_BYTES = 1 << 14

_CLIENT_HELLO, _SERVER_HELLO = 1, 2
_GROUPS, _SIGNATURES, _PROTOCOLS, _VERSIONS, _SHARE = 10, 13, 16, 43, 51  # types of extensions
_TLS_1_2, _TLS_1_3 = b"\x03\x03", b"\x03\x04"
_CIPHERS = b"\x13\x01\x13\x02\x13\x03"
_SIGNATURE_SCHEMES = b"\x04\x03\x05\x03\x08\x04\x08\x05\x08\x06\x08\x07"  # ECDSA, RSA-PSS, Ed25519
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")  # a random that is none


class MalformedError(ValueError):
    """These bytes are no ServerHello of TLS 1.3."""


def client_hello(random: bytes, session: bytes, groups: Sequence[int], shares: Mapping[int, bytes]) -> bytes:
    """A record with a ClientHello for HTTP/2 over TLS 1.3.

    Args:
        random: 32 bytes.
        session: 32 bytes.
        groups: code points that are offered, best first.
        shares: public keys by group.
    """
    extensions = b"".join(
        (
            _extension(_GROUPS, _sized(2, b"".join(group.to_bytes(2, "big") for group in groups))),
            _extension(_SIGNATURES, _sized(2, _SIGNATURE_SCHEMES)),
            _extension(_PROTOCOLS, _sized(2, _sized(1, b"h2"))),
            _extension(_VERSIONS, _sized(1, _TLS_1_3)),
            _extension(
                _SHARE, _sized(2, b"".join(group.to_bytes(2, "big") + _sized(2, key) for group, key in shares.items()))
            ),
        )
    )
    body = _TLS_1_2 + random + _sized(1, session) + _sized(2, _CIPHERS) + _sized(1, b"\0") + _sized(2, extensions)
    return bytes((HANDSHAKE, 3, 1)) + _sized(2, bytes((_CLIENT_HELLO,)) + _sized(3, body))


def selected_group(message: bytes) -> int:
    """The group that a ServerHello, or a HelloRetryRequest, has selected.

    Args:
        message: a handshake message with its header.

    Raises:
        MalformedError: it is neither.
    """
    whole = _Bytes(message)
    if whole.number(1) != _SERVER_HELLO:
        raise MalformedError("not a ServerHello")
    hello = _Bytes(whole.sized(3))
    if hello.take(2) != _TLS_1_2:
        raise MalformedError("wrong version")
    is_retry = hello.take(32) == _RETRY
    hello.sized(1)  # the session
    hello.take(3)  # cipher suite, compression
    extensions = _extensions(hello.sized(2))
    hello.end()
    whole.end()
    if extensions.get(_VERSIONS) != _TLS_1_3 or _SHARE not in extensions:
        raise MalformedError("not of TLS 1.3")
    share = _Bytes(extensions[_SHARE])
    group = share.number(2)
    if not is_retry and not share.sized(2):
        raise MalformedError("an empty key")
    share.end()
    return group


def _extensions(data: bytes) -> dict[int, bytes]:
    reader, found = _Bytes(data), {}
    while not reader.is_empty:
        kind = reader.number(2)
        if kind in found:
            raise MalformedError("an extension twice")
        found[kind] = reader.sized(2)
    return found


def _extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + _sized(2, data)


def _sized(width: int, data: bytes) -> bytes:
    return len(data).to_bytes(width, "big") + data


class _Bytes:
    """Bytes that are read from the front and never beyond their end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def is_empty(self) -> bool:
        return self._at == len(self._data)

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise MalformedError("cut short")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def sized(self, width: int) -> bytes:
        return self.take(self.number(width))

    def end(self) -> None:
        if not self.is_empty:
            raise MalformedError("more than there should be")


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
    from quedge.errors import check_installed

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
