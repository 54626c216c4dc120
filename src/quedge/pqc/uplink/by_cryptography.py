"""What cryptography runs, on OpenSSL: ML-KEM-768 and 1024, ML-DSA, the AEADs, exchanges on curves, and HKDF."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from typing import Any

from quedge.pqc.profiles import Algorithm
from quedge.pqc.uplink.primitives import KEY_BYTES, Aead, Kem, Signature, UnofferedError

KEMS = {"ML-KEM-768": "MLKEM768", "ML-KEM-1024": "MLKEM1024"}
SIGNATURES = {"ML-DSA-44": "MLDSA44", "ML-DSA-65": "MLDSA65", "ML-DSA-87": "MLDSA87"}
AEADS = {
    **dict.fromkeys(("AES-256-GCM", "AES-256-GCM-ASM", "AES-256-GCM-CT", "AES-256-GCM-HW"), "AESGCM"),
    "ChaCha20-Poly1305": "ChaCha20Poly1305",
}
"""Names of the library's classes, by algorithm; of the first two they are completed by `PrivateKey` or `PublicKey`."""


def hkdf(hash_name: str, secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """A key of `length` bytes from a secret, by "SHA-256" or "SHA-384". Source: RFC 5869."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    algorithm = {"SHA-256": hashes.SHA256, "SHA-384": hashes.SHA384}[hash_name]()
    return HKDF(algorithm=algorithm, length=length, salt=salt, info=info).derive(secret)


def openssl_version() -> str:
    """Version of the OpenSSL that cryptography stands on."""
    try:
        from cryptography.hazmat.backends.openssl import backend
    except ImportError:
        return "unknown"
    return backend.openssl_version_text().removeprefix("OpenSSL ").partition(" ")[0]


def _class(row: Algorithm, module: str, name: str, try_it: Callable[[Any], object]) -> Any:
    """A class of cryptography, tried once: an old version lacks it, a build on an old OpenSSL cannot run it."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
    except ImportError as error:
        raise UnofferedError(f"{row.name} cannot be run: cryptography does not load ({error})") from None
    try:
        found = getattr(importlib.import_module(f"cryptography.hazmat.primitives.{module}"), name)
        try_it(found)
    except (ImportError, AttributeError, UnsupportedAlgorithm):
        raise UnofferedError(
            f"{row.name} cannot be run by the installed cryptography {importlib.metadata.version('cryptography')} "
            f"on OpenSSL {openssl_version()}; it needs cryptography 48 or newer on OpenSSL 3.5 or newer, which "
            "pip install 'quedge[pqc]' brings"
        ) from None
    return found


def _key_classes(row: Algorithm, module: str, stem: str) -> tuple[Any, Any]:
    """The classes of secret and public keys."""
    secret = _class(row, module, f"{stem}PrivateKey", lambda key: key.generate())
    return secret, _class(row, module, f"{stem}PublicKey", lambda key: key.from_public_bytes)


def kem(row: Algorithm) -> Kem:
    """A KEM of `KEMS`; an UnofferedError where the installed build cannot run it."""
    secret, public = _key_classes(row, "asymmetric.mlkem", KEMS[row.name])
    return Kem(
        row, "cryptography",
        lambda: _OpensslKemSecretKey(secret.generate()),
        lambda key: _OpensslKemPublicKey(public.from_public_bytes(key)),
    )  # fmt: skip


def signature(row: Algorithm) -> Signature:
    """A signature of `SIGNATURES`; as `kem`."""
    secret, public = _key_classes(row, "asymmetric.mldsa", SIGNATURES[row.name])
    return Signature(
        row, "cryptography",
        lambda: _OpensslSigningKey(secret.generate()),
        lambda key: _OpensslVerifyingKey(public.from_public_bytes(key)),
    )  # fmt: skip


def aead(row: Algorithm) -> Aead:
    """An AEAD of `AEADS`; as `kem`."""
    found = _class(row, "ciphers.aead", AEADS[row.name], lambda cipher: cipher(bytes(KEY_BYTES)))
    return Aead(row, "cryptography", lambda key: _OpensslCipher(found(key)))


class CurveKey:
    """A secret key on a curve; its repr shows nothing of it."""

    __slots__ = ("_exchange", "public_key")

    def __init__(self, public_key: bytes, exchange: Callable[[Any], bytes]) -> None:
        self.public_key, self._exchange = public_key, exchange

    def exchange(self, other: Any) -> bytes:
        """The secret shared with another's public key; a ValueError where that is of small order."""
        return self._exchange(other)


def on_curve(curve: str) -> tuple[Callable[[], CurveKey], Callable[[bytes], Any]]:
    """What makes a secret key on "X25519", "SECP256R1" or "SECP384R1", and what reads a public one.

    The latter raises a ValueError where the bytes are none.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, x25519
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    def generate_on_x25519() -> CurveKey:
        key = x25519.X25519PrivateKey.generate()
        return CurveKey(key.public_key().public_bytes_raw(), key.exchange)

    if curve == "X25519":
        return generate_on_x25519, x25519.X25519PublicKey.from_public_bytes
    named: ec.EllipticCurve = getattr(ec, curve)()

    def generate() -> CurveKey:
        key = ec.generate_private_key(named)
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return CurveKey(point, lambda other: key.exchange(ec.ECDH(), other))

    return generate, lambda point: ec.EllipticCurvePublicKey.from_encoded_point(named, point)


class _Key:
    __slots__ = ("_key",)

    def __init__(self, key: Any) -> None:
        self._key = key


class _SecretKey(_Key):
    __slots__ = ("public_key",)

    def __init__(self, key: Any) -> None:
        super().__init__(key)
        self.public_key: bytes = key.public_key().public_bytes_raw()


class _OpensslKemSecretKey(_SecretKey):
    __slots__ = ()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        secret: bytes = self._key.decapsulate(ciphertext)
        return secret


class _OpensslKemPublicKey(_Key):
    __slots__ = ()

    def encapsulate(self) -> tuple[bytes, bytes]:
        secret, ciphertext = self._key.encapsulate()
        return ciphertext, secret


class _OpensslSigningKey(_SecretKey):
    __slots__ = ()

    def sign(self, message: bytes, context: bytes) -> bytes:
        signed: bytes = self._key.sign(message, context)
        return signed


class _OpensslVerifyingKey(_Key):
    __slots__ = ()

    def verifies(self, signature: bytes, message: bytes, context: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, message, context)
        except InvalidSignature:
            return False
        return True


class _OpensslCipher:
    __slots__ = ("_cipher", "_invalid_tag")

    def __init__(self, cipher: Any) -> None:
        from cryptography.exceptions import InvalidTag

        self._cipher = cipher
        self._invalid_tag = InvalidTag

    def encrypt(self, nonce: bytes, data: bytes | memoryview, associated: bytes) -> bytes:
        sealed: bytes = self._cipher.encrypt(nonce, data, associated)
        return sealed

    def decrypt(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
        try:
            data: bytes = self._cipher.decrypt(nonce, sealed, associated)
        except self._invalid_tag:
            return None
        return data
