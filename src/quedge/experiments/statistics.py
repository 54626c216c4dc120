"""Means over seeds with confidence intervals, paired differences, and the drift of a correlated series."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.job import Series


def means_of_stretches(values: NDArray[np.float64], stretches: int) -> Series:
    """Means over so many stretches of nearly equal length, at the last frame of each; of few frames, each frame."""
    ends = np.unique(np.linspace(0, values.size, stretches + 1).astype(np.int64))[1:]
    starts = np.concatenate(([0], ends[:-1]))
    return Series(ends.astype(np.float64), np.add.reduceat(values, starts) / (ends - starts))


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


STRETCHES = 50
"""The trend is fitted to the means of this many stretches; a shorter series has no drift."""

_MIN_FREEDOM = 2
_MAX_CORRELATION = 0.97  # what 50 stretches can tell from 1


class Drift(NamedTuple):
    """Growth of a series from its first frame to its last, along its least-squares line.

    Attributes:
        share: the growth over the mean of the series; negative where it falls.
        margin: half of its 95 % confidence interval, for a series of its own correlation.
    """

    share: float
    margin: float


def drift_of(values: NDArray[np.float64]) -> Drift | None:
    """Least-squares drift of a series that may be correlated over many frames.

    The standard error is that of a line through the means of 50 stretches whose residuals are a first-order
    autoregressive process: the residuals' correlation from one stretch to the next, corrected for its bias in short
    series, inflates the variance by (1 + ρ) / (1 - ρ) and lowers the degrees of freedom of Student's t in proportion.
    A parabola is removed before, so that a bent trend does not pass for noise.

    Args:
        values: one per frame, none negative; shape (frames,).

    Returns:
        The drift; None where there are fewer frames than stretches.
    """
    if values.size < STRETCHES:
        return None
    means = means_of_stretches(values, STRETCHES).value
    if not means.any():
        return Drift(0.0, 0.0)
    means = means / means.mean()
    time = np.arange(STRETCHES) - (STRETCHES - 1) / 2.0
    bend = time * time - (time @ time) / STRETCHES
    slope = float(time @ means / (time @ time))
    residual = means - means.mean() - slope * time - (bend @ means / (bend @ bend)) * bend
    variance = float(residual @ residual)
    correlation = float(residual[1:] @ residual[:-1]) / variance if variance > 0.0 else 0.0
    # The bias of a correlation whose series lost a polynomial of second degree, to first order, after M. G. Kendall,
    # Note on bias in the estimation of autocorrelation, Biometrika 41, 1954.
    correlation = min(max(correlation + (3.0 + 5.0 * correlation) / STRETCHES, 0.0), _MAX_CORRELATION)
    inflation = (1.0 + correlation) / (1.0 - correlation)
    error = np.sqrt(variance / (STRETCHES - 3) * inflation / (time @ time))
    freedom = max(int(STRETCHES / inflation) - 3, _MIN_FREEDOM)
    return Drift(slope * STRETCHES, student_quantile(freedom) * float(error) * STRETCHES)
