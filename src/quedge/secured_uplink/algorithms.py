"""The algorithms of a suite as code that runs: the one place where cryptographic libraries enter.

`cryptography` (on OpenSSL) is taken where it offers an algorithm, else `pqcrypto`. Their calls differ in a way that no
type tells: `encapsulate()` of cryptography gives (secret, ciphertext), `encaps()` of pqcrypto (ciphertext, secret).
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol, TypeVar

from quedge.model.extras import MissingExtraError, check_installed
from quedge.pqc.profiles import Algorithm, known_profiles

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16

_OPENSSL_KEMS = {"ML-KEM-768": "MLKEM768", "ML-KEM-1024": "MLKEM1024"}
_OPENSSL_SIGNATURES = {"ML-DSA-44": "MLDSA44", "ML-DSA-65": "MLDSA65", "ML-DSA-87": "MLDSA87"}
_OPENSSL_AEADS = {"AES-256-GCM": "AESGCM", "AES-256-GCM-HW": "AESGCM", "ChaCha20-Poly1305": "ChaCha20Poly1305"}
_PQCRYPTO_KEMS = ("ML-KEM-512", "ML-KEM-768", "ML-KEM-1024", "HQC-128", "HQC-192", "HQC-256")
_PQCRYPTO_SIGNATURES = (
    "ML-DSA-44", "ML-DSA-65", "ML-DSA-87",
    "SLH-DSA-SHA2-128s", "SLH-DSA-SHA2-128f", "SLH-DSA-SHA2-192s", "SLH-DSA-SHA2-256s",
)  # fmt: skip
_RUNS = {
    "kem": (*_PQCRYPTO_KEMS, *_OPENSSL_KEMS),
    "signature": (*_PQCRYPTO_SIGNATURES, *_OPENSSL_SIGNATURES),
    "aead": tuple(_OPENSSL_AEADS),
}


NO_LIBRARY = "none of the supported libraries runs it"


class UnofferedError(ValueError):
    """An algorithm that no library, or not the installed build of it, can run; the message says which and why."""


class KemSecretKey(Protocol):
    """A secret key of a KEM; it never shows itself."""

    public_key: bytes

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret in a ciphertext; a wrong one gives another secret, one of another length a ValueError."""


class KemPublicKey(Protocol):
    """A public key of a KEM."""

    def encapsulate(self) -> tuple[bytes, bytes]:
        """A ciphertext and the secret in it, in this order."""


class SigningKey(Protocol):
    """A secret key of a signature scheme; it never shows itself."""

    public_key: bytes

    def sign(self, message: bytes, context: bytes) -> bytes:
        """A signature of the message, for this context only."""


class VerifyingKey(Protocol):
    """A public key of a signature scheme."""

    def verifies(self, signature: bytes, message: bytes, context: bytes) -> bool:
        """Whether the signature is one of the message in this context."""


class Cipher(Protocol):
    """An AEAD under one key; it never shows it."""

    def encrypt(self, nonce: bytes, data: bytes | memoryview, associated: bytes) -> bytes:
        """The data's ciphertext and, after it, the tag."""

    def decrypt(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
        """The data; None where the tag does not fit."""


@dataclass(frozen=True)
class Kem:
    """A key encapsulation mechanism that runs.

    Attributes:
        row: its name and sizes.
        library: what runs it.
        generate: makes a secret key.
        public: reads a public key; a ValueError where it is none.
    """

    row: Algorithm
    library: str
    generate: Callable[[], KemSecretKey]
    public: Callable[[bytes], KemPublicKey]


@dataclass(frozen=True)
class Signature:
    """A signature scheme that runs; as `Kem`."""

    row: Algorithm
    library: str
    generate: Callable[[], SigningKey]
    public: Callable[[bytes], VerifyingKey]


@dataclass(frozen=True)
class Aead:
    """An AEAD that runs.

    Attributes:
        row: its name and sizes.
        library: what runs it.
        cipher: it under a key of 32 bytes.
    """

    row: Algorithm
    library: str
    cipher: Callable[[bytes], Cipher]


Built = TypeVar("Built", Kem, Signature, Aead)


def kem(name: str) -> Kem:
    """A key encapsulation mechanism by name, in any case of letters.

    Raises:
        MissingExtraError: a library that is not installed offers it; the message names the extra.
        UnofferedError: no library offers it, or the installed build does not.
        ValueError: no algorithm has this name.
    """
    row = known_profiles().algorithm("kem", "kem", name)
    openssl = _openssl_kem if row.name in _OPENSSL_KEMS else None
    return _first_offered(row, openssl, _pqcrypto_kem if row.name in _PQCRYPTO_KEMS else None)


def signature(name: str) -> Signature:
    """A signature scheme by name; as `kem`."""
    row = known_profiles().algorithm("signature", "signature", name)
    openssl = _openssl_signature if row.name in _OPENSSL_SIGNATURES else None
    return _first_offered(row, openssl, _pqcrypto_signature if row.name in _PQCRYPTO_SIGNATURES else None)


def aead(name: str) -> Aead:
    """An AEAD by name; as `kem`."""
    row = known_profiles().algorithm("aead", "aead", name)
    return _first_offered(row, _openssl_aead if row.name in _OPENSSL_AEADS else None, None)


def hkdf_sha256(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """A key of `length` bytes from a secret. Source: RFC 5869."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def library_versions() -> dict[str, str]:
    """Versions of the installed libraries, by name."""
    versions = {}
    for library in ("cryptography", "pqcrypto"):
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    if "cryptography" in versions:
        versions["OpenSSL"] = _openssl_version()
    return versions


def _openssl_version() -> str:
    try:
        from cryptography.hazmat.backends.openssl import backend
    except ImportError:
        return "unknown"
    return backend.openssl_version_text().removeprefix("OpenSSL ").partition(" ")[0]


def _first_offered(
    row: Algorithm, openssl: Callable[[Algorithm], Built] | None, pqcrypto: Callable[[Algorithm], Built] | None
) -> Built:
    """The algorithm by the first library that has it; else why not, said of the first that could."""
    refusals: list[Exception] = []
    for build, library, extra in ((openssl, "cryptography", "pqc"), (pqcrypto, "pqcrypto", "pqc-all")):
        if build is not None:
            try:
                check_installed(library, row.name, library, extra)
                return build(row)
            except (MissingExtraError, UnofferedError) as refusal:
                refusals.append(refusal)
    if refusals:
        raise refusals[0]
    runs = ", ".join(dict.fromkeys(_RUNS[row.kind]))
    raise UnofferedError(f"{row.name!r} is not allowed; {NO_LIBRARY}; it must be one of {runs}")


# --- cryptography ---


def _openssl_class(row: Algorithm, module: str, name: str, try_it: Callable[[Any], object]) -> Any:
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
            f"{row.name} cannot be run by the installed cryptography {library_versions()['cryptography']} "
            f"on OpenSSL {_openssl_version()}; it needs cryptography 48 or newer on OpenSSL 3.5 or newer, which "
            "pip install 'quedge[pqc]' brings"
        ) from None
    return found


def _openssl_kem(row: Algorithm) -> Kem:
    stem = _OPENSSL_KEMS[row.name]
    secret = _openssl_class(row, "asymmetric.mlkem", f"{stem}PrivateKey", lambda key: key.generate())
    public = _openssl_class(row, "asymmetric.mlkem", f"{stem}PublicKey", lambda key: key.from_public_bytes)
    return Kem(
        row, "cryptography",
        lambda: _OpensslKemSecretKey(secret.generate()),
        lambda key: _OpensslKemPublicKey(public.from_public_bytes(key)),
    )  # fmt: skip


def _openssl_signature(row: Algorithm) -> Signature:
    stem = _OPENSSL_SIGNATURES[row.name]
    secret = _openssl_class(row, "asymmetric.mldsa", f"{stem}PrivateKey", lambda key: key.generate())
    public = _openssl_class(row, "asymmetric.mldsa", f"{stem}PublicKey", lambda key: key.from_public_bytes)
    return Signature(
        row, "cryptography",
        lambda: _OpensslSigningKey(secret.generate()),
        lambda key: _OpensslVerifyingKey(public.from_public_bytes(key)),
    )  # fmt: skip


def _openssl_aead(row: Algorithm) -> Aead:
    found = _openssl_class(row, "ciphers.aead", _OPENSSL_AEADS[row.name], lambda cipher: cipher(bytes(KEY_BYTES)))
    return Aead(row, "cryptography", lambda key: _OpensslCipher(found(key)))


class _OpensslKemSecretKey:
    __slots__ = ("_key", "public_key")

    def __init__(self, key: Any) -> None:
        self._key = key
        self.public_key: bytes = key.public_key().public_bytes_raw()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        secret: bytes = self._key.decapsulate(ciphertext)
        return secret


class _OpensslKemPublicKey:
    __slots__ = ("_key",)

    def __init__(self, key: Any) -> None:
        self._key = key

    def encapsulate(self) -> tuple[bytes, bytes]:
        secret, ciphertext = self._key.encapsulate()
        return ciphertext, secret


class _OpensslSigningKey:
    __slots__ = ("_key", "public_key")

    def __init__(self, key: Any) -> None:
        self._key = key
        self.public_key: bytes = key.public_key().public_bytes_raw()

    def sign(self, message: bytes, context: bytes) -> bytes:
        signed: bytes = self._key.sign(message, context)
        return signed


class _OpensslVerifyingKey:
    __slots__ = ("_key",)

    def __init__(self, key: Any) -> None:
        self._key = key

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


# --- pqcrypto ---


def _pqcrypto_module(row: Algorithm, package: str) -> ModuleType:
    try:
        return importlib.import_module(f"pqcrypto.{package}.{row.name.lower().replace('-', '_')}")
    except ImportError:
        raise UnofferedError(
            f"{row.name} cannot be run by the installed pqcrypto "
            f"{library_versions().get('pqcrypto', '')}; it needs pqcrypto 1.0 or newer, which "
            "pip install 'quedge[pqc-all]' brings"
        ) from None


def _pqcrypto_kem(row: Algorithm) -> Kem:
    module = _pqcrypto_module(row, "kem")
    return Kem(
        row, "pqcrypto",
        lambda: _PqcryptoKemSecretKey(module),
        lambda key: _PqcryptoKemPublicKey(module, key),
    )  # fmt: skip


def _pqcrypto_signature(row: Algorithm) -> Signature:
    module = _pqcrypto_module(row, "sign")
    return Signature(
        row, "pqcrypto",
        lambda: _PqcryptoSigningKey(module),
        lambda key: _PqcryptoVerifyingKey(module, key),
    )  # fmt: skip


def _checked(key: bytes, length: int) -> bytes:
    if len(key) != length:
        raise ValueError(f"a public key of {len(key)} bytes is not allowed; it must have {length}")
    return key


class _PqcryptoKemSecretKey:
    __slots__ = ("_module", "_secret", "public_key")

    def __init__(self, module: Any) -> None:
        self._module = module
        self.public_key: bytes
        self.public_key, self._secret = module.keygen()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        secret: bytes = self._module.decaps(self._secret, ciphertext)
        return secret


class _PqcryptoKemPublicKey:
    __slots__ = ("_key", "_module")

    def __init__(self, module: Any, key: bytes) -> None:
        self._module = module
        self._key = _checked(key, module.PUBLIC_KEY_SIZE)

    def encapsulate(self) -> tuple[bytes, bytes]:
        ciphertext, secret = self._module.encaps(self._key)
        return ciphertext, secret


class _PqcryptoSigningKey:
    __slots__ = ("_module", "_secret", "public_key")

    def __init__(self, module: Any) -> None:
        self._module = module
        self.public_key: bytes
        self.public_key, self._secret = module.keygen()

    def sign(self, message: bytes, context: bytes) -> bytes:
        signed: bytes = self._module.sign(self._secret, message, context)
        return signed


class _PqcryptoVerifyingKey:
    __slots__ = ("_key", "_module")

    def __init__(self, module: Any, key: bytes) -> None:
        self._module = module
        self._key = _checked(key, module.PUBLIC_KEY_SIZE)

    def verifies(self, signature: bytes, message: bytes, context: bytes) -> bool:
        try:
            self._module.verify(self._key, message, signature, context)
        except ValueError:  # of which its InvalidSignatureError is one
            return False
        return True
