"""What is left of a channel from one frame to the next: first-order Gauss-Markov processes, and how they correlate."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quedge.model.scenario import Scenario


def fading_correlation(scenario: Scenario) -> NDArray[np.float64]:
    """Correlation of each device's scattered field from one frame to the next, J0(2π f_D T); shape (devices,).

    It is 0 without a Doppler frequency.

    Source: W. C. Jakes, Microwave Mobile Communications, 1974, after R. H. Clarke, 1968.
    """
    if scenario.doppler_hz is None:
        return np.zeros(scenario.devices)
    from scipy.special import j0

    return np.asarray(j0(2.0 * math.pi * scenario.per_device("doppler_hz") * scenario.frame_s))


def shadowing_correlation(scenario: Scenario) -> NDArray[np.float64]:
    """Correlation of each device's shadowing in dB from one frame to the next, exp(−T / τ); shape (devices,).

    Source: M. Gudmundson, Correlation model for shadow fading in mobile radio systems, Electronics Letters 27, 1991.
    """
    with np.errstate(divide="ignore"):  # nothing is left after no time
        return np.exp(-scenario.frame_s / scenario.per_device("shadowing_decorrelation_s"))


def gauss_markov(innovations: NDArray[np.float64], correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """A stationary process x(t) = ρ x(t − 1) + √(1 − ρ²) w(t) of unit variance, from its first frame x(0) = w(0) on.

    Args:
        innovations: independent standard normal numbers w, shape (..., frames, devices).
        correlation: ρ of each device, shape (devices,).

    Returns:
        The process, of the same shape; where no device has a correlation, the innovations themselves.
    """
    if not correlation.any():
        return innovations
    process = np.sqrt((1.0 - correlation) * (1.0 + correlation)) * innovations
    process[..., 0, :] = innovations[..., 0, :]
    for t in range(1, process.shape[-2]):
        process[..., t, :] += correlation * process[..., t - 1, :]
    return process
