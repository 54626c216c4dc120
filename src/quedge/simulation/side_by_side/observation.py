"""What an agent from outside sees of a frame: the one place where its observations are built, scaled and bounded."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quedge.model.cell import Cell
from quedge.model.compiled import Floats, Floats32, inner_kernel

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
