"""The bound for many small steps: convex, on one lattice for all layers.

Where a device moves the level by far less than a cell, it moves a concave kink of R_k by as little, and thousands of
devices pay for it again and again (fact 3 of `bound`). So here the bound is written as

    C_k(s) = A ln s + a line a cell,

with a weight A that keeps the lines convex. Given A, the lines obey the recursion of R_k, with (α + A) ln(s'/s) for
α ln(s'/s), and by facts 1, 2 and 4 alone their chords are bounds: no bulge. A may change between layers. Where lines
still bend down, they are raised to one through the kink.

`docs/exact.md` has the proof.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.model.kernels import Bools, Floats, kernel, without_refcount
from quedge.model.terms import Terms, chain_objective, highest_level
from quedge.policy.exact.bound import last_offloading, node_below, own_gain

FEWEST_STEPS = 75
"""That the range of levels must have room for, hence the fewest devices; with fewer, dropping cells is as fast."""
_FIRST_CELLS = 256
_WIDEST_STEP = 0.05
_MORE_CELLS = 1.1  # than would do if the gap fell as a cell's width
_MOST_CELLS = 4096
_MOST_KEPT = 4_000_000  # nodes: 32 MB
_BEND_SPAN = 0.15  # in ln s: the weight is for bends over this span, what bends more sharply is raised
_LAYERS = 64  # after so many the weight may be lowered
_EPSILON = float(np.finfo(np.float64).eps)


class Lines(NamedTuple):
    """The lines of a layer, on nodes from level 1 to one cell above the highest level that a path may use.

    Attributes:
        step: logarithmic width of a cell.
        level: levels of the nodes; shape (nodes,).
        value: the lines at the nodes.
        slope: the line's slope in the cell above each node but the last.
        reach: the highest level that the device may reach from each node.
        raised: room for the values of the layer before.
    """

    step: float
    level: Floats
    value: Floats
    slope: Floats
    reach: Floats
    raised: Floats


@kernel
def has_small_steps(terms: Terms, highest: float) -> bool:
    """Whether those devices that may gain by offloading move the level by little, on average."""
    total, count = 0.0, 0
    for k in range(terms.device.size):
        if own_gain(terms, k, 1.0) > terms.local_value[k]:
            total += math.log(highest_level(terms, k, 1.0))
            count += 1
    return total * FEWEST_STEPS < math.log(highest) * count


@kernel
def fill_reach(terms: Terms, k: int, lines: Lines) -> int:
    """Fill `reach`; returns the node below the crossing of the two limits, -1 where that is no node.

    In a cell one and the same limit must hold at both ends: where the two cross, that is the transmit power's.
    """
    level, reach = lines.level, lines.reach
    growth, step = terms.growth_limit[k], terms.step_limit[k]
    for j in range(level.size):
        scaled, shifted = growth * level[j], level[j] + step
        reach[j] = scaled if scaled < shifted else shifted
    crossing = step / (growth - 1.0)
    if not level[0] < crossing < level[-1]:
        return -1
    node = node_below(level, crossing)
    reach[node] = level[node] + step
    return node


@kernel
def raise_by_steps(terms: Terms, k: int, weight: float, lines: Lines, cells: int, first: int, last: int) -> None:
    """Raise the nodes from `first` to before `last` to what a step into the cell `cells` above each brings.

    There are no branches, so that the processor computes several nodes at once.
    """
    alpha, beta = terms.rate_value[k] + weight, terms.level_price[k]
    ahead = cells * lines.step
    to_cell = alpha * ahead - terms.offload_cost[k] - terms.local_value[k]
    to_cell_price = beta * (1.0 - math.exp(-ahead))
    reach, raised = lines.reach[first:last], lines.raised[first:last]
    level, value = lines.level[first + cells :], lines.value[first + cells :]
    slope = lines.slope[first + cells :]
    for j in range(last - first):
        low, high, end, before = level[j], level[j + 1], reach[j], raised[j]
        price = beta - slope[j]
        price = price if price > 0.0 else 0.0  # the lines fall, but for rounding
        end = end if end < high else high
        best = alpha / price
        best = best if best < end else end
        best = best if best > low else low
        above = best - low
        z = above / low
        log_growth = z * (1.0 - z * (1.0 / 2.0 - z * (1.0 / 3.0)))  # ≥ ln(1 + z), exact to z⁴/4
        brought = alpha * log_growth - price * above + (value[j] + to_cell - to_cell_price * low)
        raised[j] = brought if brought > before else before


@kernel
def raise_nodes(terms: Terms, k: int, weight: float, lines: Lines) -> None:
    """Raise the nodes to the best step of device k from each."""
    _, level, value, slope, reach, raised = lines
    nodes = level.size
    stop = min(last_offloading(terms, k, level) + 2, nodes - 1)
    for j in range(stop):
        raised[j] = value[j]
    crossing = fill_reach(terms, k, lines)
    growth, step = terms.growth_limit[k], terms.step_limit[k]
    bottom = min(stop, 0)
    for cells in range(nodes - 1):
        ratio = math.exp(cells * lines.step)
        last = min(stop, nodes - 1 - cells)
        crosses = 0 <= crossing < last and reach[crossing] > level[crossing + cells]
        if cells > 0:  # up to the node from which the cell is in reach
            within = min(growth, 1.0 + step) >= ratio
            last = min(last, node_below(level, step / (ratio - 1.0)) + 1) if within else 0
        raise_by_steps(terms, k, weight, lines, cells, bottom, last)
        if crosses and crossing >= last:
            raise_by_steps(terms, k, weight, lines, cells, crossing, crossing + 1)
        elif last == 0:
            break
    for j in range(stop):
        value[j] = raised[j]
    fill_slopes(lines, stop)
    top = level[nodes - 1] - level[nodes - 2]  # no path ends there: the line may go on
    value[nodes - 1] = max(value[nodes - 1], value[nodes - 2] + min(slope[nodes - 3], 0.0) * top)
    slope[nodes - 2] = (value[nodes - 1] - value[nodes - 2]) / top


@kernel
def fill_slopes(lines: Lines, stop: int) -> None:
    """The slopes of the cells below node `stop`."""
    _, level, value, slope, _, _ = lines
    for j in range(stop):
        slope[j] = (value[j + 1] - value[j]) / (level[j + 1] - level[j])


@kernel
def sharpest_bend(lines: Lines, span: int) -> float:
    """By how much the lines bend down at most over that many cells, as the weight that makes up for it."""
    level, slope = lines.level, lines.slope
    sharpest = -math.inf
    for j in range(slope.size - span):
        bend = (slope[j] - slope[j + span]) * level[j]
        sharpest = bend if bend > sharpest else sharpest
    return sharpest / (span * lines.step)


@kernel
def change_weight(lines: Lines, change: float) -> None:
    """Write the same bound, or one a little above it, with another weight."""
    width = lines.level[1] - 1.0
    lift = max(-change, 0.0) * width * width / 8.0  # a lower weight makes the lines concave between two nodes
    for j in range(lines.value.size):
        lines.value[j] += lift - change * lines.step * j
    fill_slopes(lines, lines.slope.size)


@kernel
def make_convex(lines: Lines, allowed: float) -> None:
    """Where the lines bend down, raise them on both sides to a line through the kink, from the top down."""
    _, level, value, slope, _, _ = lines
    for node in range(slope.size, 0, -1):
        slope_above = slope[node] if node < slope.size else 0.0  # nor may they rise
        if (slope[node - 1] - slope_above) * level[node - 1] <= allowed * lines.step:
            continue
        between = min(0.5 * (slope[node - 1] + slope_above), 0.0)
        low, high = node - 1, node + 1
        while low >= 0 and value[low] < value[node] - between * (level[node] - level[low]):
            value[low] = value[node] - between * (level[node] - level[low])
            low -= 1
        while high < level.size and value[high] < value[node] + between * (level[high] - level[node]):
            value[high] = value[node] + between * (level[high] - level[node])
            high += 1
        for j in range(max(low, 0), min(high, slope.size)):
            slope[j] = (value[j + 1] - value[j]) / (level[j + 1] - level[j])


@kernel
def straighten(lines: Lines, weight: float, may_lower: bool) -> float:
    """Make the lines convex, for the most part by another weight, which is returned."""
    allowed = 16.0 * _EPSILON * lines.value[0] / lines.step**2  # rounding; a chord errs by less than 4 ε of the value
    span = min(int(_BEND_SPAN / lines.step) + 1, lines.slope.size - 1)
    if not may_lower and sharpest_bend(lines, min(span, 1)) <= allowed:
        return weight
    change = max(sharpest_bend(lines, span), -weight)
    if change > 0.0 or may_lower:
        change = max(change, 0.5 * change)  # lowered by halves
        change_weight(lines, change)
        weight += change
    make_convex(lines, allowed)
    return weight


@kernel
def convex_bound(terms: Terms, highest: float, cells: int, kept: Floats, weights: Floats) -> float:
    """An upper bound on objective (17), from the last device back.

    Args:
        terms: the frame's terms.
        highest: no path need rise above this level.
        cells: how many there are up to that level.
        kept: filled with the lines of every layer, shape (devices + 1, cells + 2), or without rows where none are kept.
        weights: filled with the weight A of every layer, shape (devices + 1,).
    """
    terms, kept, weights = without_refcount((terms, kept, weights))
    devices, nodes = terms.device.size, cells + 2
    step = math.log(highest) / cells
    room = np.zeros((5, nodes))
    lines = without_refcount(Lines(step, room[0], room[1], room[2, 1:], room[3], room[4]))
    level, value = lines.level, lines.value  # beyond what local computing brings
    for j in range(nodes):
        level[j] = math.exp(step * j)
    local, highest_alpha, changes = 0.0, 0.0, 0
    weights[devices] = 0.0
    for k in range(devices, -1, -1):
        if k < devices:
            weights[k] = weights[k + 1]
            local += terms.local_value[k]
            if own_gain(terms, k, 1.0) > terms.local_value[k]:
                highest_alpha = max(highest_alpha, terms.rate_value[k] + weights[k])
                raise_nodes(terms, k, weights[k], lines)
                changes += 1
                weights[k] = straighten(lines, weights[k], changes % _LAYERS == 0)
        if k < kept.shape[0]:
            for j in range(nodes):
                kept[k, j] = value[j]
    bound = local + value[0]
    return float(bound + 16.0 * _EPSILON * devices * (bound + highest_alpha * (1.0 + nodes * step)))


@kernel
def follow_lines(terms: Terms, highest: float, kept: Floats, weights: Floats, offload: Bools, level: Floats) -> None:
    """Fill `offload` and `level` with the feasible path along which the bound is largest."""
    terms, kept, weights = without_refcount((terms, kept, weights))
    cells = kept.shape[1] - 2
    step = math.log(highest) / cells
    start = 1.0
    for k in range(offload.size):
        value = kept[k + 1]
        alpha, beta = terms.rate_value[k] + weights[k + 1], terms.level_price[k]
        cost = terms.offload_cost[k] + terms.local_value[k]
        end = highest_level(terms, k, start)
        cell = min(int(math.log(start) / step), cells)
        low = math.exp(cell * step)
        stay, best, reached = -math.inf, -math.inf, start
        while cell <= cells and (low < end or stay == -math.inf):
            high = math.exp((cell + 1) * step)
            slope = (value[cell + 1] - value[cell]) / (high - low)
            if stay == -math.inf:
                stay = value[cell] + slope * (start - low)
            target = min(max(alpha / (beta - slope), start, low), end, high)
            promised = alpha * math.log(target / start) - beta * (target - start) - cost
            promised += value[cell] + slope * (target - low)
            if promised > best:
                best, reached = promised, target
            low = high
            cell += 1
        offload[k] = best > stay and reached > start
        if offload[k]:
            start = reached
        level[k] = start


@kernel
def solve_small_steps(terms: Terms, highest: float, tolerance: float) -> tuple[Bools, Floats, float, float]:
    """A decision as `solve_chain` gives it, with an upper bound that need not be within the tolerance."""
    devices = terms.device.size
    weights = np.empty(devices + 1)
    offload, level = np.zeros(devices, np.bool_), np.ones(devices)
    best_offload, best_level = np.zeros(devices, np.bool_), np.ones(devices)
    best, upper = chain_objective(terms, best_offload, best_level), math.inf
    cells = max(_FIRST_CELLS, int(math.log(highest) / _WIDEST_STEP))
    keeps = True
    while True:
        kept = np.empty((devices + 1 if keeps else 0, cells + 2))
        upper = min(upper, convex_bound(terms, highest, cells, kept, weights))
        if keeps:
            follow_lines(terms, highest, kept, weights, offload, level)
            objective = chain_objective(terms, offload, level)
            if objective > best:
                best = objective
                for k in range(devices):
                    best_offload[k], best_level[k] = offload[k], level[k]
        gap = upper - best
        if gap <= tolerance * best or cells >= _MOST_CELLS:
            return best_offload, best_level, best, upper
        cells = int(min(max(_MORE_CELLS * gap / (tolerance * best), 1.5) * cells, _MOST_CELLS))
        keeps = (devices + 1) * cells <= _MOST_KEPT
