"""The continuous polish: the best levels for the decision that was found, off the grid.

For fixed offloaders the objective telescopes into one function a level, φ(s) = Δα ln s − Δβ s with the differences of
α and β to the next offloader. A level that moves takes those with it that are tied to it, at their upper limit; the
first that is not tied stays where it is. One level at a time is moved to where the sum over it and its tied ones
stops rising, until none moves.
"""

from __future__ import annotations

import math

import numpy as np

from quedge.model.compiled import Bools, Floats, Ints, kernel
from quedge.model.terms import Terms, highest_level

_TIED = 1e-12  # relative distance to the limit
_SWEEPS = 30
_HALVINGS = 60


@kernel
def lowest_start(terms: Terms, k: int, end: float) -> float:
    """The lowest level from which device k may reach `end`; also the one from which it reaches no more."""
    return float(max(end / terms.growth_limit[k], end - terms.step_limit[k]))


@kernel
def group_value(terms: Terms, chain: Ints, alpha: Floats, beta: Floats, m: int, free: int, position: float) -> float:
    """Sum of φ over offloader m at `position` and those tied to it."""
    total = alpha[m] * math.log(position) - beta[m] * position
    for q in range(m + 1, free):
        position = highest_level(terms, chain[q], position)
        total += alpha[q] * math.log(position) - beta[q] * position
    return float(total)


@kernel
def group_slope(terms: Terms, chain: Ints, alpha: Floats, beta: Floats, m: int, free: int, position: float) -> float:
    """Derivative of `group_value` by the position."""
    total = alpha[m] / position - beta[m]
    pull = 1.0
    for q in range(m + 1, free):
        end = highest_level(terms, chain[q], position)
        if end < position + terms.step_limit[chain[q]]:  # the queue binds: the tied level is scaled, not shifted
            pull *= terms.growth_limit[chain[q]]
        position = end
        total += pull * (alpha[q] / position - beta[q])
    return float(total)


@kernel
def climb(
    terms: Terms, chain: Ints, alpha: Floats, beta: Floats, m: int, free: int, here: float, bound: float
) -> float:
    """From `here` towards `bound` to where the group's value stops rising."""
    up = bound > here
    slope = group_slope(terms, chain, alpha, beta, m, free, here + 1e-9 * (bound - here))
    if (slope > 0.0) != up or slope == 0.0:
        return here
    slope = group_slope(terms, chain, alpha, beta, m, free, bound)
    if (slope > 0.0) == up:
        return bound
    rising, falling = here, bound
    for _ in range(_HALVINGS):
        middle = 0.5 * (rising + falling)
        slope = group_slope(terms, chain, alpha, beta, m, free, middle)
        if (slope > 0.0) == up:
            rising = middle
        else:
            falling = middle
    return rising


@kernel
def polish(terms: Terms, offload: Bools, level: Floats) -> None:
    """Improve the levels of a decision in place; the objective never falls."""
    chain = np.flatnonzero(offload)
    count = chain.size
    if count == 0:
        return
    alpha, beta = np.empty(count), np.empty(count)
    position = np.empty(count + 1)
    position[0] = 1.0
    for m in range(count):
        position[m + 1] = level[chain[m]]
        alpha[m], beta[m] = terms.rate_value[chain[m]], terms.level_price[chain[m]]
        if m + 1 < count:
            alpha[m] -= terms.rate_value[chain[m + 1]]
            beta[m] -= terms.level_price[chain[m + 1]]
    for _ in range(_SWEEPS):
        moved = False
        for m in range(count - 1, -1, -1):
            here = position[m + 1]
            free = m + 1  # the first offloader that is not tied
            while free < count and position[free + 1] >= highest_level(terms, chain[free], position[free]) * (
                1.0 - _TIED
            ):
                free += 1
            low, high = position[m], highest_level(terms, chain[m], position[m])
            if free < count:
                lowest = lowest_start(terms, chain[free], position[free + 1])
                highest = position[free + 1]
                for q in range(free - 1, m, -1):
                    lowest = lowest_start(terms, chain[q], lowest)
                    highest = lowest_start(terms, chain[q], highest)
                low, high = max(low, lowest), min(high, highest)
            best, best_value = here, group_value(terms, chain, alpha, beta, m, free, here)
            for end in (high, low):
                if end == here or (end > here) != (end == high):
                    continue
                there = climb(terms, chain, alpha, beta, m, free, here, end)
                value = group_value(terms, chain, alpha, beta, m, free, there)
                if value > best_value + 1e-14 * abs(best_value):
                    best, best_value = there, value
            if best != here:
                moved = True
                position[m + 1] = best
                for q in range(m + 1, free):
                    position[q + 1] = highest_level(terms, chain[q], position[q])
        if not moved:
            break
    current = 1.0
    m = 0
    for k in range(offload.size):
        if offload[k]:
            m += 1
            current = position[m]
        level[k] = current
