"""From the bound to a decision: the steps that the bound promises most of, then their best levels off the grid."""

from __future__ import annotations

import math

import numpy as np

from quedge.model.kernels import Bools, Floats, Ints, kernel
from quedge.model.terms import Terms, highest_level
from quedge.policy.exact.bound import Bound, Layer, between_nodes, cell_value, crest_level, node_below
from quedge.policy.exact.lattice import Lattice


@kernel
def follow_bound(terms: Terms, lattice: Lattice, bound: Bound, offload: Bools, level: Floats) -> None:
    """Fill `offload` and `level` with the feasible path along which the bound is largest."""
    start = 1.0
    for k in range(offload.size):
        low, high = lattice.first[k + 1], lattice.first[k + 2]
        after = Layer(lattice.node_index[low:high], lattice.level[low:high], bound.value[low:high])
        nodes = after.level
        node = 0
        stay = bound.idle[k + 1]
        if start > 1.0:
            node = node_below(nodes, start)
            stay = -math.inf
            inside = node + 1 < nodes.size and nodes[node] <= start <= nodes[node + 1]
            if inside and after.node_index[node + 1] == after.node_index[node] + 1:
                stay = between_nodes(after, node, start)
        log_start = math.log(start)
        stay += terms.local_value[k] + terms.rate_value[k] * log_start - terms.level_price[k] * start
        stay += terms.offload_cost[k]  # now comparable with the value at the end of a step
        end = highest_level(terms, k, start)
        best, reached = -math.inf, start
        for j in range(node, nodes.size - 1):
            if nodes[j] >= end:
                break
            if bound.peak[low + j] <= max(best, stay):
                continue
            slope = (after.value[j + 1] - after.value[j]) / (nodes[j + 1] - nodes[j])
            target = min(max(crest_level(terms, k, after, j, slope, 0.0), start), end, nodes[j + 1])
            promised = cell_value(terms, k, lattice.step, after, j, slope, 0.0, target)
            if promised > best:
                best, reached = promised, target
        offload[k] = best > stay and reached > start
        if offload[k]:
            start = reached
        level[k] = start


_TIED = 1e-12  # relative distance to the limit
_GAIN = 1e-14  # relative; less is rounding
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
def first_free(terms: Terms, chain: Ints, position: Floats, m: int) -> int:
    """The first offloader after m that is not tied to it; `position[m + 1]` is the level after offloader m."""
    free = m + 1
    while free < chain.size:
        limit = highest_level(terms, chain[free], position[free])
        if position[free + 1] < limit * (1.0 - _TIED):
            break
        free += 1
    return free


@kernel
def room_to_move(terms: Terms, chain: Ints, position: Floats, m: int, free: int) -> tuple[float, float]:
    """The lowest and highest level to which offloader m may move, with those tied to it, and `free` staying."""
    low, high = position[m], highest_level(terms, chain[m], position[m])
    if free < chain.size:
        lowest = lowest_start(terms, chain[free], position[free + 1])
        highest = position[free + 1]
        for q in range(free - 1, m, -1):
            lowest = lowest_start(terms, chain[q], lowest)
            highest = lowest_start(terms, chain[q], highest)
        low, high = max(low, lowest), min(high, highest)
    return low, high


@kernel
def move_one(terms: Terms, chain: Ints, alpha: Floats, beta: Floats, position: Floats, m: int) -> bool:
    """Move offloader m, and those tied to it, to a better level; whether there was one."""
    here = position[m + 1]
    free = first_free(terms, chain, position, m)
    low, high = room_to_move(terms, chain, position, m, free)
    best, best_value = here, group_value(terms, chain, alpha, beta, m, free, here)
    for end in (max(high, here), min(low, here)):
        there = climb(terms, chain, alpha, beta, m, free, here, end)
        value = group_value(terms, chain, alpha, beta, m, free, there)
        if value > best_value + _GAIN * abs(best_value):
            best, best_value = there, value
    if best == here:
        return False
    position[m + 1] = best
    for q in range(m + 1, free):
        position[q + 1] = highest_level(terms, chain[q], position[q])
    return True


@kernel
def polish(terms: Terms, offload: Bools, level: Floats) -> None:
    """Improve the levels of a decision in place; the objective never falls."""
    chain = np.flatnonzero(offload)
    count = chain.size
    alpha, beta = terms.rate_value[chain], terms.level_price[chain]
    alpha[:-1] -= terms.rate_value[chain[1:]]  # the objective telescopes: differences to the next offloader
    beta[:-1] -= terms.level_price[chain[1:]]
    position = np.ones(count + 1)
    position[1:] = level[chain]
    moved = count > 0
    sweep = 0
    while moved and sweep < _SWEEPS:
        moved = False
        for m in range(count - 1, -1, -1):
            if move_one(terms, chain, alpha, beta, position, m):
                moved = True
        sweep += 1
    m = 0
    for k in range(offload.size):
        if offload[k]:
            m += 1
        level[k] = position[m]
