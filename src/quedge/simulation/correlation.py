"""What is left of a channel from one frame to the next: first-order Gauss-Markov processes, and how they correlate."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quedge.model.scenario import Scenario

_NODES = 64  # of the integral, in a quarter of the circle
_FAR = 100.0  # where the expansion of large arguments has settled to rounding


def fading_correlation(scenario: Scenario) -> NDArray[np.float64]:
    """Correlation of each device's scattered field from one frame to the next, J0(2π f_D T); shape (devices,).

    It is 0 without a Doppler frequency.

    Source: W. C. Jakes, Microwave Mobile Communications, 1974, after R. H. Clarke, 1968.
    """
    if scenario.doppler_hz is None:
        return np.zeros(scenario.devices)
    return bessel_j0(2.0 * math.pi * scenario.per_device("doppler_hz") * scenario.frame_s)


def bessel_j0(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Bessel function of the first kind and order 0.

    Up to 100 by the midpoint rule on its integral, the mean of cos(x sin θ), which errs by 2 J_256(x) and so by
    nothing; above by Hankel's expansion. The error is that of rounding: about 1e-15.

    Args:
        x: arguments, 0 or more, of any shape.

    Returns:
        J0(x), of the same shape.

    Source: M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions, 1964, 9.1.18 and 9.2.5.
    """
    x = np.asarray(x, dtype=np.float64)
    angles = (np.arange(_NODES) + 0.5) * (0.5 * math.pi / _NODES)
    near = np.cos(np.multiply.outer(np.minimum(x, _FAR), np.sin(angles))).mean(axis=-1)
    far = np.maximum(x, _FAR)
    series, term = np.zeros((2, *x.shape)), np.ones(x.shape)  # P and Q, from the real and the imaginary terms
    for k in range(10):
        series[k % 2] += (-1.0) ** (k // 2) * term
        term = term * -((2 * k + 1) ** 2) / (8.0 * (k + 1) * far)
    p, q = series  # at the phase x − π/4
    wave = p * (np.cos(far) + np.sin(far)) - q * (np.sin(far) - np.cos(far))
    return np.asarray(np.where(x <= _FAR, near, wave / np.sqrt(math.pi * far)))


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
