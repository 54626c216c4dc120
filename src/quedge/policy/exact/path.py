"""From the bound to a decision: the steps that the bound promises most of, then their best levels off the grid."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.model.kernels import Bools, Floats, Ints, inner_kernel, kernel, without_refcount
from quedge.model.terms import Terms, highest_level
from quedge.policy.exact.bound import (
    Bound,
    Layer,
    between_nodes,
    cell_value,
    chord_argmax,
    layer_of,
    node_below,
    worth_to,
)
from quedge.policy.exact.lattice import Lattice


@inner_kernel
def staying(after: Layer, start: float, unused: float) -> tuple[int, float]:
    """The node at or below `start` in the layer after a device, and the bound there, where it stays at that level.

    From level 1 the bound is `unused`. Staying is allowed where the level is inside a cell of the layer after.
    """
    if start <= 1.0:
        return 0, unused
    node = node_below(after.level, start)
    inside = node + 1 < after.level.size and after.level[node] <= start <= after.level[node + 1]
    if inside and after.node_index[node + 1] == after.node_index[node] + 1:
        return node, between_nodes(after, node, start)
    return node, -math.inf


@kernel
def follow_bound(terms: Terms, lattice: Lattice, bound: Bound, offload: Bools, level: Floats) -> None:
    """Fill `offload` and `level` with the feasible path along which the bound is largest."""
    terms, lattice, bound = without_refcount((terms, lattice, bound))
    start = 1.0
    for k in range(offload.size):
        low = lattice.first[k + 1]
        after = layer_of(lattice, bound.value, k + 1)
        nodes, worth = after.level, worth_to(terms, k)
        node, stay = staying(after, start, bound.unused[k + 1])
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
            target = min(max(chord_argmax(worth, slope), nodes[j], start), end, nodes[j + 1])
            promised = cell_value(worth, after, j, slope, 0.0, target)
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


class Offloaders(NamedTuple):
    """The offloaders of a decision, the last decoded first, and what objective (17) is in their levels.

    The gains of consecutive offloaders telescope: with S_m the level after offloader m, they add up to
    Σ_m (α_m − α_{m+1}) ln S_m − (β_m − β_{m+1}) S_m and a constant. So each level has a part of its own, and only the
    limits tie neighbours. Either factor may be negative, where the next offloader is worth more: a part need be neither
    concave nor convex in its level.

    Attributes:
        place: each one's place in the chain; shape (offloaders,).
        alpha: α_m − α_{m+1}; shape (offloaders,).
        beta: β_m − β_{m+1}; shape (offloaders,).
        level: level before the first, 1, and after each of them; shape (offloaders + 1,).
    """

    place: Ints
    alpha: Floats
    beta: Floats
    level: Floats


@kernel
def lowest_start(terms: Terms, k: int, end: float) -> float:
    """The lowest level from which device k may reach `end`; also the one from which it reaches no more."""
    return float(max(end / terms.growth_limit[k], end - terms.step_limit[k]))


@kernel
def group_value(terms: Terms, offloaders: Offloaders, m: int, free: int, level: float) -> float:
    """The parts of offloader m, at `level`, and of those tied to it, up to the first free one."""
    place, alpha, beta, _ = offloaders
    total = alpha[m] * math.log(level) - beta[m] * level
    for q in range(m + 1, free):
        level = highest_level(terms, place[q], level)
        total += alpha[q] * math.log(level) - beta[q] * level
    return float(total)


@kernel
def group_slope(terms: Terms, offloaders: Offloaders, m: int, free: int, level: float) -> float:
    """Derivative of `group_value` by the level."""
    place, alpha, beta, _ = offloaders
    total = alpha[m] / level - beta[m]
    pull = 1.0
    for q in range(m + 1, free):
        end = highest_level(terms, place[q], level)
        if end < level + terms.step_limit[place[q]]:  # the queue binds: the tied level is scaled, not shifted
            pull *= terms.growth_limit[place[q]]
        level = end
        total += pull * (alpha[q] / level - beta[q])
    return float(total)


@kernel
def climb(terms: Terms, offloaders: Offloaders, m: int, free: int, here: float, bound: float) -> float:
    """From `here` towards `bound` to where the group's value stops rising: there, or a stationary level between."""
    up = bound > here
    # a little beyond: at `here` itself limits may change, and with them the slope
    slope = group_slope(terms, offloaders, m, free, here + 1e-9 * (bound - here))
    if (slope > 0.0) != up or slope == 0.0:
        return here
    slope = group_slope(terms, offloaders, m, free, bound)
    if (slope > 0.0) == up:
        return bound
    if free == m + 1:
        return float(offloaders.alpha[m] / offloaders.beta[m])
    rising, falling = here, bound
    for _ in range(_HALVINGS):
        middle = 0.5 * (rising + falling)
        slope = group_slope(terms, offloaders, m, free, middle)
        if (slope > 0.0) == up:
            rising = middle
        else:
            falling = middle
    return rising


@kernel
def first_free(terms: Terms, offloaders: Offloaders, m: int) -> int:
    """The first offloader after m that is not tied to it.

    One that stands at its limit is tied: it moves with the level that it starts from, as does the next one at its own.
    If it stayed, the two would block each other, though both could gain.
    """
    place, level = offloaders.place, offloaders.level
    free = m + 1
    while free < place.size:
        limit = highest_level(terms, place[free], level[free])
        if level[free + 1] < limit * (1.0 - _TIED):
            break
        free += 1
    return free


@kernel
def room_to_move(terms: Terms, offloaders: Offloaders, m: int, free: int) -> tuple[float, float]:
    """The lowest and highest level to which offloader m may move, with those tied to it, and `free` staying."""
    place, level = offloaders.place, offloaders.level
    low, high = level[m], highest_level(terms, place[m], level[m])
    if free < place.size:  # its end stays: the group's last level may neither pass it nor fall out of its reach
        lowest = lowest_start(terms, place[free], level[free + 1])
        highest = level[free + 1]
        for q in range(free - 1, m, -1):  # back through the tied ones to the level of m
            lowest = lowest_start(terms, place[q], lowest)
            highest = lowest_start(terms, place[q], highest)
        low, high = max(low, lowest), min(high, highest)
    return low, high


@kernel
def move_one(terms: Terms, offloaders: Offloaders, m: int) -> bool:
    """Move offloader m, and those tied to it, to a better level; whether there was one."""
    level = offloaders.level
    here = level[m + 1]
    free = first_free(terms, offloaders, m)
    low, high = room_to_move(terms, offloaders, m, free)
    best, best_value = here, group_value(terms, offloaders, m, free, here)
    for end in (max(high, here), min(low, here)):  # not concave: both ways may lead up
        there = climb(terms, offloaders, m, free, here, end)
        value = group_value(terms, offloaders, m, free, there)
        if value > best_value + _GAIN * abs(best_value):
            best, best_value = there, value
    if best == here:
        return False
    level[m + 1] = best
    ceiling = level[free + 1] if free < offloaders.place.size else math.inf  # rounding may not carry over who stays
    for q in range(m + 1, free):
        level[q + 1] = min(highest_level(terms, offloaders.place[q], level[q]), ceiling)
    return True


@kernel
def move_all(terms: Terms, offloaders: Offloaders) -> None:
    """Move one offloader after the other to better levels, until nobody gains."""
    terms, offloaders = without_refcount((terms, offloaders))
    count = offloaders.place.size
    moved = count > 0
    sweep = 0
    while moved and sweep < _SWEEPS:
        moved = False
        for m in range(count - 1, -1, -1):  # from the last on: nobody comes after it
            if move_one(terms, offloaders, m):
                moved = True
        sweep += 1


@kernel
def polish(terms: Terms, offload: Bools, level: Floats) -> None:
    """Improve the levels of a decision in place, one offloader after the other; the objective never falls."""
    count = 0
    for k in range(offload.size):
        count += offload[k]
    place, own = np.empty(count, np.int64), np.ones(count + 1)
    alpha, beta = np.empty(count), np.empty(count)
    m = 0
    for k in range(offload.size):
        if offload[k]:
            place[m], own[m + 1] = k, level[k]
            alpha[m], beta[m] = terms.rate_value[k], terms.level_price[k]
            if m > 0:
                alpha[m - 1] -= alpha[m]
                beta[m - 1] -= beta[m]
            m += 1
    move_all(terms, Offloaders(place, alpha, beta, own))
    m = 0
    for k in range(offload.size):  # who computes locally stays at the level of the offloader before
        if offload[k]:
            m += 1
        level[k] = own[m]
