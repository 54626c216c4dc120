"""The paper's power allocation in linear time: greedy backward induction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.allocator import Choice
from quedge.model.cell import check_ungrouped
from quedge.model.frame import Decision, Frame, PackedFrame, at_least_one, checked_offload, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel, without_refcount
from quedge.model.terms import Terms, chain_objective, frame_terms, highest_level, own_best_level, powers_of_levels


@kernel
def greedy_level(terms: Terms, k: int, before: float) -> float:
    """The level to which device k lifts `before` for its own good.

    In levels the clipped stationary point of eqs. (37), (38), 1 + SINR* = clip(α / β J, 1, ...), reads
    s' = clip(α / β, s, highest): the interference J of eq. (33) is the level itself.
    """
    highest = highest_level(terms, k, before)  # eqs. (29), (30)
    return own_best_level(terms, k, before, highest)  # eqs. (37)-(41)


@kernel
def greedy_levels(terms: Terms, offload: Bools, level: Floats) -> float:
    """Levels that the backward induction gives to a decision; fills `level`, returns the objective (17)."""
    terms = without_refcount(terms)
    before = 1.0  # no interference for the last decoded, eq. (22)
    for k in range(offload.size):  # last decoded first, eq. (33)
        if offload[k]:
            before = greedy_level(terms, k, before)
        level[k] = before
    return chain_objective(terms, offload, level)


@kernel
def greedy_objectives(terms: Terms, offload: Bools, level: Floats, objective: Floats) -> None:
    """Fill in objective (17) of many decisions of one frame, each allocated greedily.

    `offload` is in the chain's order, shape (candidates, devices); `level` is room for one candidate's levels, shape
    (devices,); `objective` is of shape (candidates,).
    """
    for candidate in range(offload.shape[0]):
        objective[candidate] = greedy_levels(terms, offload[candidate], level)


@kernel
def best_greedy(terms: Terms, offload: Bools, level: Floats) -> tuple[int, float]:
    """Place and objective of the best of many decisions, as in `greedy_objectives`; fills `level`."""
    objective = np.empty(offload.shape[0])
    greedy_objectives(terms, offload, level, objective)
    best = int(np.argmax(objective))
    greedy_levels(terms, offload[best], level)
    return best, objective[best]


@kernel
def _allocate_best_greedy(
    packed: PackedFrame, decisions: Bools
) -> tuple[int, tuple[Bools, Floats, Floats, Floats, Floats], float]:
    """The best decision's place, greedy allocation and objective."""
    frame = unpacked_frame(*packed)
    terms = frame_terms(*frame)
    offload = np.empty(decisions.shape, np.bool_)
    for candidate in range(decisions.shape[0]):
        for k in range(terms.device.size):
            offload[candidate, k] = decisions[candidate, terms.device[k]]
    level = np.empty(terms.device.size)
    best, objective = best_greedy(terms, offload, level)
    return best, powers_of_levels(terms, frame, offload[best], level), objective


@dataclass(frozen=True)
class NomaGreedy:
    """Greedy backward induction: from the last decoded device to the first, each takes its own best power.

    Every device maximises its own part of the objective under its limits and ignores the interference that it
    causes to the devices decoded before it. One pass, O(N).

    Example:
        >>> decision = quedge.NomaGreedy().allocate(frame, np.array([True, True, False]))
        >>> print(decision.transmit_power_w.round(4), decision.rate_mbps.round(2))
        [0.0705 0.0595 0.    ] [5. 9. 3.]

    Source: Section V-A, eqs. (20)-(41).
    """

    def allocate(self, frame: Frame, offload: Any) -> Decision:
        """Powers and frequencies for a given offloading decision; see `Allocator.allocate`."""
        return self.allocate_best(frame, checked_offload(offload, frame.cell.devices)[np.newaxis]).decision

    def allocate_best(self, frame: Frame, offloads: NDArray[np.bool_]) -> Choice:
        """The best of several decisions; see `BatchAllocator.allocate_best`."""
        check_ungrouped(frame.cell, f"with {type(self).__name__}, which allocates one group")
        candidate, powers, objective = _allocate_best_greedy(packed_frame(frame), at_least_one(offloads))
        return Choice(candidate, Decision(*powers, objective))
