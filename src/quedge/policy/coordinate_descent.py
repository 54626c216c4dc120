"""Coordinate descent on the offloading decision, one device after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quedge.allocation.greedy import greedy_levels
from quedge.model.frame import Decision, Frame, PackedFrame, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.terms import frame_terms, powers_of_levels


@dataclass(frozen=True)
class LyCd:
    """LyCD, Lyapunov-guided coordinate descent: the device that gains most by changing its mode does, until none gains.

    It begins with all devices computing locally (the public code of DROO, which has the method, begins at random), so
    that it decides alike whenever it runs and never worse than that. Each round takes N greedy allocations; the last
    one finds that no single change gains objective (17).

    Source: LyDROO (Bi, Huang, Wang, Zhang, IEEE TWC 20(11), 2021), which compares itself with it; the method is from
    Bi, Zhang, IEEE TWC 17(6), 2018.
    """

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`. Its notes tell the `rounds`."""
        powers, objective, rounds = _descend(packed_frame(frame))
        return Decision(*powers, objective, notes={"rounds": rounds})


@kernel
def _descend(packed: PackedFrame) -> tuple[tuple[Bools, Floats, Floats, Floats, Floats], float, int]:
    """The last decision as `powers_of_levels` gives it, its objective, and how many rounds it took."""
    frame = unpacked_frame(*packed)
    terms = frame_terms(*frame)
    n = terms.device.size
    offload, level = np.zeros(n, np.bool_), np.empty(n)
    best = greedy_levels(terms, offload, level)
    rounds, changed = 0, 0
    while changed >= 0:
        changed = -1
        for k in range(n):
            offload[k] = not offload[k]
            objective = greedy_levels(terms, offload, level)
            offload[k] = not offload[k]
            if objective > best:
                best, changed = objective, k
        if changed >= 0:
            offload[changed] = not offload[changed]
        rounds += 1
    best = greedy_levels(terms, offload, level)
    return powers_of_levels(terms, frame, offload, level), best, rounds
