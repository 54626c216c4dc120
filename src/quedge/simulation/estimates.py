"""Means over seeds with confidence intervals by Student's t, and paired differences."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

_CONFIDENCE = 0.95


@functools.cache
def student_quantile(freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t distribution, for 1 or more degrees of freedom."""
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
    half = student_quantile(count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, count)


def paired_difference(values: Mapping[int, float], others: Mapping[int, float]) -> Estimate | None:
    """The mean of the differences over the seeds that both have, and its interval.

    Policies meet the same world under the same seed, so the world's part of the variance cancels.

    Args:
        values: by seed.
        others: by seed; they are subtracted.

    Returns:
        The estimate; None where they have no seed in common.
    """
    common = [seed for seed in values if seed in others]
    return estimate([values[seed] - others[seed] for seed in common]) if common else None


def with_margin(of: Estimate) -> str:
    """The mean with half of its interval, both down to the second digit of the latter, four decimals at most."""
    half = 0.5 * (of.high - of.low)
    digits = 4 if half <= 0.0 else max(min(1 - math.floor(math.log10(half)), 4), 0)
    return f"{of.mean:,.{digits}f} ± {half:,.{digits}f}"
