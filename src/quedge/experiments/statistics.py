"""Means over stretches of a series, and the drift of a correlated one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.job import Series
from quedge.simulation.estimates import student_quantile


def means_of_stretches(values: NDArray[np.float64], stretches: int) -> Series:
    """Means over so many stretches of nearly equal length, at the last frame of each; of few frames, each frame."""
    ends = np.unique(np.linspace(0, values.size, stretches + 1).astype(np.int64))[1:]
    starts = np.concatenate(([0], ends[:-1]))
    return Series(ends.astype(np.float64), np.add.reduceat(values, starts) / (ends - starts))


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
