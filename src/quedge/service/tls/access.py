"""Whose calls are answered, on which addresses, and for which base stations a client may speak."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any, NamedTuple

X25519MLKEM768 = "X25519MLKEM768"
UNKNOWN = "unknown"

CODES = {0x11EC: X25519MLKEM768, 0x001D: "x25519", 0x0017: "secp256r1", 0x0018: "secp384r1"}
"""Names by code point, as IANA has them; what a client of ours offers, best first."""

HYBRID = frozenset({X25519MLKEM768, "SecP256r1MLKEM768", "SecP384r1MLKEM1024"})
"""Groups that combine ML-KEM with an elliptic curve: both would have to be broken."""

_OTHER_NAMES = {"X25519": "x25519", "prime256v1": "secp256r1", "P-256": "secp256r1", "P-384": "secp384r1"}


def named(text: str) -> str:
    """The IANA name of a group that a library calls by its own; `unknown` for an empty text."""
    return _OTHER_NAMES.get(text, text) or UNKNOWN


_MOST_CHARACTERS = 64


class Peer(NamedTuple):
    """A peer.

    Attributes:
        name: the common name of its certificate; empty for plain text.
        version: of TLS, such as "TLSv1.3"; empty for plain text.
        group: of the key exchange, such as "X25519MLKEM768"; "none" for plain text, "unknown" where gRPC does not tell.
    """

    name: str
    version: str
    group: str

    @property
    def is_hybrid(self) -> bool:
        """Whether a quantum computer alone cannot read what was recorded of the connection."""
        return self.group in HYBRID


def peer_of(context: Any) -> Peer:
    """The peer of a call.

    Args:
        context: what gRPC gives a method of the service.
    """
    told = context.auth_context()

    def text(key: str) -> str:
        values = told.get(key) or (b"",)
        shown = bytes(values[0]).decode("utf-8", "replace")[:_MOST_CHARACTERS]
        return "".join(character if character.isprintable() else "?" for character in shown)

    if text("transport_security_type") != "ssl":
        return Peer("", "", "none")
    group = named(text("ssl_negotiated_key_exchange_group"))
    return Peer(text("x509_common_name"), text("ssl_tls_version") or UNKNOWN, group)


def names_of(context: Any) -> frozenset[str]:
    """The names that the peer's certificate carries, letter by letter: its common name and its DNS names.

    Args:
        context: what gRPC gives a method of the service. In plain text there are none.
    """
    told = context.auth_context()
    values = (*told.get("x509_common_name", ()), *told.get("peer_dns", ()))
    return frozenset(bytes(value).decode("utf-8", "replace") for value in values)


async def refuse_unless_hybrid(context: Any) -> None:
    """End a call over a connection that a quantum computer could read; for services that insist.

    Args:
        context: what gRPC's asyncio server gives a method. The call ends with FAILED_PRECONDITION.
    """
    peer = peer_of(context)
    if peer.is_hybrid:
        return
    import grpc

    message = f"this service requires the key exchange X25519MLKEM768; {peer.group} was negotiated"
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)


class Speaker(NamedTuple):
    """Who makes a call.

    Attributes:
        names: the base stations for which it may speak; None for all.
    """

    names: frozenset[str] | None

    def may_speak_for(self, base_station: str) -> bool:
        """Whether it may report for a base station, and ask about it."""
        return self.names is None or base_station in self.names


class Admission(NamedTuple):
    """What is asked of a client besides its certificate.

    Attributes:
        hybrid_only: whether connections without a hybrid key exchange are refused.
        bind_names: whether a client speaks only for base stations whose name its certificate carries.
    """

    hybrid_only: bool = False
    bind_names: bool = False

    async def speaker(self, context: Any) -> Speaker:
        """Who makes a call; one that is not to be answered ends here.

        Args:
            context: what gRPC's asyncio server gives a method.
        """
        if self.hybrid_only:
            await refuse_unless_hybrid(context)
        return Speaker(names_of(context) if self.bind_names else None)


ANY_CLIENT = Admission()
"""Nothing is asked."""


def check_listening(host: str, has_tls: bool) -> None:
    """Refuse to listen in plain text where other machines can connect.

    Args:
        host: a name or an address; all that a name stands for must be loopback addresses.
        has_tls: whether TLS is configured; then everything is allowed.

    Raises:
        ValueError: it names `--listen` and the host.
    """
    if has_tls:
        return
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host.strip("[]") or "::", None)}
    except (OSError, UnicodeError):
        raise ValueError(f"--listen: {host[:80]!r} cannot be resolved") from None
    if not found or not all(map(_is_loopback, found)):
        raise ValueError(
            f"--listen: {host[:80]!r} is not allowed without TLS; it must be a loopback address such as 127.0.0.1, "
            "or --tls-cert, --tls-key and --client-ca must be given"
        )


def check_complete(cert: Path | None, key: Path | None, client_ca: Path | None) -> bool:
    """Whether TLS is configured, which takes all three files or none of them.

    Raises:
        ValueError: it names an option that is missing.
    """
    given = {"--tls-cert": cert, "--tls-key": key, "--client-ca": client_ca}
    missing = [option for option, path in given.items() if path is None]
    if len(missing) == len(given):
        return False
    if missing:
        raise ValueError(f"{missing[0]}: is missing; {', '.join(given)} are given together or not at all")
    return True


def _is_loopback(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
