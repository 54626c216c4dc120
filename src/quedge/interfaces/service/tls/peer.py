"""The other side of a connection, as far as gRPC tells: who it is, and what was negotiated with it."""

from __future__ import annotations

from typing import Any, NamedTuple

from quedge.interfaces.service.tls.groups import HYBRID, UNKNOWN, named

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
