"""The most weighted rate within a power budget of each frame alone: neither queue weighs anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.allocator import Choice
from quedge.allocation.greedy import greedy_levels
from quedge.model.cell import Cell, check_ungrouped, refuse_partial
from quedge.model.conditions import affordable_power, highest_affordable_frequency
from quedge.model.frame import Decision, Frame, PackedFrame, at_least_one, checked_offload, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, inner_kernel, kernel
from quedge.model.terms import Terms, frame_terms, powers_of_levels
from quedge.model.uplink import frame_objective, rate_weight


@inner_kernel
def within_budget(frame: Frame, budget_w: Floats) -> Frame:
    """The same frame with limits by which no device draws more than its budget, and in which power has no price.

    Nor have the queues of the edge server. An offloader whose circuit alone draws more may send nothing.

    Args:
        frame: the frame.
        budget_w: most mean power of each device in this frame (W), shape (devices,).
    """
    cell, n = frame.cell, budget_w.size
    transmit, frequency = np.empty(n), np.empty(n)
    for i in range(n):
        budget = max(budget_w[i] - cell.idle_power_w[i], 0.0)
        transmit[i] = affordable_power(cell, i, frame.channel_gain[i], frame.data_queue_mbit[i], budget)
        frequency[i] = highest_affordable_frequency(cell, i, budget)
    limited = Cell(
        cell.frame_s, cell.v, 0.0, cell.noise_w, cell.queue_exponent, cell.residual_sic_share, cell.is_partial,
        cell.subchannels, cell.group_size_max, cell.weight, cell.power_budget_w, cell.cycles_per_mbit,
        cell.energy_coefficient, frequency, cell.uplink_mbps, transmit, cell.circuit_power_w,
        cell.circuit_energy_j_per_mbit, cell.overhead_mbps, cell.max_secured_mbps, cell.idle_power_w,
        cell.frequency_step_hz, np.zeros(n), cell.interference_margin, cell.available_power_w,
    )  # fmt: skip
    return Frame(limited, frame.channel_gain, frame.data_queue_mbit, frame.energy_queue)


@kernel
def rate_terms(limited: Frame) -> Terms:
    """The chain that maximises Σ c r instead of objective (17), in a frame that `within_budget` gave."""
    terms = frame_terms(*limited)
    cell = limited.cell
    for k in range(terms.device.size):
        i = terms.device[k]
        value = rate_weight(cell, i, limited.data_queue_mbit[i])  # of a Mbit/s in (17)
        own = cell.weight[i] / value if value > 0.0 else 0.0
        terms.rate_value[k] *= own
        terms.offload_cost[k] *= own
        terms.local_value[k] *= own
    return terms


@inner_kernel
def objective_of(
    frame: Frame, powers: tuple[Bools, Floats, Floats, Floats, Floats]
) -> tuple[tuple[Bools, Floats, Floats, Floats, Floats], float]:
    """What `powers_of_levels` gave, and its objective (17) in the frame itself."""
    objective = frame_objective(frame.cell, frame.data_queue_mbit, frame.energy_queue, powers[0], powers[3], powers[4])
    return powers, objective


@kernel
def _allocate_best_rate(
    packed: PackedFrame, decisions: Bools
) -> tuple[int, tuple[tuple[Bools, Floats, Floats, Floats, Floats], float]]:
    """Of some decisions the place of the one with the most weighted rate, its allocation, and objective (17)."""
    frame = unpacked_frame(*packed)
    limited = within_budget(frame, frame.cell.power_budget_w)
    terms = rate_terms(limited)
    offload, level = np.empty(decisions.shape, np.bool_), np.empty(terms.device.size)
    best, most = 0, -math.inf
    for candidate in range(decisions.shape[0]):
        for k in range(terms.device.size):
            offload[candidate, k] = decisions[candidate, terms.device[k]]
        rate = greedy_levels(terms, offload[candidate], level)
        if rate > most:
            best, most = candidate, rate
    greedy_levels(terms, offload[best], level)
    return best, objective_of(frame, powers_of_levels(terms, limited, offload[best], level))


@dataclass(frozen=True)
class FrameBudget:
    """Every device spends its power budget in each frame, as far as it serves the rate; the critic of DROO.

    It maximises Σ c r with e ≤ γ in every frame and r T ≤ Q: nothing is saved for later frames, and neither queue
    weighs anything. The offloaders take the highest powers that they may, which is the greedy backward induction at
    price 0. One whose circuit alone draws more than its budget sends nothing. Of several decisions it keeps the one of
    the most weighted rate, not of the highest objective (17).

    Example:
        >>> decision = quedge.FrameBudget().allocate(frame, np.array([True, False, True]))
        >>> print(decision.power_w.round(4), frame.cell.power_budget_w)
        [0.0105 0.08   0.0477] [0.08 0.08 0.08]

    Source: DROO (Huang, Bi, Zhang, IEEE TMC 19(11), 2020), in which a device spends in a frame what it harvests in it;
    eqs. (40), (41) for the powers.
    """

    carries_partial: ClassVar = False

    def allocate(self, frame: Frame, offload: Any) -> Decision:
        """Powers and frequencies for a given offloading decision; see `Allocator.allocate`."""
        return self.allocate_best(frame, checked_offload(offload, frame.cell.devices)[np.newaxis]).decision

    def allocate_best(self, frame: Frame, offloads: NDArray[np.bool_]) -> Choice:
        """The decision of the most weighted rate; see `BatchAllocator.allocate_best`."""
        refuse_partial(frame.cell.is_partial > 0.0, f"the allocator {type(self).__name__}")
        check_ungrouped(frame.cell, f"with {type(self).__name__}, which allocates one group")
        candidate, (powers, objective) = _allocate_best_rate(packed_frame(frame), at_least_one(offloads))
        return Choice(candidate, Decision(*powers, objective))
