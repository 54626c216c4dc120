"""The rule for what is listened on: plain text stays on this machine."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path


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
