"""Which library runs an algorithm, and a suite whose algorithms run."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, cast

from quedge.errors import MissingExtraError, check_installed, one_of
from quedge.pqc.key_limits import check_key_use, most_records
from quedge.pqc.profiles import Algorithm, known_profiles
from quedge.pqc.suite import Suite, hash_of
from quedge.pqc.uplink import by_cryptography, by_pqcrypto, hybrids
from quedge.pqc.uplink.primitives import Aead, Kem, NoLibraryError, Signature, UnofferedError

_LIBRARIES: dict[str, tuple[tuple[Collection[str], Callable[[Algorithm], Any], str, str], ...]] = {
    "kem": (
        (by_cryptography.KEMS, by_cryptography.kem, "cryptography", "pqc"),
        (by_pqcrypto.KEMS, by_pqcrypto.kem, "pqcrypto", "pqc-all"),
        (hybrids.KEMS, hybrids.kem, "cryptography", "pqc"),
    ),
    "signature": (
        (by_cryptography.SIGNATURES, by_cryptography.signature, "cryptography", "pqc"),
        (by_pqcrypto.SIGNATURES, by_pqcrypto.signature, "pqcrypto", "pqc-all"),
    ),
    "aead": ((by_cryptography.AEADS, by_cryptography.aead, "cryptography", "pqc"),),
}
"""By kind of algorithm, in the order in which they are tried: names, what builds them, library and extra."""


def kem(name: str) -> Kem:
    """A key encapsulation mechanism by name, in any case of letters.

    Raises:
        MissingExtraError: a library that is not installed offers it; the message names the extra.
        UnofferedError: no library offers it, or the installed build does not.
        ValueError: no algorithm has this name.
    """
    return cast(Kem, _first_offered("kem", name))


def signature(name: str) -> Signature:
    """A signature scheme by name; as `kem`."""
    return cast(Signature, _first_offered("signature", name))


def aead(name: str) -> Aead:
    """An AEAD by name; as `kem`."""
    return cast(Aead, _first_offered("aead", name))


def _first_offered(kind: str, name: str) -> Any:
    """The algorithm by the first library that has it; else why not, said of the first that could."""
    row = known_profiles().algorithm(kind, kind, name)
    refusals: list[Exception] = []
    for names, build, library, extra in _LIBRARIES[kind]:
        if row.name in names:
            try:
                check_installed(library, row.name, library, extra)
                return build(row)
            except (MissingExtraError, UnofferedError) as refusal:
                refusals.append(refusal)
    if refusals:
        raise refusals[0]
    runs = dict.fromkeys(name for names, *_ in reversed(_LIBRARIES[kind]) for name in names)
    raise NoLibraryError(
        f"{row.name!r} is not allowed; none of the supported libraries runs it; it must be {one_of(runs)}"
    )


def library_versions() -> dict[str, str]:
    """Versions of the installed libraries, by name."""
    versions = {}
    for library in ("cryptography", "pqcrypto"):
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    if "cryptography" in versions:
        versions["OpenSSL"] = by_cryptography.openssl_version()
    return versions


_NUMBERS = {
    "ML-KEM-512": 0x01, "ML-KEM-768": 0x02, "ML-KEM-1024": 0x03,
    "HQC-128": 0x11, "HQC-192": 0x12, "HQC-256": 0x13,
    "X25519MLKEM768": 0x21, "SecP256r1MLKEM768": 0x22, "SecP384r1MLKEM1024": 0x23,
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
        hash: name of the hash of keys and of signed frames.
        most_records: most records that one key may encrypt; None without a limit.
    """

    suite: Suite
    kem: Kem
    signature: Signature
    aead: Aead
    number: bytes
    hash: str
    most_records: int | None


def live_suite(suite: Suite) -> LiveSuite:
    """A suite with algorithms that run on this machine.

    Raises:
        MissingExtraError: a library is not installed; the message names the extra.
        ValueError: another framing than "pinned", an algorithm that cannot be run, or so many frames with one key that
            it would encrypt more than it may.
    """
    if suite.framing != "pinned":
        raise ValueError(f"framing: {suite.framing!r} cannot be emulated; it must be 'pinned'")
    parts = kem(suite.kem), signature(suite.signature), aead(suite.aead)
    numbers = [_NUMBERS[part.row.name] for part in parts]
    if suite.sign_every_frame:
        numbers[-1] |= _SIGNS_FRAMES
    by_kem, by_signature, by_aead = (part.row for part in parts)
    check_key_use(suite, by_aead)
    limit = most_records(by_aead, suite.record_bytes)
    return LiveSuite(suite, *parts, bytes(numbers), hash_of(by_kem, by_signature), limit)
