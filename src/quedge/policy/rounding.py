"""Randomised rounding of the relaxed decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quedge.allocation.greedy import NomaGreedy
from quedge.errors import not_allowed
from quedge.model.frame import Decision, Frame, PackedFrame, packed_frame, unpacked_frame
from quedge.model.kernels import Floats, kernel
from quedge.model.terms import frame_terms
from quedge.policy.dual import solve_dual
from quedge.policy.lagrangian import check_rounds


@dataclass(frozen=True)
class RandomRounding:
    """Device i offloads with probability x̂_i, the relaxed decision; the best of some draws, each allocated greedily.

    The relaxation is the one that lets every device mix its two modes (`policy/dual.py`). Its solution x̂ is found as
    the mean of what the devices decide over the rounds of the dual's subgradient method, which converges to it.

    Attributes:
        draws: number of draws, from 1 to 10,000.
        rounds: most rounds of the subgradient method, from 1 to 10,000.

    Source: randomised rounding (Raghavan, Thompson, Combinatorica 7(4), 1987); the mean of the rounds as the relaxed
    solution (Larsson, Patriksson, Strömberg, Mathematical Programming 86, 1999).
    """

    draws: int = 10
    rounds: int = 60

    def __post_init__(self) -> None:
        if isinstance(self.draws, bool) or not isinstance(self.draws, int) or not 1 <= self.draws <= 10_000:
            raise not_allowed("draws", self.draws, "an integer, from 1 to 10,000")
        check_rounds(self.rounds)

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`."""
        relaxed = relaxed_decision(frame, self.rounds)
        return NomaGreedy().allocate_best(frame, rng.random((self.draws, relaxed.size)) < relaxed).decision


def relaxed_decision(frame: Frame, rounds: int) -> Floats:
    """The relaxed decision x̂ of a frame, from 0 to 1, shape (devices,); `rounds` as in `RandomRounding`."""
    return _relaxed(packed_frame(frame), rounds)


@kernel
def _relaxed(packed: PackedFrame, rounds: int) -> Floats:
    terms = frame_terms(*unpacked_frame(*packed))
    share = solve_dual(terms, rounds).share
    relaxed = np.empty(share.size)
    for k in range(share.size):
        relaxed[terms.device[k]] = share[k]
    return relaxed
