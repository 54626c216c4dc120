"""What an agent from outside sees of a frame, and what it is rewarded by."""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from quedge.model.cell import Cell, cell_of
from quedge.model.kernels import Floats, Floats32, inner_kernel, kernel
from quedge.model.scenario import Scenario

OBSERVED = 3
"""Numbers observed of each device."""

OBSERVATION_LIMIT = 16.0
"""Observations are cut at this value, the scaled gain at its negative, too."""


def observation_bounds(devices: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The least and the most that may be observed of a cell, shape (OBSERVED * devices,) each; see `observe`."""
    high = np.full(OBSERVED * devices, OBSERVATION_LIMIT, np.float32)
    low = np.zeros_like(high)
    low[:devices] = -OBSERVATION_LIMIT
    return low, high


@inner_kernel
def observe(
    cell: Cell, channel_gain: Floats, data_queue_mbit: Floats, energy_queue: Floats, observation: Floats32
) -> None:
    """Fill in what is observed of a frame; arguments as in `Frame`.

    Three numbers a device, of order one in the paper's cell: first all gains, log10(h / N0) − 3, from −16 to 16; then
    all data queues, ½ ln(1 + Q / T), and all energy queues, ¼ ln(1 + b / T) with b = ν √T Y their price in (17), both
    from 0 to 16, which 10¹³ Mbit in a frame of 1 s would reach. Over T, both are what they are in a frame of 1 s.

    Args:
        cell: constants of the cell.
        channel_gain: power gains h as they are told (W/W), shape (devices,).
        data_queue_mbit: data queues Q (Mbit), shape (devices,).
        energy_queue: virtual energy queues Y, shape (devices,).
        observation: filled, shape (OBSERVED * devices,).
    """
    n = channel_gain.size
    for i in range(n):
        gain = math.log10(channel_gain[i] / cell.noise_w) - 3.0
        observation[i] = min(max(gain, -OBSERVATION_LIMIT), OBSERVATION_LIMIT)
        observation[n + i] = min(0.5 * math.log1p(data_queue_mbit[i] / cell.frame_s), OBSERVATION_LIMIT)
        observation[2 * n + i] = min(0.25 * math.log1p(cell.nu * energy_queue[i] / cell.frame_s), OBSERVATION_LIMIT)


class Reward(StrEnum):
    """What a frame's reward is, before it is divided by `reward_unit`."""

    OBJECTIVE = "objective"
    """Objective (17): what the paper's agent is rewarded by. Longer queues make it larger, so an agent that looks ahead
    can be rewarded for letting them grow."""
    DRIFT_PLUS_PENALTY = "drift-plus-penalty"
    """V T Σ c r less the growth of Σ (Q² / T + Y²) / 2 in the frame: what (17) bounds. The sum over an episode pays for
    rate and charges for the queues that are left."""


def reward_unit(scenario: Scenario) -> float:
    """Σ (V c + λ) T λ: objective (17) of a frame that carries away what arrives, from queues that hold nothing else.

    One where nothing arrives. In Mbit²/s, as the objective; it goes with T as that does, so that rewards do not.
    """
    cell, rate = cell_of(scenario), scenario.per_device("arrival_rate_mbps")
    unit = float(((cell.v * cell.weight + rate * cell.frame_s) * rate).sum())
    return unit if unit > 0.0 else 1.0


@kernel
def drift_plus_penalty(
    cell: Cell,
    rate_mbps: Floats,
    data_queue_mbit: Floats,
    energy_queue: Floats,
    next_data_queue_mbit: Floats,
    next_energy_queue: Floats,
) -> Floats:
    """V T Σ c r less the growth of Σ (Q² / T + Y²) / 2, of several cells: shape (cells,).

    With the frame of one second that the paper assumes, half the squares are its Lyapunov function; 1 / T keeps the
    part of the growth that a decision moves that of (17) for any T.

    Args:
        cell: constants of every cell.
        rate_mbps: rates (Mbit/s), shape (cells, devices), like all that follow.
        data_queue_mbit: data queues Q before the frame (Mbit).
        energy_queue: virtual energy queues Y before it.
        next_data_queue_mbit: data queues after it (Mbit).
        next_energy_queue: virtual energy queues after it.

    Source: Section IV-A.
    """
    cells, devices = rate_mbps.shape
    reward = np.zeros(cells)
    for b in range(cells):
        for i in range(devices):
            data = (next_data_queue_mbit[b, i] ** 2 - data_queue_mbit[b, i] ** 2) / cell.frame_s
            energy = next_energy_queue[b, i] ** 2 - energy_queue[b, i] ** 2
            reward[b] += cell.v * cell.weight[i] * rate_mbps[b, i] - 0.5 * (data + energy)
    return reward
