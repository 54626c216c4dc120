"""Hybrid key encapsulation: ML-KEM beside a Diffie-Hellman exchange on a curve, in the order of TLS 1.3's groups.

Whoever encapsulates makes a fresh key pair on the curve each time. Public key, ciphertext and secret are those of the
two joined: X25519MLKEM768 has ML-KEM first, the groups with NIST's curves have the curve first. What is joined is no
key yet: the key derivation takes it, with a hash of all that was sent and of both pinned keys. Who wants to know it
must break both.

Source: draft-ietf-tls-ecdhe-mlkem; NIST SP 800-227 (4.6) for combining two secrets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from quedge.pqc.profiles import Algorithm, known_profiles
from quedge.pqc.uplink import by_cryptography
from quedge.pqc.uplink.by_cryptography import CurveKey
from quedge.pqc.uplink.primitives import Kem, KemPublicKey, KemSecretKey


class Hybrid(NamedTuple):
    """What a hybrid is joined of.

    Attributes:
        ml_kem: name of the set of ML-KEM.
        curve: name of the curve.
        point_bytes: size of a public key on the curve.
        kem_first: whether what is ML-KEM's stands before what is the curve's.
    """

    ml_kem: str
    curve: str
    point_bytes: int
    kem_first: bool

    def joined(self, of_kem: bytes, of_curve: bytes) -> bytes:
        """Both parts in the order of the hybrid."""
        return of_kem + of_curve if self.kem_first else of_curve + of_kem

    def divided(self, both: bytes, kem_bytes: int) -> tuple[bytes, bytes]:
        """The part of ML-KEM, of so many bytes, and that of the curve; a ValueError where the length is another."""
        if len(both) != kem_bytes + self.point_bytes:
            raise ValueError(f"{len(both)} bytes are not allowed; it must be {kem_bytes + self.point_bytes}")
        if self.kem_first:
            return both[:kem_bytes], both[kem_bytes:]
        return both[self.point_bytes :], both[: self.point_bytes]


KEMS = {
    "X25519MLKEM768": Hybrid("ML-KEM-768", "X25519", 32, kem_first=True),
    "SecP256r1MLKEM768": Hybrid("ML-KEM-768", "SECP256R1", 65, kem_first=False),
    "SecP384r1MLKEM1024": Hybrid("ML-KEM-1024", "SECP384R1", 97, kem_first=False),
}


def kem(row: Algorithm) -> Kem:
    """A KEM of `KEMS`; an UnofferedError where the installed build cannot run its ML-KEM."""
    hybrid = KEMS[row.name]
    inner = by_cryptography.kem(known_profiles().algorithm("kem", "kem", hybrid.ml_kem))
    generate, public = by_cryptography.on_curve(hybrid.curve)

    def public_key(both: bytes) -> KemPublicKey:
        of_kem, of_curve = hybrid.divided(both, inner.row.public_key_bytes or 0)
        return _HybridPublicKey(hybrid, inner.public(of_kem), generate, public(of_curve))

    def secret_key() -> KemSecretKey:
        return _HybridSecretKey(hybrid, inner, generate(), public)

    return Kem(row, "cryptography", secret_key, public_key)


class _HybridSecretKey:
    __slots__ = ("_ciphertext_bytes", "_curve_key", "_hybrid", "_kem_key", "_public", "public_key")

    def __init__(self, hybrid: Hybrid, inner: Kem, curve_key: CurveKey, public: Callable[[bytes], Any]) -> None:
        self._hybrid, self._curve_key, self._public = hybrid, curve_key, public
        self._kem_key, self._ciphertext_bytes = inner.generate(), inner.row.output_bytes
        self.public_key = hybrid.joined(self._kem_key.public_key, curve_key.public_key)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        of_kem, of_curve = self._hybrid.divided(ciphertext, self._ciphertext_bytes)
        shared = self._curve_key.exchange(self._public(of_curve))
        return self._hybrid.joined(self._kem_key.decapsulate(of_kem), shared)


class _HybridPublicKey:
    __slots__ = ("_generate", "_hybrid", "_kem_key", "_point")

    def __init__(self, hybrid: Hybrid, kem_key: KemPublicKey, generate: Callable[[], CurveKey], point: Any) -> None:
        self._hybrid, self._kem_key, self._generate, self._point = hybrid, kem_key, generate, point

    def encapsulate(self) -> tuple[bytes, bytes]:
        fresh, (ciphertext, secret) = self._generate(), self._kem_key.encapsulate()
        return (
            self._hybrid.joined(ciphertext, fresh.public_key),
            self._hybrid.joined(secret, fresh.exchange(self._point)),
        )
