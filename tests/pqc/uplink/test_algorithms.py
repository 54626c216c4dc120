"""The libraries: what runs which algorithm, and what is said where none does."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mlkem

from quedge.errors import MissingExtraError
from quedge.pqc.suite import SUITES
from quedge.pqc.uplink import algorithms
from quedge.pqc.uplink.algorithms import live_suite
from quedge.pqc.uplink.primitives import UnofferedError

KEMS = (
    "ML-KEM-512", "ML-KEM-768", "ML-KEM-1024", "HQC-128", "HQC-192", "HQC-256", "X25519MLKEM768", "SecP256r1MLKEM768",
    "SecP384r1MLKEM1024",
)  # fmt: skip
SIGNATURES = (
    "ML-DSA-44", "ML-DSA-65", "ML-DSA-87",
    *(f"SLH-DSA-{hashed}-{name}" for hashed in ("SHA2", "SHAKE") for name in ("128f", "192f", "256f")),
)  # fmt: skip
"""Of SLH-DSA the sets that sign within a second; a test below has the names of all."""
AEADS = ("AES-256-GCM", "AES-256-GCM-ASM", "AES-256-GCM-CT", "AES-256-GCM-HW", "ChaCha20-Poly1305")

Without = Callable[..., None]


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Without:
    """Hides libraries, as if they were not installed."""
    find = importlib.util.find_spec

    def hide(*libraries: str) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in libraries else find(name))

    return hide


@pytest.mark.parametrize("name", KEMS)
def test_a_kem_gives_both_sides_one_secret_and_ciphertext_comes_first(name: str) -> None:
    kem = algorithms.kem(name)
    secret_key = kem.generate()
    assert len(secret_key.public_key) == kem.row.public_key_bytes
    ciphertext, secret = kem.public(secret_key.public_key).encapsulate()
    assert len(ciphertext) == kem.row.output_bytes
    assert secret_key.decapsulate(ciphertext) == secret
    assert kem.generate().decapsulate(ciphertext) != secret
    with pytest.raises(ValueError, match=r"."):
        secret_key.decapsulate(ciphertext[:-1])
    with pytest.raises(ValueError, match=r"."):
        kem.public(secret_key.public_key[:-1])


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_holds_for_its_key_message_and_context_only(name: str) -> None:
    scheme = algorithms.signature(name)
    key, other = scheme.generate(), scheme.generate()
    signature = key.sign(b"message", b"context")
    assert len(key.public_key) == scheme.row.public_key_bytes
    assert len(signature) == scheme.row.output_bytes
    public = scheme.public(key.public_key)
    assert public.verifies(signature, b"message", b"context")
    assert not public.verifies(signature, b"message!", b"context")
    assert not public.verifies(signature, b"message", b"context!")
    assert not public.verifies(signature[:-1], b"message", b"context")
    assert not public.verifies(b"", b"message", b"context")
    assert not scheme.public(other.public_key).verifies(signature, b"message", b"context")
    with pytest.raises(ValueError, match=r"."):
        scheme.public(key.public_key[:-1])


@pytest.mark.parametrize("name", AEADS)
def test_an_aead_gives_nothing_back_unless_everything_fits(name: str) -> None:
    cipher, nonce = algorithms.aead(name).cipher(bytes(32)), bytes(12)
    sealed = cipher.encrypt(nonce, b"data", b"with")
    assert len(sealed) == 4 + algorithms.aead(name).row.output_bytes
    assert cipher.decrypt(nonce, sealed, b"with") == b"data"
    assert cipher.decrypt(nonce, sealed, b"without") is None
    assert cipher.decrypt(b"another..one", sealed, b"with") is None
    assert cipher.decrypt(nonce, sealed[:-1] + b"!", b"with") is None


def test_cryptography_is_taken_before_pqcrypto() -> None:
    assert algorithms.kem("ML-KEM-768").library == "cryptography"
    assert algorithms.signature("ML-DSA-44").library == "cryptography"
    assert algorithms.kem("ml-kem-512").library == "pqcrypto"


def test_pqcrypto_takes_over_where_cryptography_is_missing(without: Without) -> None:
    without("cryptography")
    assert algorithms.kem("ML-KEM-768").library == "pqcrypto"
    with pytest.raises(MissingExtraError, match=r"ChaCha20-Poly1305 needs cryptography.*'quedge\[pqc\]'"):
        algorithms.aead("ChaCha20-Poly1305")


def test_a_missing_library_is_named_with_the_extra_that_brings_it(without: Without) -> None:
    without("cryptography", "pqcrypto")
    with pytest.raises(MissingExtraError, match=r"ML-KEM-768 needs cryptography.*pip install 'quedge\[pqc\]'"):
        live_suite(SUITES["level3"])
    with pytest.raises(MissingExtraError, match=r"ML-KEM-512 needs pqcrypto.*pip install 'quedge\[pqc-all\]'"):
        live_suite(SUITES["level1"])


@pytest.mark.parametrize(
    ("find", "name"),
    [(algorithms.signature, "Falcon-512"), (algorithms.signature, "ECDSA-P256")],
)
def test_what_no_library_runs_is_refused_with_what_one_does(find: Callable[[str], Any], name: str) -> None:
    with pytest.raises(UnofferedError, match=f"'{name}' is not allowed; none of .* must be one of ML-"):
        find(name)
    with pytest.raises(ValueError, match="'x' is not allowed; it must be one of"):
        find("x")


class _OnOldOpenssl:
    @staticmethod
    def generate() -> None:
        raise UnsupportedAlgorithm("not here")


def test_a_build_on_an_old_openssl_is_said_to_be_one(without: Without, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlkem, "MLKEM768PrivateKey", _OnOldOpenssl)
    assert algorithms.kem("ML-KEM-768").library == "pqcrypto"
    without("pqcrypto")
    with pytest.raises(UnofferedError, match=r"ML-KEM-768 cannot be run by the installed cryptography .* OpenSSL 3\.5"):
        algorithms.kem("ML-KEM-768")


def test_an_old_cryptography_is_said_to_be_one(without: Without, monkeypatch: pytest.MonkeyPatch) -> None:
    without("pqcrypto")
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mlkem", None)
    with pytest.raises(UnofferedError, match="it needs cryptography 48 or newer"):
        algorithms.kem("ML-KEM-768")


def test_an_old_pqcrypto_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pqcrypto.kem.ml_kem_512", None)
    with pytest.raises(UnofferedError, match=r"it needs pqcrypto 1\.0 or newer"):
        algorithms.kem("ML-KEM-512")


def test_the_versions_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = algorithms.library_versions()
    assert set(versions) == {"cryptography", "pqcrypto", "OpenSSL"}
    assert all(version[0].isdigit() and " " not in version for version in versions.values())
