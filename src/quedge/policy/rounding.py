"""Randomised rounding of the relaxed decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quedge.allocation.greedy import best_greedy
from quedge.errors import not_allowed
from quedge.model.frame import Frame, PackedFrame, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.terms import frame_terms, powers_of_levels
from quedge.policy.compiled import Compiled, own_settings, tell
from quedge.policy.dual import solve_dual
from quedge.policy.lagrangian import check_rounds


@kernel
def _round(packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats) -> None:
    frame = unpacked_frame(*packed)
    terms = frame_terms(*frame)
    share = solve_dual(terms, int(own[0])).share
    candidates = np.empty((drawn.size // share.size, share.size), np.bool_)
    for candidate in range(candidates.shape[0]):
        for k in range(share.size):
            candidates[candidate, k] = drawn[candidate * share.size + terms.device[k]] < share[k]
    level = np.empty(share.size)
    best, objective = best_greedy(terms, candidates, level)
    tell(powers_of_levels(terms, frame, candidates[best], level), objective, offload, powers, told)


@dataclass(frozen=True)
class RandomRounding(Compiled):
    """Device i offloads with probability x̂_i, the relaxed decision; the best of some draws, each allocated greedily.

    The relaxation is the one that lets every device mix its two modes (`policy/dual.py`). Its solution x̂ is found as
    the mean of what the devices decide over the rounds of the dual's subgradient method, which converges to it.

    Attributes:
        draws: number of draws, from 1 to 10,000.
        rounds: most rounds of the subgradient method, from 1 to 10,000.

    Example:
        >>> print(quedge.RandomRounding(draws=5).decide(frame, rng).offload)
        [ True  True False]

    Source: randomised rounding (Raghavan, Thompson, Combinatorica 7(4), 1987); the mean of the rounds as the relaxed
    solution (Larsson, Patriksson, Strömberg, Mathematical Programming 86, 1999).
    """

    draws: int = 10
    rounds: int = 60
    kernel: ClassVar = _round

    def __post_init__(self) -> None:
        if isinstance(self.draws, bool) or not isinstance(self.draws, int) or not 1 <= self.draws <= 10_000:
            raise not_allowed("draws", self.draws, "an integer, from 1 to 10,000")
        check_rounds(self.rounds)

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(self.rounds)

    def random_numbers(self, devices: int) -> int:
        """See `Compiled.random_numbers`."""
        return self.draws * devices


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
