"""The service's process under a seeded mixture of faults; `python -m benchmarks.service.chaos` goes on for an hour."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("grpc")

from benchmarks.service.chaos.__main__ import run

SEED, ASSAULTS = 198, 7


def test_whatever_is_done_to_the_process_nothing_acknowledged_is_lost_and_its_health_is_told_truly() -> None:
    found = run(math.inf, SEED, "best-single", ASSAULTS)
    assert found.failure == ""
    for name in ("kill -9", "disk full", "files removed for good", "SIGHUP with a changed scenario"):
        assert found.counts[name] > 0, found.counts
