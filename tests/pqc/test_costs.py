"""From suites to bytes, watts and cycles: against sums laid by hand."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.pqc.costs import effort_of, traffic_of
from quedge.pqc.profiles import Cycles, Framing, MissingNumberError, known_profiles
from quedge.pqc.suite import SUITES, Suite

LEVEL3 = SUITES["level3"]
LEAST_KEY_EXCHANGE_BYTES = {"level1": 3204, "level3": 4413, "level5": 6211}
"""16 + ciphertext + signature: 16 + 768 + 2420, 16 + 1088 + 3309, 16 + 1568 + 4627."""


@pytest.mark.parametrize("name", SUITES)
def test_a_pinned_key_exchange_is_header_ciphertext_and_signature(name: str) -> None:
    assert traffic_of(SUITES[name]).rekey_bytes == LEAST_KEY_EXCHANGE_BYTES[name]


@pytest.mark.parametrize(("rekey", "factor"), [(1, 0.98705), (10, 0.99748), (100, 0.99854)])
def test_the_payload_factor_at_level_3_and_3_mbit_as_laid_by_hand(rekey: int, factor: float) -> None:
    # 375,000 bytes in 23 records of at most 16,384: 23 · 22 = 506 bytes, and 4,413 / K of the key exchange
    traffic = traffic_of(dataclasses.replace(LEVEL3, rekey_frames=rekey))
    assert traffic.wire_bytes(3e6) == 375_000 + 506 + 4413 / rekey
    assert traffic.payload_factor(3e6) == pytest.approx(375_000 / (375_506 + 4413 / rekey), rel=1e-15)
    assert round(traffic.payload_factor(3e6), 5) == factor


@pytest.mark.parametrize(
    ("name", "mbit", "rekey", "records", "factor"),
    [
        ("level1", 0.1, 1, 1200, 0.78390),
        ("level3", 1.0, 10, 1200, 0.97846),
        ("level5", 0.1, 1, 16_384, 0.66727),
        ("level5", 10.0, 1000, 16_384, 0.99864),
    ],
)
def test_payload_factors_elsewhere(name: str, mbit: float, rekey: int, records: int, factor: float) -> None:
    suite = dataclasses.replace(SUITES[name], rekey_frames=rekey, record_bytes=records)
    assert round(traffic_of(suite).payload_factor(1e6 * mbit), 5) == factor


def test_signing_every_frame_sends_a_signature_more() -> None:
    suite = dataclasses.replace(LEVEL3, record_bytes=1200, sign_every_frame=True)
    assert traffic_of(suite).wire_bytes(1e5) == 12_500 + 11 * 22 + 44.13 + 3309


@pytest.mark.parametrize(("signature", "measured"), [("ML-DSA-44", 8037), ("ML-DSA-65", 10455), ("ML-DSA-87", 13731)])
def test_tls_comes_to_the_bytes_that_were_measured(signature: str, measured: int) -> None:
    assert traffic_of(Suite("X25519MLKEM768", signature, framing="tls13-mutual")).rekey_bytes == measured


@given(
    name=st.sampled_from(sorted(SUITES)),
    records=st.integers(1, 20_000),
    rekey=st.integers(1, 1000),
    sign=st.booleans(),
    task_bytes=st.integers(1, 2_000_000),
)
def test_the_affine_form_is_never_too_little_and_by_a_record_s_overhead_too_much_at_most(
    name: str, records: int, rekey: int, sign: bool, task_bytes: int
) -> None:
    suite = dataclasses.replace(SUITES[name], record_bytes=records, rekey_frames=rekey, sign_every_frame=sign)
    traffic = traffic_of(suite)
    affine = task_bytes / traffic.record_share + traffic.overhead_bits / 8
    beyond = affine - traffic.wire_bytes(8.0 * task_bytes)
    assert -1e-9 * affine <= beyond <= traffic.record_overhead_bytes * (1.0 + 1e-9)


def test_nothing_sent_has_no_payload() -> None:
    assert traffic_of(LEVEL3).payload_factor(0.0) == 0.0
    for bad in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"^task_bits: .* is not allowed"):
            traffic_of(LEVEL3).payload_factor(bad)


@pytest.mark.parametrize(
    ("aead", "device", "rekey", "milliwatts"),
    [
        # 77.4 mW / 96 MHz = 0.80625 nJ a cycle; 375,000 bytes · 43.57 cycles; 658,754 + 6,193,171 cycles a rekey
        ("ChaCha20-Poly1305", "stm32f411", 1, 18.697),
        ("ChaCha20-Poly1305", "stm32f411", 100, 13.228),
        ("AES-256-GCM", "stm32f411", 1, 102.637),
        ("AES-256-GCM-CT", "stm32f411", 1, 104.905),
        ("AES-256-GCM-ASM", "stm32f411", 1, 40.294),
        # 28.8 mW / 80 MHz = 0.36 nJ a cycle; 26.04 cycles a byte in hardware
        ("AES-256-GCM-HW", "stm32l4", 1, 5.982),
        ("AES-256-GCM-HW", "stm32l4", 100, 3.540),
    ],
)
def test_the_circuit_power_at_level_3_and_3_mbit_as_laid_by_hand(
    aead: str, device: str, rekey: int, milliwatts: float
) -> None:
    effort = effort_of(dataclasses.replace(LEVEL3, aead=aead, rekey_frames=rekey), device)
    assert 1e3 * sum(effort.power(3e6, 1.0)) == pytest.approx(milliwatts, abs=5e-4)


def test_power_has_its_parts() -> None:
    suite = dataclasses.replace(LEVEL3, rekey_frames=10, sign_every_frame=True, static_power_w=0.001)
    power = effort_of(suite, "stm32f411").power(2e6, 0.5)
    joules_per_cycle = 0.0774 / 96e6
    assert power.static == 0.001
    assert power.bits == pytest.approx(2e6 / 8 * (43.57 + 92.24) * joules_per_cycle / 0.5)  # encrypted and hashed
    assert power.rekey == pytest.approx((658_754 + 6_193_171) / 10 * joules_per_cycle / 0.5)
    assert power.frame_signature == pytest.approx(6_193_171 * joules_per_cycle / 0.5)


@pytest.mark.parametrize(
    ("aead", "cycles_per_byte", "keeps_up"),
    [("AES-256-GCM", 321.2, False), ("AES-256-GCM-CT", 328.7, False), ("AES-256-GCM-ASM", 115.0, True)],
)
def test_whether_software_aes_keeps_up_with_3_mbit_on_an_m4_depends_on_the_build(
    aead: str, cycles_per_byte: float, keeps_up: bool
) -> None:
    effort = effort_of(dataclasses.replace(LEVEL3, aead=aead, rekey_frames=1), "stm32f411")
    assert effort.cpu_share(3e6, 1.0) == pytest.approx((375_000 * cycles_per_byte + 6_851_925) / 96e6)
    assert (effort.cpu_share(3e6, 1.0) <= 1.0) == keeps_up
    most = effort.max_rate_bps(1.0)
    assert effort.cpu_share(most, 1.0) == pytest.approx(1.0)
    assert (most >= 3e6) == keeps_up


def test_sums_of_two_measurements_are_what_their_source_says() -> None:
    profiles = known_profiles()
    device = profiles.device("device", "stm32f411")
    for name, parts in (("AES-256-GCM-ASM", (774.6 / 16, 66.54)), ("AES-256-GCM-CT", (115.6, 213.1))):
        count = profiles.counted(device, profiles.algorithm("aead", "aead", name), "byte")
        assert count.cycles == pytest.approx(sum(parts), abs=0.06)
        assert count.build.startswith("derived sum")
        assert count.source.startswith("a sum of two measurements")


@pytest.mark.parametrize(
    ("device", "aead", "rate_kib", "clock_hz"),
    [
        ("stm32u585", "AES-256-GCM", 46.860, 160e6),
        ("stm32u585", "AES-256-GCM-HW", 5.615 * 1024, 160e6),
        ("stm32u585", "ChaCha20-Poly1305", 2.456 * 1024, 160e6),
        ("stm32h753", "AES-256-GCM-HW", 8.765 * 1024, 480e6),
        ("stm32l4", "AES-256-GCM", 243.191, 80e6),
    ],
)
def test_rates_are_counted_in_kibibytes(device: str, aead: str, rate_kib: float, clock_hz: float) -> None:
    # 25 blocks of 1,024 bytes are "25 KB" to wolfSSL 4.4.1 and 5.3.1, "25 KiB" to 5.6.4
    profiles = known_profiles()
    count = profiles.counted(profiles.device("device", device), profiles.algorithm("aead", "aead", aead), "byte")
    assert count.cycles == pytest.approx(clock_hz / (1024 * rate_kib), rel=5e-4)


def test_a_hybrid_costs_its_ml_kem_and_an_exchange_on_its_curve() -> None:
    # wolfSSL's milliseconds at 80 MHz, to generate a key and to agree
    for kem, ml_kem, (generates, agrees) in (
        ("X25519MLKEM768", 658_754, (31.969, 31.625)), ("SecP384r1MLKEM1024", 1_031_565, (123.2, 265.75)),
    ):  # fmt: skip
        cycles = effort_of(dataclasses.replace(LEVEL3, kem=kem), "stm32f411").rekey_cycles
        assert cycles == pytest.approx(ml_kem + 80e3 * (generates + agrees) + 6_193_171, abs=1.0)


def lattice_cycles(device: str) -> list[Cycles]:
    """Counts of what a key exchange of level 5 takes, made up for a device without any."""
    return [Cycles(device, "ML-KEM-1024", "encaps", 1e6), Cycles(device, "ML-DSA-87", "sign", 1e7)]


def test_a_frame_that_is_signed_at_level_5_is_hashed_by_sha_384() -> None:
    level5 = dataclasses.replace(SUITES["level5"], sign_every_frame=True)
    assert effort_of(level5, "stm32f411").cycles_per_byte == pytest.approx(321.2 + 231.25, abs=0.1)
    known = known_profiles()
    powered = dataclasses.replace(known.device("device", "stm32u585"), active_power_w=0.05)
    with pytest.raises(MissingNumberError, match=r"no source gives the cycles of SHA-384 \(a byte\) on stm32u585"):
        effort_of(level5, "stm32u585", known.with_rows(devices=[powered], cycles=lattice_cycles("stm32u585")))


def test_an_ephemeral_exchange_generates_and_decapsulates_and_tls_verifies_twice() -> None:
    pinned, ephemeral, tls = (
        effort_of(dataclasses.replace(LEVEL3, framing=framing), "stm32f411").rekey_cycles
        for framing in ("pinned", "pinned-ephemeral", "tls13-mutual")
    )
    assert pinned == 658_754 + 6_193_171
    assert ephemeral == 642_096 + 707_827 + 6_193_171
    assert tls == ephemeral + 2 * 2_415_944


def test_masking_slows_down_what_touches_a_secret_key_only() -> None:
    masked = dataclasses.replace(LEVEL3, masking_factor=3.0)
    assert effort_of(masked, "stm32f411").rekey_cycles == 658_754 + 3 * 6_193_171
    assert effort_of(masked, "stm32f411").cycles_per_byte == 43.57


def test_a_framing_without_signatures_does_not_pay_for_signing() -> None:
    bare = Framing("bare", 16, 6, signatures=0)
    profiles = known_profiles().with_rows(framings=[bare])
    suite = dataclasses.replace(LEVEL3, framing="bare")
    assert traffic_of(suite, profiles).rekey_bytes == 16 + 1088
    assert effort_of(suite, "stm32f411", profiles).rekey_cycles == 658_754


def test_records_are_no_longer_than_the_framing_allows() -> None:
    suite = dataclasses.replace(LEVEL3, framing="tls13-mutual", record_bytes=16_385)
    for costs in (lambda: traffic_of(suite), lambda: effort_of(suite, "stm32f411")):
        with pytest.raises(
            ValueError, match=r"^record_bytes: 16385 is not allowed; with the framing tls13-mutual .* 16384"
        ):
            costs()


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, None, True, "3"])
def test_what_is_no_number_of_bits_or_no_frame_is_refused(bad: Any) -> None:
    traffic, effort = traffic_of(LEVEL3), effort_of(LEVEL3, "stm32f411")
    for cost in (traffic.wire_bytes, traffic.payload_factor, lambda bits: effort.power(bits, 1.0)):
        with pytest.raises(ValueError, match=r"^task_bits: .* is not allowed"):
            cost(bad)
    for frame_s in (0.0, bad):
        with pytest.raises(ValueError, match=r"^frame_s: .* is not allowed"):
            effort.cpu_share(1.0, frame_s)


@pytest.mark.parametrize(
    ("suite", "device", "missing"),
    [
        (Suite("ML-KEM-768", "ML-DSA-65", "AES-256-GCM-HW"), "stm32f411", "AES-256-GCM-HW (a byte) on stm32f411"),
        (Suite("X25519MLKEM768", "ML-DSA-65"), "rp2040", "X25519MLKEM768 (encaps) on rp2040"),
        (LEVEL3, "rp2040", "ChaCha20-Poly1305 (a byte) on rp2040"),
        (LEVEL3, "stm32u585", "active_power_w of stm32u585"),
    ],
)
def test_a_number_that_no_source_gives_is_asked_for_by_name(suite: Suite, device: str, missing: str) -> None:
    with pytest.raises(MissingNumberError, match=re.escape(missing) + r"; a scenario file may: \[pqc\."):
        effort_of(suite, device)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kem": "ML-KEM-769"}, "kem: 'ML-KEM-769' is not allowed; it must be one of ML-KEM-512, .*mean ML-KEM-768"),
        ({"kem": "ML-DSA-65"}, "kem: 'ML-DSA-65' is not allowed"),
        ({"signature": "ML-KEM-768"}, "signature: 'ML-KEM-768' is not allowed"),
        ({"aead": "rot13"}, "aead: 'rot13' is not allowed; it must be one of AES-256-GCM, "),
        ({"framing": "smoke"}, "framing: 'smoke' is not allowed; it must be one of pinned, "),
    ],
)
def test_unknown_names_are_refused_with_those_that_are_known(change: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        traffic_of(dataclasses.replace(LEVEL3, **change))
    with pytest.raises(ValueError, match=f"^{complaint}"):
        effort_of(dataclasses.replace(LEVEL3, **change), "stm32f411")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"record_bytes": 0}, "record_bytes: 0 is not allowed; it must be an integer from 1"),
        ({"record_bytes": 16.0}, "record_bytes: 16.0 is not allowed"),
        ({"rekey_frames": True}, "rekey_frames: True is not allowed"),
        ({"sign_every_frame": 1}, "sign_every_frame: 1 is not allowed; it must be true or false"),
        ({"masking_factor": 0.5}, "masking_factor: 0.5 is not allowed; it must be at least 1"),
        ({"static_power_w": math.nan}, "static_power_w: nan is not allowed"),
        ({"masking_factor": "x"}, "masking_factor: 'x' is not allowed"),
        ({"masking_factor": True}, "masking_factor: True is not allowed"),
        ({"kem": 3}, "kem: 3 is not allowed; it must be a name"),
        ({"framing": None}, "framing: None is not allowed; it must be a name"),
    ],
)
def test_bad_settings_of_a_suite_are_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        dataclasses.replace(LEVEL3, **change)


def test_every_number_has_a_source() -> None:
    profiles = known_profiles()
    for row in (*profiles.algorithms, *profiles.cycles, *profiles.devices, *profiles.framings):
        assert len(row.source) > 10, row


def test_what_goes_by_the_byte_tells_its_build() -> None:
    counts = [row for row in known_profiles().cycles if row.operation == "byte"]
    assert len(counts) >= 18
    for row in counts:
        assert len(row.build) > 10, row


def test_a_build_is_told_with_the_source() -> None:
    sources = dict(effort_of(dataclasses.replace(LEVEL3, aead="AES-256-GCM"), "stm32f411").sources)
    assert sources["AES-256-GCM byte"].startswith("wolfSSL 5.6.4, C without assembly, -Os, 4-bit GHASH table; wolfSSL ")
    assert sources["AES-256-GCM byte"].endswith("(cortex-m4)")


SLH_DSA = {
    "128s": (1, 32, 7_856), "128f": (1, 32, 17_088), "192s": (3, 48, 16_224),
    "192f": (3, 48, 35_664), "256s": (5, 64, 29_792), "256f": (5, 64, 49_856),
}  # fmt: skip
"""Security category, bytes of a public key and of a signature: FIPS 205, Table 2."""


@pytest.mark.parametrize("hashed", ["SHA2", "SHAKE"])
@pytest.mark.parametrize("name", SLH_DSA)
def test_all_sets_of_slh_dsa_have_the_sizes_of_fips_205_and_cycles_on_an_m4(hashed: str, name: str) -> None:
    profiles = known_profiles()
    row = profiles.algorithm("signature", "signature", f"SLH-DSA-{hashed}-{name}")
    assert (row.nist_level, row.public_key_bytes, row.output_bytes) == SLH_DSA[name]
    suite = dataclasses.replace(LEVEL3, signature=row.name)
    assert traffic_of(suite).rekey_bytes == 16 + 1088 + row.output_bytes
    device = profiles.device("device", "stm32f411")
    keygen, sign, verify = (profiles.counted(device, row, of).cycles for of in ("keygen", "sign", "verify"))
    assert verify < sign
    assert 7 <= sign / keygen <= 30  # of each set of pqm4: from 7.6 to 28
    if hashed == "SHAKE":
        sha2 = profiles.algorithm("signature", "signature", f"SLH-DSA-SHA2-{name}")
        assert 2.5 < sign / profiles.counted(device, sha2, "sign").cycles < 3.5


def test_names_are_unique_and_match_in_any_case() -> None:
    profiles = known_profiles()
    for rows in (profiles.algorithms, profiles.devices, profiles.framings):
        assert len({row.name.casefold() for row in rows}) == len(rows)
    assert profiles.algorithm("aead", "aead", "chacha20-poly1305").name == "ChaCha20-Poly1305"
    places = [(row.runs_on, row.algorithm, row.operation) for row in profiles.cycles]
    assert len(set(places)) == len(places)


def test_a_device_s_own_cycles_go_before_its_core_s() -> None:
    profiles = known_profiles()
    kem = profiles.algorithm("kem", "kem", "ML-KEM-768")
    core = profiles.counted(profiles.device("device", "stm32f411"), kem, "encaps")
    own = profiles.with_rows(cycles=[dataclasses.replace(core, runs_on="stm32f411", cycles=1.0)])
    assert (core.runs_on, core.cycles) == ("cortex-m4", 658_754)
    assert own.counted(own.device("device", "stm32f411"), kem, "encaps").cycles == 1.0
    assert own.counted(own.device("device", "stm32l4"), kem, "encaps").cycles == 658_754
