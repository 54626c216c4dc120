"""Key exchange groups of TLS 1.3 by name, and which of them hold against a quantum computer."""

from __future__ import annotations

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
