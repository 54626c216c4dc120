"""Interfaces of a suite's algorithms, whichever library runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from quedge.pqc.profiles import Algorithm


class Rejected(Exception):  # noqa: N818  (the protocol's own word: a message is accepted or rejected)
    """A message was not accepted; the session is over.

    The text says in a few words what was wrong with the message. It holds no key, no data and no received bytes.
    """


KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


class UnofferedError(ValueError):
    """An algorithm that no library, or not the installed build of it, can run; the message says which and why."""


class NoLibraryError(UnofferedError):
    """An algorithm that none of the supported libraries runs."""


class KemSecretKey(Protocol):
    """A secret key of a KEM; its repr shows nothing of it."""

    public_key: bytes

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret in a ciphertext; a wrong one gives another secret, one of another length a ValueError."""


class KemPublicKey(Protocol):
    """A public key of a KEM."""

    def encapsulate(self) -> tuple[bytes, bytes]:
        """A ciphertext and the secret in it, in this order."""


class SigningKey(Protocol):
    """A secret key of a signature scheme; its repr shows nothing of it."""

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


_Secret = TypeVar("_Secret")
_Public = TypeVar("_Public")


@dataclass(frozen=True)
class KeyAlgorithm(Generic[_Secret, _Public]):
    """A key encapsulation mechanism or signature scheme that runs.

    Attributes:
        row: its name and sizes.
        library: what runs it.
        generate: makes a secret key.
        public: reads a public key; a ValueError where it is none.
    """

    row: Algorithm
    library: str
    generate: Callable[[], _Secret]
    public: Callable[[bytes], _Public]


Kem = KeyAlgorithm[KemSecretKey, KemPublicKey]
Signature = KeyAlgorithm[SigningKey, VerifyingKey]


@dataclass(frozen=True)
class Aead:
    """An AEAD that runs: its name and sizes, what runs it, and what makes it with a key of 32 bytes."""

    row: Algorithm
    library: str
    cipher: Callable[[bytes], Cipher]
