"""A suite of post-quantum algorithms, and how a session uses them."""

from __future__ import annotations

from dataclasses import dataclass

from quedge.errors import is_integer, is_number, not_allowed
from quedge.pqc.profiles import MAX_RECORD_BYTES, Algorithm

MAX_REKEY_FRAMES = 1_000_000_000


@dataclass(frozen=True)
class Suite:
    """Which algorithms secure an uplink, and how often its keys change.

    Attributes:
        kem: key encapsulation mechanism.
        signature: what signs each key exchange.
        aead: authenticated encryption of the records.
        framing: protocol around them.
        record_bytes: most data in a record.
        rekey_frames: number K of offloading frames after which keys are exchanged anew.
        sign_every_frame: whether every frame is signed, besides each key exchange.
        masking_factor: by which factor protection against side channels slows down what touches a secret key: signing,
            and the decapsulation and key generation of an ephemeral exchange; at least 1.
        static_power_w: power of the module while a device offloads, whatever it sends (W).
    """

    kem: str
    signature: str
    aead: str = "ChaCha20-Poly1305"
    framing: str = "pinned"
    record_bytes: int = 16_384
    rekey_frames: int = 100
    sign_every_frame: bool = False
    masking_factor: float = 1.0
    static_power_w: float = 0.0

    def __post_init__(self) -> None:
        for key in ("kem", "signature", "aead", "framing"):
            if not isinstance(getattr(self, key), str):
                raise not_allowed(key, getattr(self, key), "a name")
        for key, highest in (("record_bytes", MAX_RECORD_BYTES), ("rekey_frames", MAX_REKEY_FRAMES)):
            value = getattr(self, key)
            if not (is_integer(value) and 1 <= value <= highest):
                raise not_allowed(key, value, f"an integer from 1 to {highest}")
        if not isinstance(self.sign_every_frame, bool):
            raise not_allowed("sign_every_frame", self.sign_every_frame, "true or false")
        for key, lowest in (("masking_factor", 1.0), ("static_power_w", 0.0)):
            value = getattr(self, key)
            if not (is_number(value) and lowest <= value <= 1e6):
                raise not_allowed(key, value, f"at least {lowest:g} and at most 1e+06")


SUITES = {
    "level1": Suite("ML-KEM-512", "ML-DSA-44"),
    "level3": Suite("ML-KEM-768", "ML-DSA-65"),
    "level5": Suite("ML-KEM-1024", "ML-DSA-87", "AES-256-GCM"),
}
"""Suites by NIST's security category. ML-DSA has no set of category 1: `level1` signs with that of category 2.

`level5` is what CNSA 2.0 asks for (`cnsa`).
"""

_STRONGEST = 5  # NIST's category from which SHA-256 would be the weakest part


def hash_of(kem: Algorithm, signature: Algorithm) -> str:
    """The hash of a suite with these algorithms: of its key derivation, and of frames that are signed.

    SHA-384 where one of them is of category 5, else SHA-256; so an uplink needs no word for it.
    """
    return "SHA-384" if _STRONGEST in (kem.nist_level, signature.nist_level) else "SHA-256"
