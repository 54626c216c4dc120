"""Histograms of times."""

from __future__ import annotations

from bisect import bisect_left
from copy import copy
from itertools import accumulate

BUCKETS_S = (
    1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0,
)  # fmt: skip
"""Upper ends of the buckets of all times (s); what takes longer is counted above them all."""


class Times:
    """A histogram of times, with the buckets of `BUCKETS_S`."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def add(self, time_s: float) -> None:
        """Count a time."""
        self.counts[bisect_left(BUCKETS_S, time_s)] += 1
        self.sum_s += time_s

    @property
    def mean_s(self) -> float | None:
        """Their mean (s); None where none was counted."""
        counted = sum(self.counts)
        return self.sum_s / counted if counted else None

    def cumulative(self) -> list[tuple[str, float]]:
        """Its buckets as Prometheus has them: each with all that lies below its end."""
        ends = (*map(repr, BUCKETS_S), "+Inf")
        return list(zip(ends, map(float, accumulate(self.counts)), strict=True))

    def copied(self) -> Times:
        """A copy that does not change."""
        copied = copy(self)
        copied.counts = self.counts.copy()
        return copied
