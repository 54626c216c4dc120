"""Which suites CNSA 2.0 allows."""

from __future__ import annotations

import dataclasses

import pytest

from quedge.pqc.cnsa import AEADS, outside_cnsa
from quedge.pqc.suite import SUITES, Suite

LEVEL5 = SUITES["level5"]


def test_level_5_conforms_as_it_stands_with_every_build_of_aes() -> None:
    for aead in AEADS:
        assert outside_cnsa(dataclasses.replace(LEVEL5, aead=aead.lower())) == ()


@pytest.mark.parametrize(
    ("suite", "outside"),
    [
        (dataclasses.replace(LEVEL5, aead="ChaCha20-Poly1305"), ["ChaCha20-Poly1305 instead of AES-256-GCM"]),
        (dataclasses.replace(LEVEL5, kem="SecP384r1MLKEM1024"), ["SecP384r1MLKEM1024 instead of ML-KEM-1024"]),
        (dataclasses.replace(LEVEL5, kem="ML-KEM-768"), ["ML-KEM-768 instead of ML-KEM-1024"]),
        (dataclasses.replace(LEVEL5, signature="ML-DSA-65"), ["ML-DSA-65 instead of ML-DSA-87"]),
        (dataclasses.replace(LEVEL5, signature="SLH-DSA-SHA2-256s"), ["SLH-DSA-SHA2-256s instead of ML-DSA-87"]),
        (
            SUITES["level3"],
            [
                "ML-KEM-768 instead of ML-KEM-1024", "ML-DSA-65 instead of ML-DSA-87",
                "ChaCha20-Poly1305 instead of AES-256-GCM", "SHA-256 instead of SHA-384",
            ],
        ),
    ],
)  # fmt: skip
def test_what_is_outside_is_named_with_what_is_inside(suite: Suite, outside: list[str]) -> None:
    assert list(outside_cnsa(suite)) == outside


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="aead: 'rot13' is not allowed; it must be one of AES-256-GCM"):
        outside_cnsa(dataclasses.replace(LEVEL5, aead="rot13"))
