"""A mean over seeds, and how well it is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit


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
    half = float(stdtrit(count - 1, 0.975)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, count)
