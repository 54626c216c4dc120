"""Whether a queue grows: its drift over the second half of a run, with a confidence interval."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.job import Series


def means_of_stretches(values: NDArray[np.float64], stretches: int) -> Series:
    """Means over consecutive stretches of the frames, as equally long as can be, at the last frame of each.

    Args:
        values: one a frame; shape (frames,).
        stretches: number of stretches; of fewer frames each is one.
    """
    ends = np.unique(np.linspace(0, values.size, stretches + 1).astype(np.int64))[1:]
    starts = np.concatenate(([0], ends[:-1]))
    return Series(ends.astype(np.float64), np.add.reduceat(values, starts) / (ends - starts))


_CONFIDENCE = 0.95


@functools.cache
def student_quantile(freedom: int) -> float:
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


STRETCHES = 50
"""The trend is fitted to means of so many stretches of frames; a shorter series has no drift."""

_LEAST_FREEDOM = 2
_MOST_CORRELATION = 0.97  # what 50 stretches can tell from 1


class Drift(NamedTuple):
    """By how much a series grows from its first frame to its last, along the straight line that fits it best.

    Attributes:
        share: the growth over the mean of the series; negative where it falls.
        margin: half of its 95 % confidence interval, for a series of its own correlation.
    """

    share: float
    margin: float


def drift_of(values: NDArray[np.float64]) -> Drift | None:
    """Least-squares drift of a series, which may be correlated over many frames.

    The standard error is that of a line through the means of 50 stretches whose residuals are a first-order
    autoregressive process: the residuals' correlation from one stretch to the next, corrected for its bias in short
    series, inflates the variance by (1 + ρ) / (1 - ρ) and lowers the degrees of freedom of Student's t in proportion.
    A parabola is taken off before, so that a trend that bends does not pass for noise.

    Args:
        values: one a frame, none of them negative; shape (frames,).

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
    correlation = min(max(correlation + (3.0 + 5.0 * correlation) / STRETCHES, 0.0), _MOST_CORRELATION)
    inflation = (1.0 + correlation) / (1.0 - correlation)
    error = np.sqrt(variance / (STRETCHES - 3) * inflation / (time @ time))
    freedom = max(int(STRETCHES / inflation) - 3, _LEAST_FREEDOM)
    return Drift(slope * STRETCHES, student_quantile(freedom) * float(error) * STRETCHES)
