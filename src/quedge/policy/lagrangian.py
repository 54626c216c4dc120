"""Lagrangian relaxation: prices on the interference, and the best decision that devices take at them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quedge.allocation.greedy import greedy_levels
from quedge.errors import not_allowed
from quedge.model.frame import Decision, Frame, PackedFrame, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.terms import frame_terms, powers_of_levels
from quedge.policy.dual import solve_dual


@dataclass(frozen=True)
class Lagrangian:
    """Relaxes the interference that couples the devices, prices it, and lets each device decide for itself.

    A subgradient method lowers the dual bound. Primal recovery: what the devices decide in each round is allocated
    greedily, and the best of these decisions, or all-local, is taken. Its upper bound is the dual's, which a duality
    gap keeps above the optimum: the relaxed problem lets a device mix its two modes.

    Attributes:
        rounds: most rounds of the subgradient method, from 1 to 10,000.

    Source: `policy/dual.py` states the relaxation and its sources.
    """

    rounds: int = 60

    def __post_init__(self) -> None:
        check_rounds(self.rounds)

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`."""
        powers, objective, bound = _relax(packed_frame(frame), self.rounds)
        return Decision(*powers, objective, bound)


def check_rounds(rounds: object) -> None:
    """Refuse what is no number of rounds.

    Raises:
        ValueError: naming it.
    """
    if isinstance(rounds, bool) or not isinstance(rounds, int) or not 1 <= rounds <= 10_000:
        raise not_allowed("rounds", rounds, "an integer, from 1 to 10,000")


@kernel
def _relax(packed: PackedFrame, rounds: int) -> tuple[tuple[Bools, Floats, Floats, Floats, Floats], float, float]:
    """The decision as `powers_of_levels` gives it, its objective, and the dual bound."""
    frame = unpacked_frame(*packed)
    terms = frame_terms(*frame)
    dual = solve_dual(terms, rounds)
    level = np.empty(terms.device.size)
    objective = greedy_levels(terms, dual.offload, level)
    return powers_of_levels(terms, frame, dual.offload, level), objective, dual.bound
