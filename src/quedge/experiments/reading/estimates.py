"""A mean over seeds, and how well it is known."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean with its 95 % confidence interval, by Student's t over independent seeds.

    Attributes:
        mean: the mean.
        low: lower end of the interval; NaN where there is only one value.
        high: upper end.
        values: number of values.
    """

    mean: float
    low: float
    high: float
    values: int


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of at least one value, and its interval."""
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return Estimate(mean, math.nan, math.nan, 1)
    half = _quantile(count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, count)


@functools.cache
def _quantile(freedom: int) -> float:
    """The t that Student's distribution of so many degrees of freedom, 1 or more, exceeds in absolute value in 5 %."""
    low, high = 0.0, 0.5 * math.pi
    while low < (angle := 0.5 * (low + high)) < high:
        if _share_within(angle, freedom) < _CONFIDENCE:
            low = angle
        else:
            high = angle
    return math.sqrt(freedom) * math.tan(high)


def _share_within(angle: float, freedom: int) -> float:
    """Probability that |t| ≤ √freedom tan(angle).

    Source: M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions, 1964, 26.7.3 and 26.7.4.
    """
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    total, term = 0.0, cosine if odd else 1.0
    for k in range(freedom // 2):
        total += term
        term *= cosine * cosine * (2 * k + 1 + odd) / (2 * k + 2 + odd)
    return 2.0 / math.pi * (angle + sine * total) if odd else sine * total
