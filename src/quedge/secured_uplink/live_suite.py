"""A suite whose algorithms run, as both parties hold it."""

from __future__ import annotations

from dataclasses import dataclass

from quedge.pqc.suite import Suite
from quedge.secured_uplink import algorithms
from quedge.secured_uplink.primitives import Aead, Kem, Signature

_NUMBERS = {
    "ML-KEM-512": 0x01, "ML-KEM-768": 0x02, "ML-KEM-1024": 0x03,
    "HQC-128": 0x11, "HQC-192": 0x12, "HQC-256": 0x13,
    "ML-DSA-44": 0x01, "ML-DSA-65": 0x02, "ML-DSA-87": 0x03,
    "SLH-DSA-SHA2-128s": 0x11, "SLH-DSA-SHA2-128f": 0x12, "SLH-DSA-SHA2-192s": 0x13, "SLH-DSA-SHA2-192f": 0x14,
    "SLH-DSA-SHA2-256s": 0x15, "SLH-DSA-SHA2-256f": 0x16,
    "SLH-DSA-SHAKE-128s": 0x21, "SLH-DSA-SHAKE-128f": 0x22, "SLH-DSA-SHAKE-192s": 0x23, "SLH-DSA-SHAKE-192f": 0x24,
    "SLH-DSA-SHAKE-256s": 0x25, "SLH-DSA-SHAKE-256f": 0x26,
    "AES-256-GCM": 0x01, "AES-256-GCM-ASM": 0x01, "AES-256-GCM-CT": 0x01, "AES-256-GCM-HW": 0x01,
    "ChaCha20-Poly1305": 0x02,
}  # fmt: skip
_SIGNS_FRAMES = 0x80


@dataclass(frozen=True)
class LiveSuite:
    """A suite with its algorithms.

    Attributes:
        suite: the names and numbers.
        kem: its key encapsulation mechanism.
        signature: its signature scheme.
        aead: its authenticated encryption.
        number: three bytes that name the three algorithms on the wire, and whether every frame is signed.
    """

    suite: Suite
    kem: Kem
    signature: Signature
    aead: Aead
    number: bytes


def live_suite(suite: Suite) -> LiveSuite:
    """A suite with algorithms that run on this machine.

    Raises:
        MissingExtraError: a library is not installed; the message names the extra.
        ValueError: another framing than "pinned", or an algorithm that cannot be run.
    """
    if suite.framing != "pinned":
        raise ValueError(f"framing: {suite.framing!r} cannot be emulated; it must be 'pinned'")
    kem = algorithms.kem(suite.kem)
    signature = algorithms.signature(suite.signature)
    aead = algorithms.aead(suite.aead)
    kem_number, signature_number, aead_number = (_NUMBERS[found.row.name] for found in (kem, signature, aead))
    flag = _SIGNS_FRAMES if suite.sign_every_frame else 0
    return LiveSuite(suite, kem, signature, aead, bytes((kem_number, signature_number, aead_number | flag)))
