"""Seeded runs under faults; `python -m benchmarks.service.faults --seed 17` replays the one of seed 17."""

from __future__ import annotations

import pytest

from benchmarks.service.faults import run

SEEDS = range(200)
AT_ONCE = 20


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_whatever_fails_every_report_has_one_outcome_and_nothing_acknowledged_is_lost(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        try:
            run(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}: python -m benchmarks.service.faults --seed {seed}") from error


def test_a_seed_replays() -> None:
    assert run(7) == run(7)
