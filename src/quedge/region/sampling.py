"""The channels on which the region is bounded: a sample to find prices on, and a fresh one to judge them on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed
from quedge.model.cell import cell_of, check_ungrouped
from quedge.model.scenario import Scenario
from quedge.simulation.processes import ChannelProcess, Recorded, RicianFading
from quedge.simulation.world import check_integer

_STREAMS = (5, 6)  # of the seed: for the first and for the fresh sample; a run's own are others
_GAINS = 200_000  # of the fresh sample, over all devices, where its size is not given; but ...
_LEAST_FRAMES, _MOST_FRAMES = 4_000, 20_000  # ... at least and at most so many frames
_FIRST_SHARE = 0.1  # size of the first sample over that of the fresh one
_SMALLEST_FIRST = 1_000  # frames of the first sample


@dataclass(frozen=True)
class Precision:
    """How precisely bounds are found.

    Attributes:
        tolerance: relative distance of the bounds on a sample at which to stop, from 1e-6 to below 1.
        samples: number of fresh channels, at least 2; without it 200,000 over the devices, within 4,000 and 20,000. Of
            a recording all frames count, and this must be None.
        seed: of what is drawn, at least 0.

    Example:
        >>> quick = quedge.Precision(tolerance=0.02, samples=100, seed=1)
        >>> print(quedge.capacity(quedge.Scenario(devices=2), precision=quick).frames)
        100
    """

    tolerance: float = 1e-3
    samples: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1e-6 <= self.tolerance < 1.0:
            raise not_allowed("tolerance", self.tolerance, "at least 1e-6 and below 1")
        if self.samples is not None:
            check_integer("samples", self.samples, 2)
        check_integer("seed", self.seed, 0)


class Samples(NamedTuple):
    """Channel gains (W/W), shape (frames, devices).

    Attributes:
        first: on which prices are found.
        fresh: on which they are judged; of a recording, `first` itself.
    """

    first: NDArray[np.float64]
    fresh: NDArray[np.float64]

    @property
    def is_recording(self) -> bool:
        """Whether the bounds hold for these frames, rather than for the distribution from which they are drawn."""
        return self.first is self.fresh


def draw_samples(scenario: Scenario, channel: ChannelProcess | None, precision: Precision) -> Samples:
    """The channels of a scenario.

    Fading and shadowing that are correlated over time have the same stationary distribution without their correlation;
    that is what is drawn by default. A process of a user's own is run as it is: its frames count as independent.

    Args:
        scenario: the cell.
        channel: where channel gains come from; Rician fading by default.
        precision: number of frames, and seed.

    Raises:
        ValueError: naming the argument.
    """
    check_ungrouped(cell_of(scenario), "where the capacity is found")
    frames, seed = precision.samples, precision.seed
    if isinstance(channel, Recorded):
        if frames is not None:
            raise ValueError(f"samples: {frames} is not allowed with a recording, of which all frames count")
        gain = channel.sample(scenario, channel.values.shape[0], np.random.default_rng(seed))
        return Samples(gain, gain)
    if frames is None:
        frames = min(max(_GAINS // scenario.devices, _LEAST_FRAMES), _MOST_FRAMES)
    if channel is None or isinstance(channel, RicianFading):
        channel = RicianFading()
        scenario = dataclasses.replace(scenario, doppler_hz=None, shadowing_decorrelation_s=0.0)
    sizes = max(round(_FIRST_SHARE * frames), min(_SMALLEST_FIRST, frames)), frames
    streams = (np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,))) for key in _STREAMS)
    return Samples(*(channel.sample(scenario, size, rng) for size, rng in zip(sizes, streams, strict=True)))
