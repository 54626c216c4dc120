"""Percentiles of numbers that come in parts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_EXACT = 1 << 22  # numbers that are kept
_GROWTH = math.log1p(2e-3)  # of the logarithm from one bin to the next
_LOWEST, _HIGHEST = math.log(1e-12), math.log(1e15)  # of what has a bin of its own


class Quantiles:
    """Percentiles of numbers of at least 0: exact of up to four million, then from bins, within 0.1 % of their value.

    Below 1e-12 a number counts as 0.
    """

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._kept: list[NDArray[np.float64]] = []
        self._count = 0
        self._bins: NDArray[np.int64] | None = None

    def add(self, numbers: NDArray[np.float64]) -> None:
        """Take in some numbers, of any shape."""
        self._kept.append(np.ravel(numbers).copy())
        self._count += numbers.size
        if self._count > _EXACT:
            if self._bins is None:
                self._bins = np.zeros(2 + math.ceil((_HIGHEST - _LOWEST) / _GROWTH), np.int64)
            for kept in self._kept:
                with np.errstate(divide="ignore"):
                    place = (np.log(kept) - _LOWEST) / _GROWTH + 1.0
                place = np.clip(place, 0, self._bins.size - 1).astype(np.int64)
                self._bins += np.bincount(place, minlength=self._bins.size)
            self._kept.clear()

    def percentile(self, percent: float) -> float:
        """A percentile of all numbers, at least one, as `numpy.percentile` defines it."""
        if self._bins is None:
            return float(np.percentile(np.concatenate(self._kept), percent))
        rank = percent / 100.0 * (self._count - 1)
        place = int(np.searchsorted(np.cumsum(self._bins), math.floor(rank), side="right"))
        return math.exp(_LOWEST + (place - 0.5) * _GROWTH) if place > 0 else 0.0
