"""The bound of a layer whose device bends: beyond a growth u0 of ln s its uplink takes from its own CPU.

What such a device adds is h(u) − β (s' − s) − c with h(u) = α u − D(u), concave in u = ln(s'/s) (`model/split.py`).
The facts of `bound` hold for it with these changes; `docs/exact.md` has the proof.

1. *Inside a window* the levels up to s e^{u0} are as before. Beyond, h lies below each of its tangents, and one of them
   bounds a cell by a closed form.
2. *Between two nodes* a path is scaled where its queue is the tighter limit, since scaling keeps u, and wherever its
   power is below a cell's lowest share of the limit. At more than that it is shifted, and what h bends down by along
   the cell is added at both ends, of second order in the cell's width (`sag`).
3. The bulge at a kink of the next layer is as before, and so is the crossing of the two limits.
4. What the device gains alone is convex along a cell but for the same sag.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from quedge.model.kernels import Floats, inner_kernel, kernel, without_refcount
from quedge.model.split import BEND, CUBE, LINEAR, SQUARE, bends_within, growth_worth, local_loss
from quedge.model.terms import Terms, highest_level, stationary_level
from quedge.policy.exact.bound import (
    Cells,
    Layer,
    between_nodes,
    cell_value,
    chord_argmax,
    log1p_above,
    node_below,
    part_peak,
    worth_to,
)

_ALIKE = 1e-12  # bends that close to the limit on the data are none


class Bend(NamedTuple):
    """What a bending device adds by a step: α u − D(u) − β (s' − s), see `model/split.py`.

    Attributes:
        rate_value: α.
        level_price: β.
        start: u0.
        factor: e^{u0}.
        linear: d1.
        square: d2.
        cube: d3.
    """

    rate_value: float
    level_price: float
    start: float
    factor: float
    linear: float
    square: float
    cube: float


class OneCell(NamedTuple):
    """A cell in which a step may end.

    Attributes:
        low: its lower end.
        high: its upper end.
        log_low: logarithm of the lower end.
        value: the bound's line at the lower end.
        slope: slope of the line.
        bulge: curvature of the parabola over it.
    """

    low: float
    high: float
    log_low: float
    value: float
    slope: float
    bulge: float


class Part(NamedTuple):
    """The part of a cell that a step may end in, beyond the bend.

    Attributes:
        log_start: logarithm of the level that the step starts from.
        low: lowest level of the part.
        high: its highest.
        lowest_growth: growth of ln s to the lowest, at least u0.
        highest_growth: growth to the highest.
    """

    log_start: float
    low: float
    high: float
    lowest_growth: float
    highest_growth: float


@inner_kernel
def bend_of(terms: Terms, k: int) -> Bend:
    """A device's `Bend`."""
    row = terms.split[k]
    return Bend(
        terms.rate_value[k], terms.level_price[k], row[BEND], math.exp(row[BEND]), row[LINEAR], row[SQUARE], row[CUBE]
    )


@kernel
def can_bend(terms: Terms, k: int) -> bool:
    """Whether any step of device k that is of use leads beyond its bend; from level 1 its growth can be largest."""
    largest = min(highest_level(terms, k, 1.0), stationary_level(terms, k))
    return largest > 1.0 and bends_within(terms.split, k, math.log(largest) * (1.0 - _ALIKE))


@kernel
def bent_gain(terms: Terms, k: int, start: float) -> float:
    """As `own_gain`, for a bending device."""
    level = min(max(stationary_level(terms, k), start), highest_level(terms, k, start))
    growth = math.log(level / start)
    lost = 0.0
    if bends_within(terms.split, k, growth):
        growth = growth_worth(terms.split, k, terms.rate_value[k], terms.level_price[k] * start, growth)
        level = start * math.exp(growth)
        lost = local_loss(terms.split, k, growth)
    return float(terms.rate_value[k] * growth - lost - terms.level_price[k] * (level - start) - terms.offload_cost[k])


@inner_kernel
def tangent_peak(bend: Bend, cell: OneCell, part: Part, enough: float) -> float:
    """Bound on line + bulge + h(ln s'/s) − β s' in a part of a cell, by tangents of h; any value not above `enough`.

    The first tangent is that in the middle, the second that where the first one is largest.
    """
    rising = cell.slope - bend.level_price
    growth, best = 0.5 * (part.lowest_growth + part.highest_growth), math.inf
    for _ in range(2):
        v = growth - bend.start
        fall = bend.linear + v * (2.0 * bend.square - 3.0 * v * bend.cube)
        alpha = bend.rate_value - fall
        at = part.high
        if cell.bulge > 0.0:
            half = rising + cell.bulge * (cell.low + cell.high)
            at = (half + math.sqrt(max(half * half + 8.0 * cell.bulge * alpha, 0.0))) / (4.0 * cell.bulge)
        elif rising < 0.0:
            at = alpha / -rising
        at = min(max(at, part.low), part.high)
        above = at - cell.low
        reached = cell.log_low + log1p_above(above / cell.low) - part.log_start
        line = cell.value + (cell.slope + cell.bulge * (cell.high - at)) * above
        offset = fall * growth - v * (bend.linear + v * (bend.square - v * bend.cube))
        best = min(best, line + alpha * reached + offset - bend.level_price * at)
        if best <= enough:
            break
        growth = min(max(reached, part.lowest_growth), part.highest_growth)
    return float(best)


@kernel
def best_first(terms: Terms, k: int, after: Layer, cells: Cells) -> float:
    """Bound on what device k and the later ones add when it is the first to offload: from level 1, without bulges."""
    end = highest_level(terms, k, 1.0)
    bend, worth = bend_of(terms, k), worth_to(terms, k)
    slack_end = min(bend.factor, end)
    best = -math.inf
    for j in range(after.level.size - 1):
        low, high, slope = after.level[j], after.level[j + 1], cells.slope[j]
        if low >= end:
            break
        if math.isnan(slope):
            continue
        if low < slack_end:
            level = min(max(chord_argmax(worth, slope), low), high, slack_end)
            best = max(best, cell_value(worth, after, j, slope, 0.0, level))
        if high > slack_end and end > slack_end:
            lowest, highest = max(low, slack_end), min(high, end)
            if lowest < highest:
                part = Part(0.0, lowest, highest, max(math.log(lowest), terms.split[k, BEND]), math.log(highest))
                cell = OneCell(low, high, after.node_index[j] * after.step, after.value[j], slope, 0.0)
                best = max(best, tangent_peak(bend, cell, part, best))
    return float(best + terms.level_price[k] - terms.offload_cost[k])


@inner_kernel
def bent_cell(bend: Bend, after: Layer, cells: Cells, j: int, part: Part, best: float) -> float:
    """The larger of `best` and the bound on steps into cell j's share of a part of the levels."""
    log_low = after.node_index[j] * after.step
    lowest_growth = max(log_low - part.log_start, part.lowest_growth)
    v = lowest_growth - bend.start
    lost = v * (bend.linear + v * (bend.square - v * bend.cube))
    if not cells.peak[j] - bend.rate_value * part.log_start - lost > best:  # nor is it where no cell starts
        return best
    low, high = max(after.level[j], part.low), min(after.level[j + 1], part.high)
    if low >= high:
        return best
    highest_growth = max(min(log_low + after.step - part.log_start, part.highest_growth), lowest_growth)
    own = Part(part.log_start, low, high, lowest_growth, highest_growth)
    cell = OneCell(after.level[j], after.level[j + 1], log_low, after.value[j], cells.slope[j], cells.bulge[j])
    return max(best, tangent_peak(bend, cell, own, best))


@inner_kernel
def bent_window(
    bend: Bend, after: Layer, cells: Cells, ceiling: Floats, first: int, likely: int, part: Part, best: float
) -> tuple[float, int]:
    """The larger of `best` and the bound on steps into a part of the levels, from cell `first` on; and the best cell.

    A `likely` one is tried first: where it is the best, the others are soon excluded. `ceiling` is the highest peak of
    the cells from each one on.
    """
    base = bend.rate_value * part.log_start
    if first <= likely < after.level.size - 1 and after.level[likely] < part.high:
        best = bent_cell(bend, after, cells, likely, part, best)
    j = first
    while j < after.level.size - 1 and after.level[j] < part.high:
        v = max(after.node_index[j] * after.step - part.log_start, part.lowest_growth) - bend.start
        if ceiling[j] - base - v * (bend.linear + v * (bend.square - v * bend.cube)) <= best:
            break  # from here on more is lost, and no peak is higher
        found = bent_cell(bend, after, cells, j, part, best)
        if found > best:
            best, likely = found, j
        j += 1
    return best, likely


@inner_kernel
def sag(bend: Bend, step_limit: float, low: float, high: float) -> float:
    """By how much at most h(ln(1 + q/s)) exceeds its chord over levels from `low` to `high`, for q near the limit.

    For q from σ low/high to σ; docs/exact.md, (l) and (m).
    """
    if low * bend.factor >= low + step_limit:
        return 0.0
    most = math.log1p(step_limit / low)
    smallest = step_limit * (low / high)
    least = math.log1p(smallest / high)
    steepest = step_limit / (low * (low + step_limit))  # |w'|, rising with q and falling with s
    v, last = max(least - bend.start, 0.0), most - bend.start
    curvature = (2.0 * bend.square - 6.0 * v * bend.cube) * steepest * steepest
    slope = bend.rate_value - bend.linear - last * (2.0 * bend.square - 3.0 * last * bend.cube)
    curvature -= max(slope, 0.0) * (1.0 / (high * high) - 1.0 / ((high + smallest) * (high + smallest)))
    width = high - low
    kink = 0.25 * width * bend.linear * steepest if least < bend.start else 0.0
    return max(curvature, 0.0) * (width * width / 8.0) + kink


@kernel
def bound_bent_nodes(
    terms: Terms, k: int, here: Layer, after: Layer, cells: Cells, ceiling: Floats, offloading: int
) -> None:
    """As `bound_nodes`, for a bending device: the part of the window beyond the bend is bounded cell by cell."""
    terms, here, after, cells = without_refcount((terms, here, after, cells))
    alpha, beta, cost = terms.rate_value[k], terms.level_price[k], terms.offload_cost[k]
    index, peak, queue = after.node_index, cells.peak, cells.queue
    head = tail = 0
    lowest = index.size - 1
    last = last_full = index.size - 2  # cells in which the unbent part and the whole reach of the node end
    same = index.size - 1
    likely, bend = -1, bend_of(terms, k)
    few_cells = math.exp(2.0 * here.step)
    window_above, single_above = -math.inf, math.inf
    worth = math.inf  # no step of use bends beyond its own best level, here of any start in the cells beside a node
    if beta > 0.0:
        worth = math.exp(here.step) * (alpha - terms.split[k, LINEAR]) / beta
    step_limit = terms.step_limit[k]
    crossing = step_limit / (terms.growth_limit[k] - 1.0)
    for node in range(here.level.size - 1, -1, -1):
        start = here.level[node]
        while same > 0 and index[same] > here.node_index[node]:
            same -= 1
        together = same >= 0 and index[same] == here.node_index[node]
        stay = after.value[same] + terms.local_value[k] if together else -math.inf
        here.value[node] = stay
        cells.single[node] = False
        if node > offloading + 1 or offloading < 0:
            continue
        end = highest_level(terms, k, start)
        slack_end = min(start * bend.factor, end)
        while last_full >= 0 and after.level[last_full] > end:
            last_full -= 1
        while last >= 0 and after.level[last] > slack_end:
            last -= 1
        while lowest > 0 and index[lowest - 1] >= here.node_index[node]:
            lowest -= 1
            while tail > head and peak[queue[tail - 1]] <= peak[lowest]:
                tail -= 1
            queue[tail] = lowest
            tail += 1
        while head < tail and queue[head] >= last:
            head += 1
        window = peak[queue[head]] if head < tail else -math.inf
        if last >= lowest and peak[last] > window:
            low, high = after.level[last], min(slack_end, after.level[last + 1])
            window = max(window, part_peak(terms, k, after, cells, last, low, high))
        log_start = here.node_index[node] * here.step
        window -= alpha * log_start
        end = min(end, worth)
        if end > slack_end:
            bent = Part(log_start, slack_end, end, terms.split[k, BEND], math.log(end / start))
            window, likely = bent_window(bend, after, cells, ceiling, max(last, lowest, 0), likely, bent, window)
        window -= cost - beta * start
        single = math.inf
        no_gap = last_full < same or index[last_full] - index[same] == last_full - same
        if together and end <= start * few_cells and no_gap:
            single = after.value[same] + bent_gain(terms, k, start)
        if node <= offloading and here.node_index[node + 1] == here.node_index[node] + 1:
            use_single = single + single_above < window + window_above
            cells.single[node] = use_single
            high = here.level[node + 1]
            lift = sag(bend, step_limit, max(start, crossing), high) if high > crossing else 0.0
            here.value[node] = max(stay, (single if use_single else window) + lift)
            here.value[node + 1] = max(here.value[node + 1], (single_above if use_single else window_above) + lift)
        window_above, single_above = window, single


@kernel
def cover_bent_crossing(terms: Terms, k: int, here: Layer, after: Layer, cells: Cells, ceiling: Floats) -> None:
    """As `cover_crossing`, for a bending device."""
    if here.level.size < 2:
        return
    start = terms.step_limit[k] / (terms.growth_limit[k] - 1.0)
    if start <= here.level[0] or start >= here.level[-1] or bent_gain(terms, k, start) <= terms.local_value[k]:
        return
    node = node_below(here.level, start)
    if here.node_index[node + 1] != here.node_index[node] + 1:
        return
    end, log_start, bend = highest_level(terms, k, start), math.log(start), bend_of(terms, k)
    slack_end, own = min(start * bend.factor, end), node_below(after.level, start)
    best = -math.inf
    for j in range(own, after.level.size - 1):
        if after.level[j] > slack_end:
            break
        if cells.peak[j] > best:
            low, high = max(start, after.level[j]), min(slack_end, after.level[j + 1])
            best = max(best, part_peak(terms, k, after, cells, j, low, high))
    best -= terms.rate_value[k] * log_start
    if end > slack_end:
        part = Part(log_start, slack_end, end, bend.start, math.log(end / start))
        best, _ = bent_window(bend, after, cells, ceiling, own, -1, part, best)
    best -= terms.offload_cost[k] - terms.level_price[k] * start
    if cells.single[node] and not math.isnan(cells.slope[own]):
        best = between_nodes(after, own, start) + bent_gain(terms, k, start)
    best += sag(bend, terms.step_limit[k], start, here.level[node + 1])  # as both ends, for the chord above it
    chord = between_nodes(here, node, start)
    if chord < best and math.isfinite(chord):
        here.value[node] += best - chord
        here.value[node + 1] += best - chord
