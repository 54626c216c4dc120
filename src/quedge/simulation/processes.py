"""Channel and arrival processes, correlation over time, and channel estimation."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
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


def gauss_markov(
    innovations: NDArray[np.float64], correlation: NDArray[np.float64], before: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """A stationary process x(t) = ρ x(t − 1) + √(1 − ρ²) w(t) of unit variance, from its first frame x(0) = w(0) on.

    Args:
        innovations: independent standard normal numbers w, shape (..., frames, devices).
        correlation: ρ of each device, shape (devices,).
        before: the process in the frame before the first, shape (..., devices), where it goes on.

    Returns:
        The process, of the same shape; where no device has a correlation, the innovations themselves.
    """
    if not correlation.any():
        return innovations
    process = np.sqrt((1.0 - correlation) * (1.0 + correlation)) * innovations
    if before is None:
        process[..., 0, :] = innovations[..., 0, :]
    else:
        process[..., 0, :] += correlation * before
    for t in range(1, process.shape[-2]):
        process[..., t, :] += correlation * process[..., t - 1, :]
    return process


class Normals:
    """Standard normal numbers of shape (rows, frames, devices), frame by frame.

    They are the numbers that `rng.standard_normal` gives for the whole shape, row after row, and `rng` is left as it
    leaves it: where several parts are to be drawn, the generator of each row is found by drawing the rows before.
    """

    def __init__(self, rng: np.random.Generator, rows: int, frames: int, devices: int, part: int) -> None:
        """Numbers to be drawn at most `part` frames at a time."""
        self._whole = rng.standard_normal((rows, frames, devices)) if frames <= part else None
        self._rows: list[np.random.Generator] = []
        self._devices = devices
        for _ in range(rows if self._whole is None else 0):
            self._rows.append(copy.deepcopy(rng))
            for first in range(0, frames, part):
                rng.standard_normal((min(part, frames - first), devices))

    def draw(self, frames: int) -> NDArray[np.float64]:
        """The next frames."""
        if self._whole is not None:
            return self._whole
        return np.stack([row.standard_normal((frames, self._devices)) for row in self._rows])


def faded_alone(scenario: Scenario) -> int:
    """How many sub-channels fade for themselves: all, or 1 where they fade alike."""
    return scenario.subchannels if scenario.frequency_selective else 1


class ChannelProcess(Protocol):
    """Draws the channel gains of a run, before its first frame.

    Example:
        >>> class Rayleigh:  # a channel of one's own
        ...     def sample(self, scenario, frames, rng):
        ...         return 1e-11 * rng.exponential(size=(frames, scenario.devices))
        ...
        >>> run = quedge.simulate(quedge.Scenario(devices=3), quedge.BestSingle(), frames=20, channel=Rayleigh())
        >>> print(run.channel_gain.shape)
        (20, 3)
    """

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Power gains (W/W), not negative, shape (frames, devices); 0 where a device is out of coverage.

        Where sub-channels differ, of shape (frames, devices, sub-channels).

        Args:
            scenario: the cell; `scenario.devices` is the number of devices.
            frames: number of frames.
            rng: the only source of randomness, so that a seed reproduces the run.
        """
        ...


class ArrivalProcess(Protocol):
    """Draws the data that arrives during each frame of a run, before its first frame.

    Example:
        >>> class Bursts:  # arrivals of one's own (Mbit)
        ...     def sample(self, scenario, frames, rng):
        ...         return 30.0 * (rng.random((frames, scenario.devices)) < 0.1)
        ...
        >>> run = quedge.simulate(quedge.Scenario(devices=3), quedge.BestSingle(), frames=20, arrivals=Bursts())
        >>> print(np.unique(run.arrival_mbit))
        [ 0. 30.]
    """

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Arrivals (Mbit per frame), not negative, shape (frames, devices); arguments as in `ChannelProcess.sample`."""
        ...


@dataclass(frozen=True)
class RicianFading:
    """Rician block fading around the path gain, independent from device to device.

    Sub-channels fade alike, or with the scenario's `frequency_selective` each for itself, under the same shadowing.

    The scenario's `line_of_sight_share` is the line-of-sight part of the mean power. Frames are independent, as in the
    paper, unless the scenario has a Doppler frequency or shadowing: then the scattered field and the shadowing in dB
    are stationary Gauss-Markov processes, and the line of sight is constant (docs/channels.md). Neither changes the
    random numbers of the other.

    Example:
        >>> cell = quedge.Scenario(devices=2, distance_m=(100.0, 200.0), line_of_sight_share=0.8)
        >>> gain = quedge.RicianFading().sample(cell, frames=1000, rng=rng)
        >>> print(gain.shape, np.log10(gain.mean(axis=0)).round(1))
        (1000, 2) [-10.3 -11.2]

    Source: Section VI-A; line-of-sight share and path gain from LyDROO.
    """

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """See `ChannelProcess.sample`."""
        return next(self.sample_parts(scenario, frames, rng, frames))

    def sample_parts(
        self, scenario: Scenario, frames: int, rng: np.random.Generator, part: int
    ) -> Iterator[NDArray[np.float64]]:
        """The same gains, `part` frames at a time."""
        share, shadowing_db = scenario.line_of_sight_share, scenario.per_device("shadowing_db")
        each = faded_alone(scenario)
        path, correlation = np.repeat(path_gain(scenario), each), np.repeat(fading_correlation(scenario), each)
        normals = Normals(rng, 2, frames, scenario.devices * each, part)
        shadows = Normals(rng, 1, frames, scenario.devices, part) if shadowing_db.any() else None
        shadow_correlation = shadowing_correlation(scenario)
        field: NDArray[np.float64] | None = None
        standard: NDArray[np.float64] | None = None
        for first in range(0, frames, part):
            count = min(part, frames - first)
            field = gauss_markov(normals.draw(count), correlation, None if field is None else field[:, -1])
            scattered = np.sqrt((1.0 - share) / 2.0) * field
            gain = path * ((np.sqrt(share) + scattered[0]) ** 2 + scattered[1] ** 2)
            if shadows is not None:  # log-normal, with median 1
                before = None if standard is None else standard[-1]
                standard = gauss_markov(shadows.draw(count)[0], shadow_correlation, before)
                gain = gain * np.repeat(10.0 ** (shadowing_db * standard / 10.0), each, axis=1)
            smallest = np.finfo(np.float64).tiny  # fading is no loss of coverage, which a gain of exactly 0 would be
            shape = (count, scenario.devices, each)
            yield np.asarray(np.maximum(gain, smallest)).reshape(shape if each > 1 else shape[:2])


@dataclass(frozen=True)
class ExponentialArrivals:
    """Exponentially distributed arrivals with mean λ T, independent from frame to frame and device to device.

    Example:
        >>> cell = quedge.Scenario(devices=2, arrival_rate_mbps=(1.0, 4.0))
        >>> print(quedge.ExponentialArrivals().sample(cell, frames=10_000, rng=rng).mean(axis=0).round(1))
        [1. 4.]

    Source: Section VI-A.
    """

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """See `ArrivalProcess.sample`."""
        mean_mbit = scenario.per_device("arrival_rate_mbps") * scenario.frame_s
        with np.errstate(over="ignore"):  # an infinite arrival is refused where the world is drawn
            return np.asarray(mean_mbit * rng.standard_exponential((frames, scenario.devices)))

    def sample_parts(
        self, scenario: Scenario, frames: int, rng: np.random.Generator, part: int
    ) -> Iterator[NDArray[np.float64]]:
        """The same arrivals, `part` frames at a time."""
        for first in range(0, frames, part):
            yield self.sample(scenario, min(part, frames - first), rng)


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recording of channel gains or arrivals, played from its first frame.

    Attributes:
        values: gains (W/W) or arrivals (Mbit per frame), shape (frames recorded, devices), gains also with one a
            sub-channel.
        name: its name in error messages.
        leaves: of gains, where a device goes and its data queue is dropped, of the same shape; None where none does.

    Example:
        >>> measured = np.array([[2e-11, 4e-12], [1e-11, 5e-12], [8e-12, 6e-12]])  # a row a frame
        >>> channel = quedge.Recorded(measured, name="walk")
        >>> run = quedge.simulate(quedge.Scenario(devices=2), quedge.Exact(), frames=3, channel=channel)
        >>> print((run.channel_gain == measured).all())
        True
    """

    values: NDArray[np.float64]
    name: str = "recording"
    leaves: NDArray[np.bool_] | None = None

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """The first `frames` frames.

        Raises:
            ValueError: it has too few frames, or another number of devices than the scenario.
        """
        recorded, devices, *_ = self.values.shape
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


def estimate_gain(scenario: Scenario, channel_gain: NDArray[np.float64], errors: Normals) -> NDArray[np.float64]:
    """Estimated power gains `|√h (1 + √ε z)|²`, with z complex Gaussian of unit variance.

    ε is the scenario's `estimate_error`, the normalised mean squared error of the field √h, independent from frame to
    frame and device to device. The phase of the field does not matter, since z is circularly symmetric.

    Args:
        scenario: the cell.
        channel_gain: true power gains (W/W), shape (frames, devices) or (frames, devices, sub-channels).
        errors: two rows of z √2.

    Returns:
        Estimates of the same shape, positive where the gain is, since that a device is out of coverage is known.
    """
    gain = channel_gain.reshape(channel_gain.shape[0], -1)
    error = np.repeat(scenario.per_device("estimate_error"), gain.shape[1] // scenario.devices)
    relative = np.sqrt(error / 2.0) * errors.draw(gain.shape[0])
    estimate = gain * ((1.0 + relative[0]) ** 2 + relative[1] ** 2)
    positive = np.where(gain > 0.0, np.maximum(estimate, np.finfo(np.float64).tiny), 0.0)
    return np.asarray(positive).reshape(channel_gain.shape)


def sample_harvest(scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64] | None:
    """Energy that devices harvest in the next frames (J), uniform from 0 to twice the mean; None without batteries.

    Source: Mao, Zhang, Letaief, Dynamic computation offloading for mobile-edge computing with energy harvesting
    devices, IEEE JSAC 34(12), 2016, for the distribution.
    """
    if scenario.battery_j is None:
        return None
    return rng.random((frames, scenario.devices)) * (2.0 * scenario.frame_s * scenario.per_device("harvest_w"))
