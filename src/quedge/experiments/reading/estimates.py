"""A mean over seeds, and how well it is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from quedge.experiments.probes.student import student_quantile


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

    Policies of a seed meet the same world, so what the world does to both of them drops out.

    Args:
        values: by seed.
        others: what is taken off, by seed.

    Returns:
        The estimate; None where they have no seed in common.
    """
    common = [seed for seed in values if seed in others]
    return estimate([values[seed] - others[seed] for seed in common]) if common else None
