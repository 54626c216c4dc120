"""The random world of a run, drawn before the first decision so that every policy meets the same one."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed
from quedge.model.backoff import planned_gain_share
from quedge.model.frame import Range
from quedge.model.scenario import Scenario
from quedge.simulation.processes import (
    ArrivalProcess,
    ChannelProcess,
    ExponentialArrivals,
    Normals,
    Recorded,
    RicianFading,
    estimate_gain,
    sample_harvest,
)


class World(NamedTuple):
    """Channel gains and arrivals of a run, which no policy changes.

    Attributes:
        channel_gain: power gains (W/W), shape (frames, devices), or (frames, devices, sub-channels) where these fade
            for themselves; 0 where a device is out of coverage.
        arrival_mbit: data that arrives during each frame (Mbit), shape (frames, devices).
        channel_estimate: power gains as policies see them (W/W), of the same shape: estimates, or less where an outage
            probability is asked for; with perfect CSI the array of the true gains itself, or None.
        harvest_j: energy that is harvested during each frame (J), of the same shape; None without batteries.
        leaves: where a device goes and its data queue is dropped, at the start of the frame, of the same shape; None
            where none ever does.
    """

    channel_gain: NDArray[np.float64]
    arrival_mbit: NDArray[np.float64]
    channel_estimate: NDArray[np.float64] | None = None
    harvest_j: NDArray[np.float64] | None = None
    leaves: NDArray[np.bool_] | None = None

    @property
    def estimated_gain(self) -> NDArray[np.float64]:
        """Power gains as policies see them (W/W), of the shape of the true ones."""
        return self.channel_gain if self.channel_estimate is None else self.channel_estimate

    @property
    def has_perfect_csi(self) -> bool:
        """Whether policies see the true gains (channel state information)."""
        return self.estimated_gain is self.channel_gain

    def part(self, first: int, end: int) -> World:
        """The frames from `first` to before `end`."""
        gain = self.channel_gain[first:end]
        estimate = gain if self.has_perfect_csi else self.estimated_gain[first:end]
        harvest = None if self.harvest_j is None else self.harvest_j[first:end]
        leaves = None if self.leaves is None else self.leaves[first:end]
        return World(gain, self.arrival_mbit[first:end], estimate, harvest, leaves)


def check_integer(name: str, value: object, least: int) -> None:
    """Refuse a number that is no integer or too small; a ValueError names the argument."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise not_allowed(name, value, f"an integer, at least {least}")


class Streams(NamedTuple):
    """The independent random streams of one seed."""

    channel: np.random.Generator
    arrivals: np.random.Generator
    policy: np.random.Generator
    estimates: np.random.Generator
    harvests: np.random.Generator


_PART = 1 << 18  # devices times frames of a part: some 30 MB of a trace
_SPAWN_KEYS = (0, 1, 2, 4, 5)  # 3 is for the losses of an emulation of the service


def random_streams(seed: int) -> Streams:
    """Streams for channel, arrivals, policy, estimation errors and harvests; drawing from one never moves another.

    Raises:
        ValueError: `seed` is no integer or negative.
    """
    check_integer("seed", seed, 0)
    children = (np.random.SeedSequence(seed, spawn_key=(key,)) for key in _SPAWN_KEYS)
    return Streams(*(np.random.default_rng(child) for child in children))


def policy_streams(seed: int, cells: int) -> list[np.random.Generator]:
    """A stream for the policy of each of several cells."""
    return [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2, cell))) for cell in range(cells)]


def neighbour_stream(seed: int) -> np.random.Generator:
    """The stream of what several cells do to each other."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(6,)))


def draw_world(
    scenario: Scenario,
    frames: int,
    seed: int,
    channel: ChannelProcess | None = None,
    arrivals: ArrivalProcess | None = None,
) -> World:
    """Draw a world; arguments as in `simulate`."""
    check_integer("frames", frames, 1)
    return next(draw_world_parts(scenario, frames, seed, frames, channel, arrivals))


def draw_world_parts(
    scenario: Scenario,
    frames: int,
    seed: int,
    part: int,
    channel: ChannelProcess | None = None,
    arrivals: ArrivalProcess | None = None,
) -> Iterator[World]:
    """Draw a world `part` frames at a time, the same numbers as at once; other arguments as in `simulate`.

    Only the built-in processes are drawn in parts; what others sample is there as a whole.
    """
    check_integer("frames", frames, 1)
    streams = random_streams(seed)
    channel = RicianFading() if channel is None else channel
    arrivals = ExponentialArrivals() if arrivals is None else arrivals
    gains = _sampled("channel", channel, scenario, frames, streams.channel, part)
    arrived = _sampled("arrivals", arrivals, scenario, frames, streams.arrivals, part)
    has_errors = scenario.per_device("estimate_error").any()
    leaving = channel.leaves if isinstance(channel, Recorded) else None
    errors: Normals | None = None
    planned_share = planned_gain_share(scenario)
    for first in range(0, frames, part):
        gain = _checked("channel", next(gains), first)
        if has_errors and errors is None:
            errors = Normals(streams.estimates, 2, frames, gain[0].size, part)
        arrival = _checked("arrivals", next(arrived), first)
        each = planned_share if gain.ndim == 2 else planned_share[:, np.newaxis]
        estimate = gain if errors is None else estimate_gain(scenario, gain, errors) * each
        leaves = None if leaving is None else leaving[first : min(first + part, frames)]
        yield World(gain, arrival, estimate, sample_harvest(scenario, gain.shape[0], streams.harvests), leaves)


class WorldInParts:
    """A world that can be gone through part by part, as often as asked; of one part it is drawn once."""

    def __init__(
        self,
        scenario: Scenario,
        frames: int,
        seed: int,
        channel: ChannelProcess | None = None,
        arrivals: ArrivalProcess | None = None,
    ) -> None:
        """Arguments, and what is refused, as in `simulate`; the first part is drawn at once."""
        self.scenario, self.frames, self.seed = scenario, frames, seed
        part = max(_PART // scenario.devices, 1) if scenario.cells == 1 else frames  # cells are run as a whole
        self._draw = functools.partial(draw_world_parts, scenario, frames, seed, part, channel, arrivals)
        self._first = next(self._draw())

    def __iter__(self) -> Iterator[World]:
        """From the first part to the last."""
        yield self._first
        if self._first.arrival_mbit.shape[0] < self.frames:
            parts = self._draw()
            next(parts)
            yield from parts


def _sampled(
    name: str, process: ChannelProcess | ArrivalProcess, scenario: Scenario, frames: int, rng: np.random.Generator,
    part: int,
) -> Iterator[NDArray[np.float64]]:  # fmt: skip
    """What a process samples, in contiguous parts; a ValueError names one of the wrong shape."""
    if type(process) is RicianFading or type(process) is ExponentialArrivals:
        yield from process.sample_parts(scenario, frames, rng, part)
        return
    whole = np.ascontiguousarray(process.sample(scenario, frames, rng), dtype=np.float64)
    selective = (frames, scenario.devices, scenario.subchannels)
    is_selective = name == "channel" and scenario.subchannels > 1 and whole.shape == selective
    if whole.shape != selective[:2] and not is_selective:
        also = f", or with sub-channels {selective}" if name == "channel" and scenario.subchannels > 1 else ""
        raise ValueError(
            f"{name}: shape {whole.shape} is not allowed; it must be (frames, devices) = {selective[:2]}{also}"
        )
    for first in range(0, frames, part):
        yield whole[first : first + part]


_ANY = Range(math.inf)


def _checked(name: str, values: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """The values of a process from frame `first` on; a ValueError names one that is not allowed."""
    bad = _ANY.excludes(values)
    if bad.any():
        frame, device, *more = (int(index) for index in np.argwhere(bad)[0])
        place = f"in frame {first + frame}, device {device}" + "".join(f", sub-channel {k}" for k in more)
        value = values[(frame, device, *more)]
        raise ValueError(f"{name}: {value} {place} is not allowed; it must be {_ANY.allowed}")
    return values
