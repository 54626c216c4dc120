"""Channel and arrival processes, correlation over time, and channel estimation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quedge.model.cell import path_gain
from quedge.model.scenario import Scenario

_NODES = 64  # of the integral over a quarter of the circle
_FAR = 100.0  # from here on Hankel's expansion is exact to rounding


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

    Up to 100 by the midpoint rule on its integral, the mean of cos(x sin θ), whose error 2 J_256(x) is below rounding;
    above by Hankel's expansion. The error is about 1e-15.

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
    with np.errstate(divide="ignore"):  # τ = 0: no correlation
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


class ChannelProcess(Protocol):
    """Draws the channel gains of a run, before its first frame."""

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Positive power gains (W/W), shape (frames, devices).

        Args:
            scenario: the cell; `scenario.devices` is the number of devices.
            frames: number of frames.
            rng: the only source of randomness, so that a seed reproduces the run.
        """
        ...


class ArrivalProcess(Protocol):
    """Draws the data that arrives during each frame of a run, before its first frame."""

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Arrivals (Mbit per frame), not negative, shape (frames, devices); arguments as in `ChannelProcess.sample`."""
        ...


@dataclass(frozen=True)
class RicianFading:
    """Rician block fading around the path gain, independent from device to device.

    The scenario's `line_of_sight_share` is the line-of-sight part of the mean power. Frames are independent, as in the
    paper, unless the scenario has a Doppler frequency or shadowing: then the scattered field and the shadowing in dB
    are stationary Gauss-Markov processes, and the line of sight is constant (docs/channels.md). Neither changes the
    random numbers of the other.

    Source: Section VI-A; line-of-sight share and path gain from LyDROO.
    """

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """See `ChannelProcess.sample`."""
        share = scenario.line_of_sight_share
        field = gauss_markov(rng.standard_normal((2, frames, scenario.devices)), fading_correlation(scenario))
        scattered = np.sqrt((1.0 - share) / 2.0) * field
        power = (np.sqrt(share) + scattered[0]) ** 2 + scattered[1] ** 2
        gain = path_gain(scenario) * power
        if scenario.per_device("shadowing_db").any():
            gain = gain * _shadowing(scenario, frames, rng)
        smallest = np.finfo(np.float64).tiny  # a gain of exactly zero has no decoding order
        return np.asarray(np.maximum(gain, smallest))


def _shadowing(scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Log-normal factors with median 1, shape (frames, devices)."""
    standard = gauss_markov(rng.standard_normal((frames, scenario.devices)), shadowing_correlation(scenario))
    return np.asarray(10.0 ** (scenario.per_device("shadowing_db") * standard / 10.0))


@dataclass(frozen=True)
class ExponentialArrivals:
    """Exponentially distributed arrivals with mean λ T, independent from frame to frame and device to device.

    Source: Section VI-A.
    """

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """See `ArrivalProcess.sample`."""
        mean_mbit = scenario.per_device("arrival_rate_mbps") * scenario.frame_s
        with np.errstate(over="ignore"):  # an infinite arrival is refused where the world is drawn
            return np.asarray(mean_mbit * rng.standard_exponential((frames, scenario.devices)))


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recording of channel gains or arrivals, played from its first frame.

    Attributes:
        values: gains (W/W) or arrivals (Mbit per frame), shape (frames recorded, devices).
        name: its name in error messages.
    """

    values: NDArray[np.float64]
    name: str = "recording"

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """The first `frames` frames.

        Raises:
            ValueError: it has too few frames, or another number of devices than the scenario.
        """
        recorded, devices = self.values.shape
        if devices != scenario.devices:
            raise ValueError(
                f"{self.name}: devices: {devices} recorded devices are not allowed; the scenario has {scenario.devices}"
            )
        if recorded < frames:
            raise ValueError(
                f"{self.name}: frames: {frames} frames are not allowed; {recorded} are recorded, "
                "so ask for at most that many"
            )
        return np.ascontiguousarray(self.values[:frames])


def estimate_gain(
    scenario: Scenario, channel_gain: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Estimated power gains `|√h (1 + √ε z)|²`, with z complex Gaussian of unit variance.

    ε is the scenario's `estimate_error`, the normalised mean squared error of the field √h, independent from frame to
    frame and device to device. The phase of the field does not matter, since z is circularly symmetric.

    Args:
        scenario: the cell.
        channel_gain: true power gains (W/W), shape (frames, devices).
        rng: source of the errors.

    Returns:
        Positive estimates of the same shape; without an error the array of the true gains itself.
    """
    error = scenario.per_device("estimate_error")
    if not error.any():
        return channel_gain
    relative = np.sqrt(error / 2.0) * rng.standard_normal((2, *channel_gain.shape))
    estimate = channel_gain * ((1.0 + relative[0]) ** 2 + relative[1] ** 2)
    return np.asarray(np.maximum(estimate, np.finfo(np.float64).tiny))
