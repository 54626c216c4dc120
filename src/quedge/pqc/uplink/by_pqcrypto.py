"""The algorithms that pqcrypto runs: ML-KEM-512, HQC, SLH-DSA, and those that cryptography has, too."""

from __future__ import annotations

import importlib
import importlib.metadata
from functools import partial
from types import ModuleType
from typing import Any

from quedge.pqc.profiles import Algorithm
from quedge.pqc.uplink.primitives import Kem, Signature, UnofferedError

KEMS = ("ML-KEM-512", "ML-KEM-768", "ML-KEM-1024", "HQC-128", "HQC-192", "HQC-256")
SIGNATURES = (
    "ML-DSA-44", "ML-DSA-65", "ML-DSA-87",
    "SLH-DSA-SHA2-128s", "SLH-DSA-SHA2-128f", "SLH-DSA-SHA2-192s", "SLH-DSA-SHA2-192f",
    "SLH-DSA-SHA2-256s", "SLH-DSA-SHA2-256f",
    "SLH-DSA-SHAKE-128s", "SLH-DSA-SHAKE-128f", "SLH-DSA-SHAKE-192s", "SLH-DSA-SHAKE-192f",
    "SLH-DSA-SHAKE-256s", "SLH-DSA-SHAKE-256f",
)  # fmt: skip


def _module(row: Algorithm, package: str) -> ModuleType:
    try:
        return importlib.import_module(f"pqcrypto.{package}.{row.name.lower().replace('-', '_')}")
    except ImportError:
        raise UnofferedError(
            f"{row.name} cannot be run by the installed pqcrypto "
            f"{importlib.metadata.version('pqcrypto')}; it needs pqcrypto 1.0 or newer, which "
            "pip install 'quedge[pqc-all]' brings"
        ) from None


def kem(row: Algorithm) -> Kem:
    """A KEM of `KEMS`; an UnofferedError where the installed version lacks it."""
    module = _module(row, "kem")
    return Kem(row, "pqcrypto", partial(_PqcryptoKemSecretKey, module), partial(_PqcryptoKemPublicKey, module))


def signature(row: Algorithm) -> Signature:
    """A signature of `SIGNATURES`; as `kem`."""
    module = _module(row, "sign")
    return Signature(row, "pqcrypto", partial(_PqcryptoSigningKey, module), partial(_PqcryptoVerifyingKey, module))


class _SecretKey:
    """A fresh key pair of a module of pqcrypto's."""

    __slots__ = ("_module", "_secret", "public_key")

    def __init__(self, module: Any) -> None:
        self._module = module
        self.public_key: bytes
        self.public_key, self._secret = module.keygen()


class _PublicKey:
    __slots__ = ("_key", "_module")

    def __init__(self, module: Any, key: bytes) -> None:
        length = module.PUBLIC_KEY_SIZE
        if len(key) != length:
            raise ValueError(f"a public key of {len(key)} bytes is not allowed; it must have {length}")
        self._module, self._key = module, key


class _PqcryptoKemSecretKey(_SecretKey):
    __slots__ = ()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        secret: bytes = self._module.decaps(self._secret, ciphertext)
        return secret


class _PqcryptoKemPublicKey(_PublicKey):
    __slots__ = ()

    def encapsulate(self) -> tuple[bytes, bytes]:
        ciphertext, secret = self._module.encaps(self._key)
        return ciphertext, secret


class _PqcryptoSigningKey(_SecretKey):
    __slots__ = ()

    def sign(self, message: bytes, context: bytes) -> bytes:
        signed: bytes = self._module.sign(self._secret, message, context)
        return signed


class _PqcryptoVerifyingKey(_PublicKey):
    __slots__ = ()

    def verifies(self, signature: bytes, message: bytes, context: bytes) -> bool:
        try:
            self._module.verify(self._key, message, signature, context)
        except ValueError:  # of which its InvalidSignatureError is one
            return False
        return True
