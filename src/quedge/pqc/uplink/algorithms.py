"""Which library runs an algorithm, and a suite whose algorithms run."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from quedge.errors import MissingExtraError, check_installed
from quedge.pqc.profiles import Algorithm, known_profiles
from quedge.pqc.suite import Suite
from quedge.pqc.uplink import algorithms, by_cryptography, by_pqcrypto
from quedge.pqc.uplink.primitives import Aead, Kem, NoLibraryError, Signature, UnofferedError

_RUNS = {
    "kem": (*by_pqcrypto.KEMS, *by_cryptography.KEMS),
    "signature": (*by_pqcrypto.SIGNATURES, *by_cryptography.SIGNATURES),
    "aead": tuple(by_cryptography.AEADS),
}

Built = TypeVar("Built", Kem, Signature, Aead)


def kem(name: str) -> Kem:
    """A key encapsulation mechanism by name, in any case of letters.

    Raises:
        MissingExtraError: a library that is not installed offers it; the message names the extra.
        UnofferedError: no library offers it, or the installed build does not.
        ValueError: no algorithm has this name.
    """
    row = known_profiles().algorithm("kem", "kem", name)
    return _first_offered(
        row,
        by_cryptography.kem if row.name in by_cryptography.KEMS else None,
        by_pqcrypto.kem if row.name in by_pqcrypto.KEMS else None,
    )


def signature(name: str) -> Signature:
    """A signature scheme by name; as `kem`."""
    row = known_profiles().algorithm("signature", "signature", name)
    return _first_offered(
        row,
        by_cryptography.signature if row.name in by_cryptography.SIGNATURES else None,
        by_pqcrypto.signature if row.name in by_pqcrypto.SIGNATURES else None,
    )


def aead(name: str) -> Aead:
    """An AEAD by name; as `kem`."""
    row = known_profiles().algorithm("aead", "aead", name)
    return _first_offered(row, by_cryptography.aead if row.name in by_cryptography.AEADS else None, None)


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


def _first_offered(
    row: Algorithm, cryptography: Callable[[Algorithm], Built] | None, pqcrypto: Callable[[Algorithm], Built] | None
) -> Built:
    """The algorithm by the first library that has it; else why not, said of the first that could."""
    refusals: list[Exception] = []
    for build, library, extra in ((cryptography, "cryptography", "pqc"), (pqcrypto, "pqcrypto", "pqc-all")):
        if build is not None:
            try:
                check_installed(library, row.name, library, extra)
                return build(row)
            except (MissingExtraError, UnofferedError) as refusal:
                refusals.append(refusal)
    if refusals:
        raise refusals[0]
    runs = ", ".join(dict.fromkeys(_RUNS[row.kind]))
    raise NoLibraryError(
        f"{row.name!r} is not allowed; none of the supported libraries runs it; it must be one of {runs}"
    )


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
