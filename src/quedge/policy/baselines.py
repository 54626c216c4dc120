"""Policies without learning: what any learner has to beat. All allocate greedily."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quedge.allocation.greedy import NomaGreedy, greedy_levels
from quedge.model.frame import Decision, Frame, PackedFrame, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.terms import frame_terms, powers_of_levels


@dataclass(frozen=True)
class AllLocal:
    """Every device computes locally."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`."""
        return NomaGreedy().allocate(frame, np.zeros(frame.cell.devices, dtype=np.bool_))


@dataclass(frozen=True)
class AllOffload:
    """Every device offloads."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`."""
        return NomaGreedy().allocate(frame, np.ones(frame.cell.devices, dtype=np.bool_))


@dataclass(frozen=True)
class Random:
    """Each device offloads by the toss of a coin.

    Attributes:
        probability: chance that a device offloads, from 0 to 1.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"probability: {self.probability!r} is not allowed; it must lie from 0 to 1")

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`."""
        return NomaGreedy().allocate(frame, rng.random(frame.cell.devices) < self.probability)


@dataclass(frozen=True)
class BestSingle:
    """The best of all decisions in which at most one device offloads: N + 1 greedy allocations."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`."""
        powers, objective = _best_up_to(packed_frame(frame), 1)
        return Decision(*powers, objective)


@dataclass(frozen=True)
class BestPair:
    """The best of all decisions in which at most two devices offload: O(N²) greedy allocations."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`."""
        powers, objective = _best_up_to(packed_frame(frame), 2)
        return Decision(*powers, objective)


@kernel
def _best_up_to(packed: PackedFrame, offloaders: int) -> tuple[tuple[Bools, Floats, Floats, Floats, Floats], float]:
    """The best greedy allocation with at most `offloaders` (0, 1 or 2) offloading devices, and its objective."""
    frame = unpacked_frame(*packed)
    terms = frame_terms(*frame)
    n = terms.device.size
    offload = np.zeros(n, np.bool_)
    level = np.empty(n)
    best = greedy_levels(terms, offload, level)
    first = second = -1
    for i in range(n if offloaders > 0 else 0):
        offload[i] = True
        objective = greedy_levels(terms, offload, level)
        if objective > best:
            best, first, second = objective, i, i
        for j in range(i + 1, n if offloaders > 1 else 0):
            offload[j] = True
            objective = greedy_levels(terms, offload, level)
            if objective > best:
                best, first, second = objective, i, j
            offload[j] = False
        offload[i] = False
    if first >= 0:
        offload[first] = True
        offload[second] = True
    best = greedy_levels(terms, offload, level)
    return powers_of_levels(terms, frame, offload, level), best
