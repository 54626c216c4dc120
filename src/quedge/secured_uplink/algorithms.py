"""Which library runs an algorithm: cryptography (on OpenSSL) where it offers it, else pqcrypto.

Their calls differ in a way that no type tells: `encapsulate()` of cryptography gives (secret, ciphertext), `encaps()`
of pqcrypto (ciphertext, secret).
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import TypeVar

from quedge.model.extras import MissingExtraError, check_installed
from quedge.pqc.profiles import Algorithm, known_profiles
from quedge.secured_uplink import by_cryptography, by_pqcrypto
from quedge.secured_uplink.primitives import Aead, Kem, NoLibraryError, Signature, UnofferedError

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
