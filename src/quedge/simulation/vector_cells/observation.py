"""Observations and rewards of an agent from outside."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed
from quedge.model.cell import Cell, cell_of
from quedge.model.frame import Frame
from quedge.model.kernels import Bools, Floats, Floats32, inner_kernel, kernel
from quedge.model.scenario import Scenario
from quedge.model.uplink import rate_weight

OBSERVATION_LIMIT = 16.0
"""Observations are clipped at this value, scaled gains also at its negative."""


class Observed(NamedTuple):
    """What is observed of a device besides its gain and queues.

    Attributes:
        server: its queue at the edge server, where that has one.
        battery: what its battery can give, where it has one.
    """

    server: bool
    battery: bool

    @property
    def numbers(self) -> int:
        """How many numbers a device has."""
        return 3 + self.server + self.battery


def observed_of(scenario: Scenario) -> Observed:
    """What is observed in a scenario."""
    return Observed(scenario.server_frequency_hz is not None, scenario.battery_j is not None)


def observed_in(cell: Cell, numbers: int) -> Observed:
    """What is observed of a frame's devices where it is so many numbers each."""
    battery = bool(np.isfinite(cell.available_power_w).any())
    return Observed(numbers > 3 + battery, battery)


def observation_bounds(scenario: Scenario) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lower and upper bounds of a cell's observation; see `fill_observation`."""
    high = np.full(observed_of(scenario).numbers * scenario.devices, OBSERVATION_LIMIT, np.float32)
    low = np.zeros_like(high)
    low[: scenario.devices] = -OBSERVATION_LIMIT
    return low, high


def observe(frame: Frame, scenario: Scenario) -> Floats32:
    """What an agent in the environments sees of a frame; see `fill_observation`.

    Args:
        frame: the frame, as policies take it.
        scenario: the frame's scenario, which says whether there are batteries and a finite edge server.

    Returns:
        The observation, shape (3 · devices,), (4 · devices,) or (5 · devices,).

    Raises:
        ValueError: the frame has another number of devices than the scenario.

    Example:
        >>> from quedge.gymnasium import observe
        >>> print(observe(frame, quedge.Scenario(devices=3)).round(1))
        [ 0.4 -0.3 -1.1  0.9  1.2  0.8  1.   0.   1.2]
    """
    if frame.channel_gain.size != scenario.devices:
        raise not_allowed("frame", f"of {frame.channel_gain.size} devices", f"of the scenario's {scenario.devices}")
    return observation_of(frame, observed_of(scenario))


def observation_of(frame: Frame, observed: Observed) -> Floats32:
    """The observation of a frame of which so much is observed, shape (numbers · devices,)."""
    seen = np.empty(observed.numbers * frame.channel_gain.size, np.float32)
    fill_observation(*frame, observed, seen)
    return seen


@inner_kernel
def fill_observation(
    cell: Cell,
    channel_gain: Floats,
    data_queue_mbit: Floats,
    energy_queue: Floats,
    observed: Observed,
    observation: Floats32,
) -> None:
    """Fill in the observation of a frame.

    Three numbers per device, of order one in the paper's cell: first all gains, log10(h / N0) − 3, from −16 to 16; then
    all data queues, ½ ln(1 + Q / T), and all energy queues, ¼ ln(1 + b / T) with b = ν √T Y their price in (17), both
    from 0 to 16. A gain of 0, out of coverage, is −16. Divided by T, queues have the scale of a frame of 1 s. Where the
    edge server has queues S, their ½ ln(1 + S^β / T) follow, and where there are batteries, ½ ln(1 + B / T γ).

    Args:
        cell: the frame's cell.
        channel_gain: estimated power gains h (W/W), shape (devices,).
        data_queue_mbit: data queues Q (Mbit), shape (devices,).
        energy_queue: virtual energy queues Y, shape (devices,).
        observed: what is observed.
        observation: filled, shape (numbers * devices,).
    """
    n = channel_gain.size
    for i in range(n):
        gain = math.log10(channel_gain[i] / cell.noise_w) - 3.0 if channel_gain[i] > 0.0 else -OBSERVATION_LIMIT
        observation[i] = min(max(gain, -OBSERVATION_LIMIT), OBSERVATION_LIMIT)
        observation[n + i] = min(0.5 * math.log1p(data_queue_mbit[i] / cell.frame_s), OBSERVATION_LIMIT)
        observation[2 * n + i] = min(0.25 * math.log1p(cell.nu * energy_queue[i] / cell.frame_s), OBSERVATION_LIMIT)
    first = 3 * n
    if observed.server:
        for i in range(n):
            waiting = 0.5 * math.log1p(cell.server_weight[i] / cell.frame_s)
            observation[first + i] = min(waiting, OBSERVATION_LIMIT)
        first += n
    if observed.battery:
        for i in range(n):
            available = 0.5 * math.log1p(cell.available_power_w[i] / cell.power_budget_w[i])
            observation[first + i] = min(available, OBSERVATION_LIMIT)


Queues = tuple[Floats, Floats, Floats]


class Reward(StrEnum):
    """What a frame's reward is, before it is divided by `reward_unit`."""

    OBJECTIVE = "objective"
    """Objective (17), the reward of the paper's agent. It grows with the queues, so an agent that looks ahead may let
    them grow."""
    DRIFT_PLUS_PENALTY = "drift-plus-penalty"
    """V T Σ c r less the growth of the Lyapunov function in the frame, Σ (Q² / T + Y²) / 2 for β = 1, which (17)
    bounds. Its sum over an episode pays for rate and charges for the queues at the end."""


def reward_unit(scenario: Scenario) -> float:
    """Σ (V c + λ^β) T λ (Mbit²/s): objective (17) of a frame that processes its mean arrivals and nothing else.

    1 without arrivals. It scales with T as the objective does, so that rewards do not.
    """
    cell, rate = cell_of(scenario), scenario.per_device("arrival_rate_mbps")
    unit = float(((cell.v * cell.weight + rate**cell.queue_exponent * cell.frame_s) * rate).sum())
    return unit if unit > 0.0 else 1.0


@kernel
def drift_plus_penalty(cell: Cell, rate_mbps: Floats, before: Queues, after: Queues) -> Floats:
    """V T Σ c r less the growth of Σ T (Q / T)^{1+β} / (1 + β) + Y² / 2, of several cells: shape (cells,).

    Queues S of the edge server count as the devices' own do.

    With β = 1 and the paper's frame of one second, these are half the squares, its Lyapunov function; T keeps the part
    of the growth that a decision changes equal to that of (17) for any T.

    Args:
        cell: constants of every cell.
        rate_mbps: rates (Mbit/s), shape (cells, devices).
        before: data queues Q (Mbit), virtual energy queues Y, each of the same shape, and queues S at the edge server
            (Mbit), of shape (cells, 0) where it has none; before the frame.
        after: the same, after it.

    Source: Section IV-A.
    """
    cells, devices = rate_mbps.shape
    reward = np.zeros(cells)
    for b in range(cells):
        for i in range(devices):
            data = _growth(cell, before[0][b, i], after[0][b, i])
            energy = after[1][b, i] ** 2 - before[1][b, i] ** 2
            reward[b] += cell.v * cell.weight[i] * rate_mbps[b, i] - 0.5 * (data + energy)
        for i in range(before[2].shape[1]):
            reward[b] -= 0.5 * _growth(cell, before[2][b, i], after[2][b, i])
    return reward


@inner_kernel
def _growth(cell: Cell, before_mbit: float, after_mbit: float) -> float:
    """Growth of 2 T (Q / T)^{1+β} / (1 + β)."""
    if cell.queue_exponent == 1.0:
        return float((after_mbit**2 - before_mbit**2) / cell.frame_s)
    power = 1.0 + cell.queue_exponent
    share = 2.0 * cell.frame_s ** (1.0 - power) / power  # 1 / T for β = 1
    return float((after_mbit**power - before_mbit**power) * share)


@kernel
def objective_parts(
    cell: Cell, queues: tuple[Floats, Floats], offload: Bools, rate_mbps: Floats, power_w: Floats
) -> Floats:
    """What each device adds to objective (17), shape (devices,); data and energy queues at the start of the frame."""
    parts = np.empty(rate_mbps.size)
    for i in range(rate_mbps.size):
        value = rate_weight(cell, i, queues[0][i])
        if offload[i]:
            value -= cell.server_weight[i]
        parts[i] = value * rate_mbps[i] - cell.nu * queues[1][i] * power_w[i]
    return parts


@kernel
def drift_plus_penalty_parts(cell: Cell, rate_mbps: Floats, before: Queues, after: Queues) -> Floats:
    """What each device of a cell adds to `drift_plus_penalty`, shape (devices,); arrays of one cell."""
    parts = np.empty(rate_mbps.size)
    for i in range(rate_mbps.size):
        growth = _growth(cell, before[0][i], after[0][i]) + after[1][i] ** 2 - before[1][i] ** 2
        if before[2].size > 0:
            growth += _growth(cell, before[2][i], after[2][i])
        parts[i] = cell.v * cell.weight[i] * rate_mbps[i] - 0.5 * growth
    return parts
