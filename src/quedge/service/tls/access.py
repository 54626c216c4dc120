"""Whose calls are answered, on which addresses, and for which base stations a client may speak."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

HYBRID = frozenset({"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"})
"""Groups that combine ML-KEM with an elliptic curve: both would have to be broken."""

UNKNOWN = "unknown"
_IANA_NAMES = {"X25519": "x25519", "prime256v1": "secp256r1", "P-256": "secp256r1", "P-384": "secp384r1"}
_MAX_CHARACTERS = 64


class Peer(NamedTuple):
    """Who makes a call.

    Attributes:
        name: the common name of its certificate, for people; empty for plain text.
        version: of TLS, such as "TLSv1.3"; empty for plain text.
        group: of the key exchange, by its IANA name, such as "X25519MLKEM768"; "none" for plain text, "unknown" where
            gRPC does not tell.
        names: what its certificate carries, letter by letter: its common name and its DNS names.
    """

    name: str
    version: str
    group: str
    names: frozenset[str]

    @property
    def is_hybrid(self) -> bool:
        """Whether a quantum computer alone cannot read what was recorded of the connection."""
        return self.group in HYBRID


def peer_of(context: Any) -> Peer:
    """The peer of a call, from the context that gRPC gives a method of the service."""
    properties = context.auth_context()

    def text(key: str) -> str:
        values = properties.get(key) or (b"",)
        shown = bytes(values[0]).decode("utf-8", "replace")[:_MAX_CHARACTERS]
        return "".join(character if character.isprintable() else "?" for character in shown)

    values = (*properties.get("x509_common_name", ()), *properties.get("peer_dns", ()))
    names = frozenset(bytes(value).decode("utf-8", "replace") for value in values)
    if text("transport_security_type") != "ssl":
        return Peer("", "", "none", names)
    group = text("ssl_negotiated_key_exchange_group")
    group = _IANA_NAMES.get(group, group) or UNKNOWN
    return Peer(text("x509_common_name"), text("ssl_tls_version") or UNKNOWN, group, names)


def address_of(context: Any) -> str:
    """Where a call comes from, "host:port", from the context that gRPC gives a method of the service."""
    host, _, port = unquote(str(context.peer()).partition(":")[2]).rpartition(":")
    return shown_address(host.strip("[]"), int(port)) if port.isdecimal() else host


def shown_address(host: str, port: int) -> str:
    """An address as logs have it: an IPv6 one in brackets, and an IPv4 one as such whatever it came by."""
    host = host.removeprefix("::ffff:") if "." in host else host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class AccessPolicy(NamedTuple):
    """What is asked of a client besides its certificate.

    Attributes:
        hybrid_only: whether connections without a hybrid key exchange are refused.
        bind_names: whether a client speaks only for base stations whose name its certificate carries.
    """

    hybrid_only: bool = False
    bind_names: bool = False

    async def check(self, context: Any) -> None:
        """End a call of gRPC's asyncio server with FAILED_PRECONDITION where its peer is not to be answered."""
        if self.hybrid_only and not (peer := peer_of(context)).is_hybrid:
            import grpc

            message = f"this service requires the key exchange X25519MLKEM768; {peer.group} was negotiated"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)

    def may_speak_for(self, peer: Peer, base_station: str) -> bool:
        """Whether a peer may report for a base station, and ask about it."""
        return not self.bind_names or base_station in peer.names


ANY_CLIENT = AccessPolicy()
"""Nothing is asked."""


def check_listening(host: str, has_tls: bool) -> None:
    """Refuse to listen in plain text where other machines can connect; a ValueError names `--listen` and the host.

    All that a host's name stands for must be loopback addresses; with TLS everything is allowed.
    """
    if not has_tls:
        _check_loopback("--listen", host, "without TLS", "--tls-cert, --tls-key and --client-ca must be given")


def check_watched(host: str, is_guarded: bool) -> None:
    """Refuse to be seen by everybody where other machines can connect; a ValueError names `--metrics` and the host."""
    if not is_guarded:
        _check_loopback("--metrics", host, "unguarded", "--metrics-token or --metrics-tls must be given")


def check_coap(host: str, is_open: bool) -> None:
    """Refuse CoAP, which is plain text, where other machines can connect; a ValueError names `--coap` and the host."""
    if not is_open:
        _check_loopback("--coap", host, "in plain text", "--coap-open must be given")


def _check_loopback(option: str, host: str, how: str, remedy: str) -> None:
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host.strip("[]") or "::", None)}
    except (OSError, UnicodeError):
        raise ValueError(f"{option}: {host[:80]!r} cannot be resolved") from None
    if not found or not all(map(_is_loopback, found)):
        raise ValueError(
            f"{option}: {host[:80]!r} is not allowed {how}; it must be a loopback address such as 127.0.0.1, "
            f"or {remedy}"
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
