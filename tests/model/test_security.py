"""A scenario's suite, and the constants that follow from it."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from quedge.model.cell import cell_of
from quedge.model.scenario import Scenario
from quedge.pqc.profiles import Cycles, Framing, known_profiles

LEVEL3 = Scenario(suite="level3", device="stm32f411", rekey_frames=10)


def test_the_constants_of_a_suite_as_laid_by_hand() -> None:
    joules_per_cycle = 0.0774 / 96e6
    expected = {
        "payload_factor": 16384 / 16406,  # 6 bytes of header and a tag of 16
        "pqc_power_w": 685_192.5 * joules_per_cycle,  # encapsulation and signature, a tenth of both
        "pqc_energy_j_per_bit": 43.57 / 8 * joules_per_cycle,
        "pqc_overhead_bits": 8 * (22 + 441.3),
        "pqc_max_rate_mbps": (96e6 - 685_192.5) / 43.57 * 8 / 1e6,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(LEVEL3.per_device(name), np.full(10, value), rtol=1e-12)
    cell = cell_of(LEVEL3)
    np.testing.assert_allclose(cell.uplink_mbps, 16384 / 16406 * 2.0 / 1.1)
    np.testing.assert_allclose(cell.overhead_mbps, 16384 / 16406 * 8 * 463.3 / 1e6)
    np.testing.assert_allclose(cell.circuit_energy_j_per_mbit, 43.57 / 8 * joules_per_cycle * 1e6)


def test_in_short_frames_key_exchange_costs_more_power_and_more_rate() -> None:
    short = dataclasses.replace(LEVEL3, frame_s=0.1)
    np.testing.assert_allclose(short.per_device("pqc_power_w"), 10.0 * LEVEL3.per_device("pqc_power_w"))
    np.testing.assert_allclose(cell_of(short).overhead_mbps, 10.0 * cell_of(LEVEL3).overhead_mbps)
    np.testing.assert_array_equal(short.per_device("pqc_energy_j_per_bit"), LEVEL3.per_device("pqc_energy_j_per_bit"))


def test_settings_of_the_suite_can_be_replaced() -> None:
    other = dataclasses.replace(LEVEL3, kem="HQC-128", aead="aes-256-gcm", record_bytes=1200, static_power_w=0.002)
    assert other.per_device("payload_factor")[0] == 1200 / 1222
    assert other.per_device("pqc_overhead_bits")[0] == pytest.approx(8 * (22 + (16 + 4433 + 3309) / 10))
    assert other.per_device("pqc_power_w")[0] > 0.002


def test_a_scenario_with_a_suite_is_that_with_its_constants() -> None:
    written = cell_of(Scenario(**LEVEL3.derived))
    for ours, theirs in zip(cell_of(LEVEL3), written, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        (
            {"suite": "level4", "device": "stm32f411"},
            "suite: 'level4' is not allowed; it must be one of level1, level3",
        ),
        ({"suite": 3}, "suite: 3 is not allowed; it must be a name"),
        ({"suite": "level3"}, "device: is missing; the suite 'level3' needs one of stm32f411, "),
        ({"suite": "level3", "device": "abacus"}, "device: 'abacus' is not allowed; it must be one of stm32f411, "),
        ({"suite": "level3", "device": "rp2040"}, "device: no source gives the cycles of ChaCha20-Poly1305"),
        ({"device": "stm32f411"}, "device: 'stm32f411' is not allowed without a suite"),
        ({"rekey_frames": 10}, "rekey_frames: 10 is not allowed without a suite"),
        ({"sign_every_frame": False}, "sign_every_frame: False is not allowed without a suite"),
        ({"suite": "level3", "device": "stm32f411", "rekey_frames": 0}, "rekey_frames: 0 is not allowed; .*at least 1"),
        (
            {"suite": "level3", "device": "stm32f411", "rekey_frames": 1.5},
            "rekey_frames: 1.5 is not allowed; .*integer",
        ),
        ({"suite": "level3", "device": "stm32f411", "record_bytes": 1 << 30}, "record_bytes: .* is not allowed"),
        ({"suite": "level3", "device": "stm32f411", "sign_every_frame": 1}, "sign_every_frame: 1 .*true or false"),
        ({"suite": "level3", "device": "stm32f411", "masking_factor": 0.9}, "masking_factor: 0.9 is not allowed"),
        (
            {"suite": "level3", "device": "stm32f411", "kem": "RSA"},
            "kem: 'RSA' is not allowed; it must be one of ML-KEM",
        ),
        (
            {"suite": "level3", "device": "stm32f411", "pqc_power_w": 0.01},
            "pqc_power_w: 0.01 is not allowed beside the suite 'level3', from which it follows",
        ),
        (
            {"suite": "level3", "device": "stm32f411", "payload_factor": 0.9},
            "payload_factor: 0.9 is not allowed beside the suite",
        ),
        (
            {"suite": "level3", "device": "stm32f411", "frame_s": 1e-3, "rekey_frames": 1},
            "device: 'stm32f411' is not allowed; at a key exchange every 1 frames of 0.001 s the suite 'level3' asks "
            "it for 71.4 times the cycles that it has",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_by_key(keys: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        Scenario(**keys)


def test_a_missing_number_can_be_supplied() -> None:
    own = Cycles("stm32f411", "AES-256-GCM-HW", "byte", 26.0)
    profiles = known_profiles().with_rows(cycles=[own])
    scenario = Scenario(suite="level3", device="stm32f411", aead="AES-256-GCM-HW", profiles=profiles)
    assert scenario.per_device("pqc_energy_j_per_bit")[0] == pytest.approx(26.0 / 8 * 0.0774 / 96e6)


def test_names_in_any_case_are_the_same_scenario() -> None:
    other = Scenario(suite="LEVEL3", device="STM32F411", rekey_frames=10)
    assert other == LEVEL3
    assert other.suite == "level3"
    assert Scenario(suite="level3", device="stm32l4", aead="aes-256-gcm-hw").aead == "AES-256-GCM-HW"


def test_what_follows_from_a_suite_cannot_be_changed_and_is_kept_by_a_copy() -> None:
    LEVEL3.derived["pqc_power_w"] = 99.0
    assert LEVEL3.per_device("pqc_power_w")[0] < 0.01
    copy = pickle.loads(pickle.dumps(LEVEL3))
    assert copy == LEVEL3
    assert copy.derived == LEVEL3.derived


def test_settings_of_a_suite_are_numbers_a_device_too_and_names_are_none() -> None:
    np.testing.assert_array_equal(LEVEL3.per_device("rekey_frames"), np.full(10, 10.0))
    np.testing.assert_array_equal(LEVEL3.per_device("record_bytes"), np.full(10, 16_384.0))  # the suite's own
    for scenario, name in (
        (LEVEL3, "suite"),
        (LEVEL3, "sign_every_frame"),
        (LEVEL3, "x"),
        (Scenario(), "rekey_frames"),
    ):
        with pytest.raises(ValueError, match=rf"^name: '{name}' is not allowed"):
            scenario.per_device(name)


def test_constants_beyond_their_ranges_are_refused_though_a_suite_comes_to_them() -> None:
    huge = known_profiles().with_rows(framings=[Framing("huge", 10**15, 6)])
    with pytest.raises(ValueError, match=r"^suite: 'level3' comes to pqc_overhead_bits = .*, which must be at least 0"):
        Scenario(suite="level3", device="stm32f411", framing="huge", profiles=huge)
