"""Measuring: each operation is timed, each size compared."""

from __future__ import annotations

import dataclasses

import pytest

from quedge.pqc import measure as measuring
from quedge.pqc.measure import machine, measure, offered
from quedge.pqc.profiles import known_profiles

ROWS = {row.name: row for row in known_profiles().algorithms}


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        ("ML-KEM-512", [("keygen", None), ("encaps", None), ("decaps", None)]),
        ("ML-DSA-44", [("keygen", None), ("sign", None), ("verify", None)]),
        ("AES-256-GCM-HW", [("encrypt", 10), ("decrypt", 10), ("encrypt", 2000), ("decrypt", 2000)]),
    ],
)
def test_every_operation_is_timed(name: str, operations: list[tuple[str, int | None]]) -> None:
    found = measure(ROWS[name], repeat=4, aead_bytes=(10, 2000))
    assert [(timing.operation, timing.data_bytes) for timing in found.timings] == operations
    for timing in found.timings:
        assert 0.0 < timing.median_us <= timing.p95_us
        assert timing.runs == 4
    assert found.mismatches == ()


class Clock:
    """A clock that only calls move: the next one by the next of some times, then each by the last (ns)."""

    def __init__(self, *takes_ns: int) -> None:
        self.now = 0
        self.calls = 0
        self._takes_ns = takes_ns

    def thread_time_ns(self) -> int:
        return self.now

    def call(self) -> None:
        self.now += self._takes_ns[min(self.calls, len(self._takes_ns) - 1)]
        self.calls += 1


def timed(clock: Clock, monkeypatch: pytest.MonkeyPatch, repeat: int = 3) -> measuring.Timing:
    monkeypatch.setattr(measuring, "time", clock)
    return measuring._timed("keygen", clock.call, repeat)


def test_short_calls_are_timed_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    timing = timed(Clock(4_000), monkeypatch)
    assert (timing.calls, timing.median_us, timing.runs) == (5, 4.0, 3)


def test_a_batch_is_sized_by_the_least_of_a_few_warm_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    for slow_at_first in ((2_000_000,), (42_000, 30_000, 4_000, 50_000)):
        timing = timed(Clock(*slow_at_first, 4_000), monkeypatch)
        assert (timing.calls, timing.p95_us) == (5, 4.0)


def test_a_long_call_is_timed_alone_after_two_that_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(3_000_000)
    assert timed(clock, monkeypatch).calls == 1
    assert clock.calls == 2 + 3


def test_a_slow_operation_is_repeated_less_often_yet_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "MAX_CPU_S", 0.0)
    assert {timing.runs for timing in measure(ROWS["ML-DSA-44"], repeat=50).timings} == {3}
    assert {timing.runs for timing in measure(ROWS["ML-DSA-44"], repeat=2).timings} == {2}


def test_the_first_run_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timed(Clock(20_000_000, 30_000), monkeypatch).p95_us == 30.0


def test_another_size_than_the_profiles_is_told() -> None:
    row = dataclasses.replace(ROWS["ML-KEM-768"], public_key_bytes=1183, output_bytes=1089)
    found = dataclasses.replace(measure(ROWS["ML-KEM-768"], repeat=1), row=row)
    assert found.mismatches == (
        "ML-KEM-768: public key has 1184 bytes where the profile has 1183",
        "ML-KEM-768: output has 1088 bytes where the profile has 1089",
    )


def test_every_algorithm_is_offered_or_said_why_not() -> None:
    runs, others = offered()
    assert {row.name for row in runs} | set(others) == set(ROWS) - {"SHA-256", "SHA-384"}
    assert set(others) == {
        "Falcon-512", "Falcon-1024", "ECDSA-P256", "AES-256-GCM-ASM", "AES-256-GCM-CT", "AES-256-GCM-HW",
    }  # fmt: skip
    assert others["Falcon-512"] == "none of the supported libraries runs it"


def test_the_machine_is_told() -> None:
    found = machine()
    assert found.cpus >= 1
    assert found.libraries["cryptography"]
    assert found.processor
