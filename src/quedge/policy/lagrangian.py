"""Lagrangian relaxation: prices on the interference, and the best decision that devices take at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quedge.allocation.greedy import greedy_levels
from quedge.errors import not_allowed
from quedge.model.frame import PackedFrame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.terms import frame_terms, powers_of_levels
from quedge.policy.compiled import UPPER_BOUND, Compiled, own_settings, tell
from quedge.policy.dual import solve_dual


def check_rounds(rounds: object) -> None:
    """Refuse what is no number of rounds.

    Raises:
        ValueError: naming it.
    """
    if isinstance(rounds, bool) or not isinstance(rounds, int) or not 1 <= rounds <= 10_000:
        raise not_allowed("rounds", rounds, "an integer, from 1 to 10,000")


@kernel
def _relax(packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats) -> None:
    frame = unpacked_frame(*packed)
    terms = frame_terms(*frame)
    dual = solve_dual(terms, int(own[0]))
    level = np.empty(terms.device.size)
    objective = greedy_levels(terms, dual.offload, level)
    tell(powers_of_levels(terms, frame, dual.offload, level), objective, offload, powers, told)
    told[UPPER_BOUND] = dual.bound


@dataclass(frozen=True)
class Lagrangian(Compiled):
    """Relaxes the interference that couples the devices, prices it, and lets each device decide for itself.

    A subgradient method lowers the dual bound. Primal recovery: what the devices decide in each round is allocated
    greedily, and the best of these decisions, or all-local, is taken. Its upper bound is the dual's, which a duality
    gap keeps above the optimum: the relaxed problem lets a device mix its two modes.

    Attributes:
        rounds: most rounds of the subgradient method, from 1 to 10,000.

    Example:
        >>> decision = quedge.Lagrangian(rounds=30).decide(frame, rng)
        >>> print(decision.offload, f"{decision.objective:.1f} of at most {decision.upper_bound:.1f}")
        [ True  True False] 501.4 of at most 515.0

    Source: `policy/dual.py` states the relaxation and its sources.
    """

    rounds: int = 60
    kernel: ClassVar = _relax

    def __post_init__(self) -> None:
        check_rounds(self.rounds)

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(self.rounds)
