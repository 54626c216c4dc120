"""Where channel gains and arrivals come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quedge.model.channel import path_gain
from quedge.model.scenario import Scenario
from quedge.simulation.correlation import fading_correlation, gauss_markov, shadowing_correlation


class ChannelProcess(Protocol):
    """Draws the channel gains of a run, before its first frame."""

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Positive power gains (W/W), shape (frames, devices).

        Args:
            scenario: the cell; `scenario.devices` is the number of devices.
            frames: number of frames.
            rng: where all chance comes from, so that a seed gives the same run again.
        """
        ...


class ArrivalProcess(Protocol):
    """Draws the data that arrives during each frame of a run, before its first frame."""

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Arrivals (Mbit a frame), not negative, shape (frames, devices); arguments as in `ChannelProcess.sample`."""
        ...


@dataclass(frozen=True)
class RicianFading:
    """Rician block fading around the path gain, independent from device to device.

    The scenario's `line_of_sight_share` is the line-of-sight part of the mean power. Frames are independent, as in the
    paper, unless the scenario has a Doppler frequency or shadowing: then the scattered field and the shadowing in dB
    are stationary Gauss-Markov processes, and the line of sight stays as it is (docs/channels.md). Neither moves the
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
    """A recording, played from its first frame: channel gains or arrivals.

    Attributes:
        values: gains (W/W) or arrivals (Mbit a frame), shape (frames recorded, devices).
        name: what error messages call it.
    """

    values: NDArray[np.float64]
    name: str = "recording"

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """The first `frames` frames.

        Raises:
            ValueError: it holds fewer frames than asked for, or another number of devices than the scenario.
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
