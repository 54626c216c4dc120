"""Coordinate descent on the offloading decision, one device after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quedge.allocation.greedy import greedy_levels
from quedge.model.frame import PackedFrame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.terms import frame_terms, powers_of_levels
from quedge.policy.compiled import NOTES, Compiled, tell


@kernel
def _descend(packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats) -> None:
    frame = unpacked_frame(*packed)
    terms = frame_terms(*frame)
    n = terms.device.size
    chosen, level = np.zeros(n, np.bool_), np.empty(n)
    best = greedy_levels(terms, chosen, level)
    rounds, changed = 0, 0
    while changed >= 0:
        changed = -1
        for k in range(n):
            chosen[k] = not chosen[k]
            objective = greedy_levels(terms, chosen, level)
            chosen[k] = not chosen[k]
            if objective > best:
                best, changed = objective, k
        if changed >= 0:
            chosen[changed] = not chosen[changed]
        rounds += 1
    best = greedy_levels(terms, chosen, level)
    tell(powers_of_levels(terms, frame, chosen, level), best, offload, powers, told)
    told[NOTES] = rounds


@dataclass(frozen=True)
class LyCd(Compiled):
    """LyCD, Lyapunov-guided coordinate descent: the device that gains most by changing its mode does, until none gains.

    It begins with all devices computing locally (the public code of DROO, which has the method, begins at random), so
    that it decides alike whenever it runs and never worse than that. Each round takes N greedy allocations; the last
    one finds that no single change gains objective (17).

    Example:
        >>> decision = quedge.LyCd().decide(frame, rng)
        >>> print(decision.offload, decision.objective >= quedge.AllLocal().decide(frame, rng).objective)
        [ True  True False] True

    Source: LyDROO (Bi, Huang, Wang, Zhang, IEEE TWC 20(11), 2021), which compares itself with it; the method is from
    Bi, Zhang, IEEE TWC 17(6), 2018.
    """

    kernel: ClassVar = _descend
    note_names: ClassVar = ("rounds",)
