"""What an agent from outside is rewarded by."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from quedge.model.cell import Cell, cell_of
from quedge.model.compiled import Floats, kernel
from quedge.model.scenario import Scenario


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
