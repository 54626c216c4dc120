"""From the bound to a decision where devices bend: as `path`, with what each really adds."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.model.kernels import Bools, Floats, Ints, inner_kernel, kernel, without_refcount
from quedge.model.split import BEND, bends_within, local_loss, loss_slope
from quedge.model.terms import Terms, highest_level
from quedge.policy.exact.bound import Bound, Layer, chord_argmax, layer_of, worth_to
from quedge.policy.exact.lattice import Lattice
from quedge.policy.exact.path import staying

_ROUNDS = 4  # of tangents: what is left is polished
_TIED = 1e-12  # relative distance to a limit or a bend
_GAIN = 1e-14  # relative; less is rounding
_EXACT = 1e-7  # relative, of a level: what is gained beyond is of the order of its square
_SWEEPS = 30
_STEPS = 40


@inner_kernel
def step_value(terms: Terms, k: int, before: float, after: float) -> float:
    """What device k adds by lifting the level, beyond its fixed cost."""
    growth = math.log(after / before)
    value = terms.rate_value[k] * growth - terms.level_price[k] * (after - before)
    if bends_within(terms.split, k, growth):
        value -= local_loss(terms.split, k, growth)
    return float(value)


@kernel
def best_in_cell(terms: Terms, k: int, after: Layer, j: int, start: float, end: float) -> tuple[float, float]:
    """The level in cell j, from `start` to `end`, at which the bound promises most; and what it promises there."""
    slope = (after.value[j + 1] - after.value[j]) / (after.level[j + 1] - after.level[j])
    low, high = max(after.level[j], start), min(after.level[j + 1], end)
    at = min(max(chord_argmax(worth_to(terms, k), slope), low), high)
    bend = start * math.exp(terms.split[k, BEND])
    if at > bend:
        low = max(low, bend)
        rising = slope - terms.level_price[k]
        for _ in range(_ROUNDS):
            alpha = terms.rate_value[k] - loss_slope(terms.split, k, max(math.log(at / start), terms.split[k, BEND]))
            there = min(max(alpha / -rising if rising < 0.0 else high, low), high)
            at = math.sqrt(at * there)  # half-way: the tangents turn with the level
    return at, after.value[j] + slope * (at - after.level[j]) + step_value(terms, k, start, at)


@kernel
def follow_split(terms: Terms, lattice: Lattice, bound: Bound, offload: Bools, level: Floats) -> None:
    """As `follow_bound`, for devices that may bend."""
    terms, lattice, bound = without_refcount((terms, lattice, bound))
    start = 1.0
    for k in range(offload.size):
        low = lattice.first[k + 1]
        after = layer_of(lattice, bound.value, k + 1)
        nodes = after.level
        node, stay = staying(after, start, bound.unused[k + 1])
        stay += terms.local_value[k] + terms.offload_cost[k]  # comparable with the value at the end of a step
        base = terms.rate_value[k] * math.log(start) - terms.level_price[k] * start
        end = highest_level(terms, k, start)
        best, reached = -math.inf, start
        for j in range(node, nodes.size - 1):
            if nodes[j] >= end:
                break
            if bound.peak[low + j] - base <= max(best, stay):
                continue
            target, promised = best_in_cell(terms, k, after, j, start, end)
            if promised > best:
                best, reached = promised, target
        offload[k] = best > stay and reached > start
        if offload[k]:
            start = reached
        level[k] = start


class Offloaders(NamedTuple):
    """The offloaders of a decision, the last decoded first.

    Attributes:
        place: each one's place in the chain; shape (offloaders,).
        growth: factor to its end of one that is tied, by its queue or at its bend; shape (offloaders,).
        level: level before the first, 1, and after each of them; shape (offloaders + 1,).
    """

    place: Ints
    growth: Floats
    level: Floats


@inner_kernel
def tied_end(terms: Terms, offloaders: Offloaders, q: int, before: float) -> float:
    """Where offloader q ends, tied to the level that it starts from."""
    return float(min(offloaders.growth[q] * before, before + terms.step_limit[offloaders.place[q]]))


@inner_kernel
def tied_start(terms: Terms, offloaders: Offloaders, q: int, end: float) -> float:
    """The level from which offloader q, tied, reaches `end`."""
    return float(max(end / offloaders.growth[q], end - terms.step_limit[offloaders.place[q]]))


@kernel
def group_value(terms: Terms, offloaders: Offloaders, m: int, free: int, level: float) -> float:
    """What offloader m, at `level`, those tied to it and the first free one add together."""
    before = offloaders.level[m]
    total = step_value(terms, offloaders.place[m], before, level)
    for q in range(m + 1, free):
        before, level = level, tied_end(terms, offloaders, q, level)
        total += step_value(terms, offloaders.place[q], before, level)
    if free < offloaders.place.size:
        total += step_value(terms, offloaders.place[free], level, offloaders.level[free + 1])
    return float(total)


@inner_kernel
def slope_of_step(terms: Terms, k: int, before: float, after: float, pull: float, pulled: float) -> float:
    """Derivative of `step_value` where the level before moves by `pull` and the one after by `pulled`."""
    growth = math.log(after / before)
    alpha = terms.rate_value[k]
    if bends_within(terms.split, k, growth):
        alpha -= loss_slope(terms.split, k, growth)
    return float(alpha * (pulled / after - pull / before) - terms.level_price[k] * (pulled - pull))


@kernel
def group_slope(terms: Terms, offloaders: Offloaders, m: int, free: int, level: float) -> float:
    """Derivative of `group_value` by the level."""
    place = offloaders.place
    total = slope_of_step(terms, place[m], offloaders.level[m], level, 0.0, 1.0)
    pull = 1.0
    for q in range(m + 1, free):
        end = tied_end(terms, offloaders, q, level)
        pulled = pull
        if end < level + terms.step_limit[place[q]]:
            pulled = pull * offloaders.growth[q]
        total += slope_of_step(terms, place[q], level, end, pull, pulled)
        level, pull = end, pulled
    if free < place.size:
        total += slope_of_step(terms, place[free], level, offloaders.level[free + 1], pull, 0.0)
    return float(total)


@kernel
def climb(terms: Terms, offloaders: Offloaders, m: int, free: int, here: float, bound: float) -> float:
    """From `here` towards `bound` to where the group's value stops rising: there, or a stationary level between.

    The root of the slope by false position (Illinois), between a level where it rises and one where it falls.
    """
    up = 1.0 if bound > here else -1.0
    near = here + 1e-9 * (bound - here)
    rising, rise = near, up * group_slope(terms, offloaders, m, free, near)
    if rise <= 0.0:
        return here
    falling, fall = bound, up * group_slope(terms, offloaders, m, free, bound)
    if fall >= 0.0:
        return bound
    for _ in range(_STEPS):
        between = (rising * fall - falling * rise) / (fall - rise)
        slope = up * group_slope(terms, offloaders, m, free, between)
        if slope > 0.0:
            done = abs(between - rising) <= _EXACT * between
            rising, rise, fall = between, slope, 0.5 * fall
        else:
            done = abs(between - falling) <= _EXACT * between
            falling, fall, rise = between, slope, 0.5 * rise
        if done or slope == 0.0 or abs(falling - rising) <= _EXACT * between:
            break
    return rising


@kernel
def first_free(terms: Terms, offloaders: Offloaders, m: int, with_bends: bool) -> int:
    """The first offloader after m that is not tied to it: by a limit, or at its bend, where both sides may lose."""
    place, growth, level = offloaders
    free = m + 1
    while free < place.size:
        k = place[free]
        growth[free] = terms.growth_limit[k]
        end = level[free + 1]
        if end < tied_end(terms, offloaders, free, level[free]) * (1.0 - _TIED):
            growth[free] = math.exp(terms.split[k, BEND])
            if not with_bends or abs(end - tied_end(terms, offloaders, free, level[free])) > _TIED * end:
                break
        free += 1
    return free


@kernel
def room_to_move(terms: Terms, offloaders: Offloaders, m: int, free: int) -> tuple[float, float]:
    """The lowest and highest level to which offloader m may move, with those tied to it, and `free` staying."""
    place, _, level = offloaders
    low, high = level[m], highest_level(terms, place[m], level[m])
    if free < place.size:
        k, end = place[free], level[free + 1]
        lowest, highest = max(end / terms.growth_limit[k], end - terms.step_limit[k]), end
        for q in range(free - 1, m, -1):
            lowest, highest = tied_start(terms, offloaders, q, lowest), tied_start(terms, offloaders, q, highest)
        low, high = max(low, lowest), min(high, highest)
    return low, high


@kernel
def move_one(terms: Terms, offloaders: Offloaders, m: int, free: int) -> float:
    """Move offloader m, and those tied to it up to `free`, to a better level; returns what that gains."""
    place, _, level = offloaders
    here = level[m + 1]
    low, high = room_to_move(terms, offloaders, m, free)
    value_here = group_value(terms, offloaders, m, free, here)
    best, best_value = here, value_here
    for end in (max(high, here), min(low, here)):
        if end == here:
            continue
        there = climb(terms, offloaders, m, free, here, end)
        value = group_value(terms, offloaders, m, free, there)
        if value > best_value + _GAIN * abs(best_value):
            best, best_value = there, value
    bend = level[m] * math.exp(terms.split[place[m], BEND])  # a kink may be best
    if low < bend < high:
        value = group_value(terms, offloaders, m, free, bend)
        if value > best_value + _GAIN * abs(best_value):
            best, best_value = bend, value
    if best == here:
        return 0.0
    level[m + 1] = best
    ceiling = level[free + 1] if free < place.size else math.inf
    for q in range(m + 1, free):
        level[q + 1] = min(tied_end(terms, offloaders, q, level[q]), ceiling)
    return best_value - value_here


@kernel
def polish_split(terms: Terms, offload: Bools, level: Floats, least: float) -> None:
    """As `polish`, with what each really adds: levels do not have parts of their own where a device bends.

    It ends when all offloaders together gain no more than `least`.
    """
    terms = without_refcount(terms)
    count = 0
    for k in range(offload.size):
        count += offload[k]
    offloaders = Offloaders(np.empty(count, np.int64), np.empty(count), np.ones(count + 1))
    m = 0
    for k in range(offload.size):
        if offload[k]:
            offloaders.place[m], offloaders.level[m + 1] = k, level[k]
            m += 1
    for _ in range(_SWEEPS):
        gained = 0.0
        for m in range(count - 1, -1, -1):
            bends_apart = first_free(terms, offloaders, m, False)
            free = first_free(terms, offloaders, m, True)
            gained += move_one(terms, offloaders, m, free)
            if free > bends_apart:
                gained += move_one(terms, offloaders, m, first_free(terms, offloaders, m, False))
        if gained <= least:
            break
    m = 0
    for k in range(offload.size):
        if offload[k]:
            m += 1
        level[k] = offloaders.level[m]
