"""The random world of a run, drawn before the first decision, so that every policy meets the same one."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.ranges import Range
from quedge.model.scenario import Scenario
from quedge.simulation.processes import ArrivalProcess, ChannelProcess, ExponentialArrivals, RicianFading


class World(NamedTuple):
    """What happens to a cell, whatever its policy.

    Attributes:
        channel_gain: power gains (W/W), shape (frames, devices).
        arrival_mbit: data that arrives during each frame (Mbit), shape (frames, devices).
    """

    channel_gain: NDArray[np.float64]
    arrival_mbit: NDArray[np.float64]


class Streams(NamedTuple):
    """The independent random streams that one seed gives."""

    channel: np.random.Generator
    arrivals: np.random.Generator
    policy: np.random.Generator


def random_streams(seed: int) -> Streams:
    """Streams for channel, arrivals and policy; drawing from one never moves another.

    Raises:
        ValueError: `seed` is no integer or negative.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed: {seed!r} is not allowed; it must be an integer, at least 0")
    return Streams(*(np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)))


def draw_world(
    scenario: Scenario,
    frames: int,
    seed: int,
    channel: ChannelProcess | None = None,
    arrivals: ArrivalProcess | None = None,
) -> World:
    """Draw a world; arguments as in `simulate`."""
    if isinstance(frames, bool) or not isinstance(frames, (int, np.integer)) or frames < 1:
        raise ValueError(f"frames: {frames!r} is not allowed; it must be an integer, at least 1")
    streams = random_streams(seed)
    channel = RicianFading() if channel is None else channel
    arrivals = ExponentialArrivals() if arrivals is None else arrivals
    return World(
        _checked(
            "channel",
            channel.sample(scenario, frames, streams.channel),
            scenario,
            frames,
            Range(math.inf, positive=True),
        ),
        _checked(
            "arrivals",
            arrivals.sample(scenario, frames, streams.arrivals),
            scenario,
            frames,
            Range(math.inf, positive=False),
        ),
    )


def _checked(
    name: str, values: NDArray[np.float64], scenario: Scenario, frames: int, allowed: Range
) -> NDArray[np.float64]:
    """The values of a process as a contiguous array, or a ValueError naming the process."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.shape != (frames, scenario.devices):
        raise ValueError(
            f"{name}: shape {array.shape} is not allowed; it must be (frames, devices) = ({frames}, {scenario.devices})"
        )
    bad = allowed.excludes(array)
    if bad.any():
        frame, device = (int(index) for index in np.argwhere(bad)[0])
        place = f"in frame {frame}, device {device}"
        raise ValueError(f"{name}: {array[frame, device]} {place} is not allowed; it must be {allowed.allowed}")
    return array
