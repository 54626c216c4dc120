"""The exact policy: every frame's mixed-integer problem, solved to proven optimality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.model.cell import Cell
from quedge.model.frame import Decision, Frame, Status
from quedge.model.packed import packed_frame
from quedge.policy.exact.search import solve_frame, solve_frames


@dataclass(frozen=True)
class Exact:
    """The best offloading decision and powers of each frame, with a bound that no other decision exceeds.

    Problem (17) is non-convex and has 2^N binary decisions, but its devices are coupled by one number only: the
    received power of those decoded later. Dynamic programming over that number, on cells that are bounded from above
    and refined only where the optimum can still be, takes time linear in N.

    Among devices of equal channel gain the one listed first is decoded last.

    Attributes:
        tolerance: relative distance between upper bound and objective at which a frame counts as solved.

    Source: problem (17); decoding order and limits by eqs. (20)-(30). The method is ours: `docs/exact.md`.
    """

    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if not 1e-9 <= self.tolerance < 1.0:
            raise ValueError(f"tolerance: {self.tolerance!r} is not allowed; it must be at least 1e-9 and below 1")

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`. Its status tells whether the tolerance was met."""
        offload, transmit, frequency, rate, power, objective, upper_bound = solve_frame(
            *packed_frame(frame), self.tolerance
        )
        met = upper_bound - objective <= self.tolerance * objective
        status = Status.OK if met else Status.GAP_OPEN
        return Decision(offload, transmit, frequency, rate, power, objective, upper_bound, status)


def exact_objectives(
    cell: Cell,
    channel_gain: NDArray[np.float64],
    data_queue_mbit: NDArray[np.float64],
    energy_queue: NDArray[np.float64],
    tolerance: float = 1e-3,
) -> NDArray[np.float64]:
    """The best objective (17) of many frames, in one compiled call.

    Args:
        cell: constants of the cell.
        channel_gain: power gains (W/W), shape (frames, devices), like the two that follow.
        data_queue_mbit: data queues (Mbit).
        energy_queue: virtual energy queues.
        tolerance: as in `Exact`.

    Returns:
        Objectives, shape (frames,).
    """
    objective, upper_bound = np.empty(channel_gain.shape[0]), np.empty(channel_gain.shape[0])
    solve_frames(cell, channel_gain, data_queue_mbit, energy_queue, tolerance, objective, upper_bound)
    return objective
