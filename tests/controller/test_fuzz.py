"""Random and mutated messages; `python -m benchmarks.service.fuzz` sends a million."""

from __future__ import annotations

from benchmarks.service.fuzz import in_process, through_grpc


def test_no_message_stops_the_engine_or_changes_the_books_without_being_served() -> None:
    counts = in_process(20_000, seed=1)
    assert sum(counts.values()) == 20_000
    assert counts["served by policy"] > 1000


def test_no_bytes_stop_the_service_or_change_the_books_without_being_served() -> None:
    counts = through_grpc(400, seed=1)
    assert counts["served"] > 30
