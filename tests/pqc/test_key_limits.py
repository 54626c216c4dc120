"""How much one key may encrypt, by RFC 8446 and its like, and that no more is."""

from __future__ import annotations

import dataclasses

import pytest

from quedge.model.scenario import Scenario
from quedge.pqc.costs import effort_of, traffic_of
from quedge.pqc.key_limits import check_key_use, most_records
from quedge.pqc.profiles import known_profiles
from quedge.pqc.suite import MAX_REKEY_FRAMES, SUITES

LEVEL5 = SUITES["level5"]
GCM = [row for row in known_profiles().algorithms if row.name.startswith("AES-256-GCM")]
(CHACHA,) = (row for row in known_profiles().algorithms if row.name == "ChaCha20-Poly1305")


@pytest.mark.parametrize("aead", GCM, ids=lambda row: row.name)
def test_full_tls_records_stay_below_the_limit_of_rfc_8446_and_nearly_reach_it(aead) -> None:  # type: ignore[no-untyped-def]
    assert 0.998 * 2**24.5 < most_records(aead, 1 << 14) <= 2**24.5


def test_the_blocks_under_one_key_are_at_most_2_to_the_34_5_whatever_the_size_of_records() -> None:
    for record_bytes in (1, 16, 17, 100, 1200, 1 << 14, (1 << 24) - 1):
        limit = most_records(GCM[0], record_bytes)
        assert limit is not None
        blocks = limit * (-(-record_bytes // 16) + 1)
        assert blocks <= 2**34.5 < blocks + -(-record_bytes // 16) + 1


def test_chacha20_has_no_limit_that_counters_do_not_have() -> None:
    assert most_records(CHACHA, 1) is None
    check_key_use(dataclasses.replace(LEVEL5, aead="ChaCha20-Poly1305", rekey_frames=MAX_REKEY_FRAMES), CHACHA, 10**9)


def test_an_interval_at_the_limit_is_allowed_and_a_frame_more_is_not() -> None:
    for records in (1, 23):
        most = 23_703_418 // records
        check_key_use(dataclasses.replace(LEVEL5, rekey_frames=most), GCM[0], records)
        beyond = dataclasses.replace(LEVEL5, rekey_frames=most + 1)
        told = rf"^rekey_frames: {most + 1} is not allowed; a key of AES-256-GCM .* it must be at most {most}$"
        with pytest.raises(ValueError, match=told):
            check_key_use(beyond, GCM[0], records)


def test_no_price_is_told_of_a_key_that_would_encrypt_too_much() -> None:
    beyond = dataclasses.replace(LEVEL5, rekey_frames=MAX_REKEY_FRAMES)
    told = r"^rekey_frames: 1000000000 is not allowed; a key of AES-256-GCM may encrypt 23703418 records"
    for price in (lambda: traffic_of(beyond), lambda: effort_of(beyond, "stm32f411")):
        with pytest.raises(ValueError, match=told):
            price()
    with pytest.raises(ValueError, match=told):
        Scenario(suite="level5", device="stm32f411", rekey_frames=MAX_REKEY_FRAMES)
    traffic_of(dataclasses.replace(beyond, aead="ChaCha20-Poly1305"))


def test_a_row_of_one_s_own_may_have_a_limit_of_its_own() -> None:
    own = dataclasses.replace(CHACHA, name="mine", blocks_per_key=1_000)
    profiles = known_profiles().with_rows(algorithms=[own])
    with pytest.raises(ValueError, match=r"a key of mine may encrypt 83 records of 176 bytes, .* at most 83$"):
        traffic_of(dataclasses.replace(LEVEL5, aead="mine", record_bytes=176), profiles)
