"""An upper bound on what the devices from each layer on can still add, for every level at once.

Let R_k(s) be the most that the devices k, k+1, ... can add to the objective when device k starts from level s:

    R_k(s) = max( L_k + R_{k+1}(s),  max over s' in [s, min(ρ s, s + σ)] of  α ln(s'/s) − β (s' − s) − c + R_{k+1}(s') )

The largest value of problem (17) is R_0(1). The bound is piecewise linear in s, computed from the last layer
back. Five facts carry it; `docs/exact.md` has the proofs.

1. *Inside a window*, line + α ln s' − β s' is concave: its maximum over a cell is a closed form.
2. *Between two nodes* the chord is an upper bound, for scaling a path (s' = t s) or shifting it (s' = s + q) keeps
   it feasible on a cell wherever one and the same limit binds, and both make R_k convex where R_{k+1} is. There is no
   first-order slack from the limits.
3. *Where R_{k+1} has a concave kink*, the path that is scaled or shifted may straddle that node and lie above the
   chord. A parabola over the cells beside the kink, zero at their ends, covers that.
4. *In the cell where the two limits cross*, ρ s = s + σ, the chord is raised to the value at the crossing.
5. *Without any bulge*, R_{k+1} falls with the level, so offloading is worth at most R_{k+1}(s) plus what the device
   gains alone. That is the tighter one for devices that can move the level by less than a cell.

The slack is thus of second order in the cell's width, and of first order only at kinks.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.model.compiled import Bools, Floats, Ints, kernel
from quedge.model.terms import Terms, highest_level
from quedge.policy.exact.lattice import Lattice


class Bound(NamedTuple):
    """Upper bounds, one a node of the lattice.

    Attributes:
        value: bound on R_k at each node of layer k; linear in the level between neighbours. Holds where the devices
            before k can lead, and where no cell was dropped.
        peak: for the cell that starts at a node of layer k + 1: bound on the largest R_{k+1}(s') + α ln s' − β s' in
            it, with the α and β of device k; minus infinity where no cell starts.
        idle: bound on R_k(1), shape (devices + 1,).
    """

    value: Floats
    peak: Floats
    idle: Floats


class Cells(NamedTuple):
    """Room for what a layer's cells are made of, one entry a cell.

    Attributes:
        slope: slope of the bound's line.
        bulge: curvature of the parabola over the line, zero at both ends, beside a concave kink.
        crest: level at which line + bulge + α ln s' − β s' is largest, at least the cell's lower end.
        queue: candidates of a sliding window maximum.
        alone: whether the cell of layer k that starts at a node is bounded by fact 5.
    """

    slope: Floats
    bulge: Floats
    crest: Floats
    queue: Ints
    alone: Bools


@kernel
def log1p_above(z: float) -> float:
    """An upper bound on ln(1 + z) for z ≥ 0, exact to z⁶/6: the alternating series cut after an added term."""
    return z * (1.0 - z * (1.0 / 2.0 - z * (1.0 / 3.0 - z * (1.0 / 4.0 - z / 5.0))))


@kernel
def cell_value(
    alpha: float,
    beta: float,
    log_low: float,
    low: float,
    high: float,
    value: float,
    slope: float,
    bulge: float,
    level: float,
) -> float:
    """Line + bulge + α ln s' − β s' at `level`, in the cell from `low`, where the line has `value`, to `high`."""
    above = level - low
    log_level = log_low + log1p_above(above / low)
    return value + (slope + bulge * (high - level)) * above + alpha * log_level - beta * level


@kernel
def crest_level(alpha: float, beta: float, slope: float, bulge: float, low: float, high: float) -> float:
    """Where line + bulge + α ln s' − β s' stops rising."""
    rising = slope - beta + bulge * (low + high)
    if bulge > 0.0:
        return (rising + math.sqrt(rising * rising + 8.0 * bulge * alpha)) / (4.0 * bulge)
    return alpha / -rising if rising < 0.0 else math.inf


@kernel
def measure_cells(
    terms: Terms, k: int, step: float, index: Ints, level: Floats, value: Floats, cells: Cells, peak: Floats
) -> float:
    """Measure the cells in which device k may end; fills `cells` and `peak`.

    Returns:
        Bound on what device k and the later ones add when it is the first to offload.
    """
    count = level.size - 1
    alpha, beta = terms.rate_value[k], terms.level_price[k]
    first_end = highest_level(terms, k, 1.0)
    best_first = -math.inf
    for j in range(count):
        slope = (value[j + 1] - value[j]) / (level[j + 1] - level[j])
        closed = index[j + 1] == index[j] + 1 and math.isfinite(slope)
        cells.slope[j] = slope if closed else math.nan
    bulge_below = 0.0
    for j in range(count):
        slope = cells.slope[j]
        peak[j] = -math.inf
        if math.isnan(slope):
            bulge_below = 0.0
            continue
        bulge_above = 0.0
        if j + 1 < count and cells.slope[j + 1] < slope:  # a concave kink at the upper end
            bulge_above = (slope - cells.slope[j + 1]) / (1.0 - level[j] / level[j + 1]) / level[j]
        bulge = max(bulge_below, bulge_above)
        bulge_below = bulge_above
        low, high, log_low = level[j], level[j + 1], index[j] * step
        crest = max(crest_level(alpha, beta, slope, 0.0, low, high), low)
        top = cell_value(alpha, beta, log_low, low, high, value[j], slope, 0.0, min(crest, high))
        if low < first_end:  # from level 1 itself no path is scaled or shifted: no bulge
            reached = top
            if crest > first_end and high > first_end:
                reached = cell_value(alpha, beta, log_low, low, high, value[j], slope, 0.0, first_end)
            best_first = max(best_first, reached)
        if bulge > 0.0:
            crest = max(crest_level(alpha, beta, slope, bulge, low, high), low)
            top = cell_value(alpha, beta, log_low, low, high, value[j], slope, bulge, min(crest, high))
        cells.bulge[j] = bulge
        cells.crest[j] = crest
        peak[j] = top
    return float(best_first + beta - terms.offload_cost[k])


@kernel
def part_value(
    terms: Terms,
    k: int,
    step: float,
    index: Ints,
    level: Floats,
    value: Floats,
    cells: Cells,
    j: int,
    low: float,
    high: float,
) -> float:
    """The peak of cell j of `measure_cells` when only the levels from `low` to `high` are in reach."""
    reached = min(max(cells.crest[j], low), high)
    return cell_value(
        terms.rate_value[k],
        terms.level_price[k],
        index[j] * step,
        level[j],
        level[j + 1],
        value[j],
        cells.slope[j],
        cells.bulge[j],
        reached,
    )


@kernel
def own_gain(terms: Terms, k: int, start: float, end: float) -> float:
    """What device k itself gains at most by offloading from level `start`, up to `end`."""
    alpha, beta = terms.rate_value[k], terms.level_price[k]
    crest = min(max(alpha / beta, start), end)
    growth = crest / start - 1.0
    log_growth = log1p_above(growth) if growth < 0.25 else math.log1p(growth)
    return float(alpha * log_growth - beta * (crest - start) - terms.offload_cost[k])


@kernel
def last_offloading(terms: Terms, k: int, level: Floats) -> int:
    """The last node below the top from which offloading can beat local computing; -1 where there is none.

    Even if it cost the later devices nothing, device k would gain less from any higher level.
    """
    low, high = -1, level.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        start = level[middle]
        if own_gain(terms, k, start, highest_level(terms, k, start)) > terms.local_value[k]:
            low = middle
        else:
            high = middle
    return low


@kernel
def bound_nodes(
    terms: Terms,
    k: int,
    step: float,
    index: Ints,
    level: Floats,
    value: Floats,
    next_index: Ints,
    next_level: Floats,
    next_value: Floats,
    cells: Cells,
    peak: Floats,
) -> None:
    """Fill `value` at the nodes of layer k from those of layer k + 1: one pass down both, O(nodes).

    The cells in reach of a node are a window whose two ends move down with it; its maximum slides along. Besides it,
    fact 5 bounds offloading without any bulge. A cell takes the lower of the two bounds, the same at both of its
    ends, and a node the larger of what its two cells ask for.
    """
    alpha, beta, cost = terms.rate_value[k], terms.level_price[k], terms.offload_cost[k]
    offloading = last_offloading(terms, k, level)
    head = tail = 0  # the window's candidates are queue[head:tail], from the highest cell to the lowest
    lowest = next_level.size - 1  # lowest cell that has entered the window
    last = next_level.size - 2  # cell in which the reach of the node ends
    same = next_level.size - 1  # node of layer k + 1 with the same level
    few_cells = math.exp(2.0 * step)  # a wider window has no use for fact 5
    window_above, alone_above = -math.inf, math.inf  # of the node above
    for node in range(level.size - 1, -1, -1):
        start = level[node]
        while same > 0 and next_index[same] > index[node]:
            same -= 1
        together = same >= 0 and next_index[same] == index[node]
        stay = next_value[same] + terms.local_value[k] if together else -math.inf
        cells.alone[node] = False
        value[node] = stay
        if node > offloading + 1:
            continue
        end = highest_level(terms, k, start)
        while last >= 0 and next_level[last] > end:
            last -= 1
        while lowest > 0 and next_index[lowest - 1] >= index[node]:
            lowest -= 1
            while tail > head and peak[cells.queue[tail - 1]] <= peak[lowest]:
                tail -= 1
            cells.queue[tail] = lowest
            tail += 1
        while head < tail and cells.queue[head] >= last:
            head += 1
        window = -math.inf
        if head < tail:
            window = peak[cells.queue[head]]
        if last >= lowest and peak[last] > window:
            if next_level[last + 1] <= end:
                window = peak[last]
            else:
                low = next_level[last]
                partly = part_value(terms, k, step, next_index, next_level, next_value, cells, last, low, end)
                window = max(window, partly)
        window -= alpha * index[node] * step - beta * start + cost
        alone = math.inf
        narrow = end <= start * few_cells
        if together and narrow and (last < same or next_index[last] - next_index[same] == last - same):
            alone = next_value[same] + own_gain(terms, k, start, end)  # no gap in the window
        if node <= offloading and index[node + 1] == index[node] + 1:
            use_alone = alone + alone_above < window + window_above
            cells.alone[node] = use_alone
            value[node] = max(stay, alone if use_alone else window)
            value[node + 1] = max(value[node + 1], alone_above if use_alone else window_above)
        window_above, alone_above = window, alone


@kernel
def fill_cliffs(step: float, index: Ints, value: Floats, steepest: float, reach: float) -> None:
    """Raise nodes to what R_k cannot fall below, so that dropped cells leave no cliffs.

    Dropping cells lowers the value of nodes from which only dropped ones were in reach, and a cliff counts as a kink.
    The true R_k never rises with the level, and falls by at most (largest α) · (logarithmic reach left) per unit of
    ln s. Raising a bound keeps it one.
    """
    for node in range(value.size - 2, -1, -1):
        if index[node + 1] == index[node] + 1 and value[node] < value[node + 1]:
            value[node] = value[node + 1]
    for node in range(value.size - 1):
        if index[node + 1] == index[node] + 1:
            fall = steepest * max(1.0, reach - index[node] * step) * step
            if value[node + 1] < value[node] - fall:
                value[node + 1] = value[node] - fall


@kernel
def node_below(level: Floats, position: float) -> int:
    """The last node at or below `position`; 0 where there is none."""
    low, high = 0, level.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if level[middle] <= position:
            low = middle
        else:
            high = middle
    return low


@kernel
def cover_crossing(
    terms: Terms,
    k: int,
    step: float,
    index: Ints,
    level: Floats,
    value: Floats,
    next_index: Ints,
    next_level: Floats,
    next_value: Floats,
    cells: Cells,
    peak: Floats,
) -> None:
    """Raise the chord of the cell in which device k's two limits cross to the value at the crossing."""
    if terms.growth_limit[k] <= 1.0 or level.size < 2:
        return
    start = terms.step_limit[k] / (terms.growth_limit[k] - 1.0)  # ρ s = s + σ
    if start <= level[0] or start >= level[-1]:
        return
    node = node_below(level, start)
    if index[node + 1] != index[node] + 1:
        return
    end = highest_level(terms, k, start)
    if own_gain(terms, k, start, end) <= terms.local_value[k]:
        return
    best = -math.inf
    own = node_below(next_level, start)  # of this cell only the part above the start is in reach
    for j in range(own, next_level.size - 1):
        if next_level[j] > end:
            break
        if peak[j] > best:
            if j > own and next_level[j + 1] <= end:
                best = peak[j]
            else:
                low = start if j == own else next_level[j]
                high = min(end, next_level[j + 1])
                best = max(best, part_value(terms, k, step, next_index, next_level, next_value, cells, j, low, high))
    best -= terms.rate_value[k] * math.log(start) - terms.level_price[k] * start + terms.offload_cost[k]
    if cells.alone[node]:
        line = next_value[own] + cells.slope[own] * (start - next_level[own])
        best = max(best, line + own_gain(terms, k, start, end))
    share = (start - level[node]) / (level[node + 1] - level[node])
    chord = value[node] + share * (value[node + 1] - value[node])
    if chord < best and math.isfinite(chord):
        value[node] += best - chord
        value[node + 1] += best - chord


@kernel
def bound_from_above(terms: Terms, lattice: Lattice, steepest: Floats, reach: float) -> Bound:
    """Bound R_k on every node of the lattice, from the last layer back to level 1.

    Args:
        terms: the frame's terms.
        lattice: the cells that may hold the optimum, and their neighbours.
        steepest: largest α of the devices from each layer on.
        reach: logarithm of the highest level.
    """
    devices = terms.rate_value.size
    first, index, level, step = lattice.first, lattice.node_index, lattice.level, lattice.step
    value = np.empty(level.size)
    peak = np.empty(level.size)
    idle = np.zeros(devices + 1)
    widest = 1
    for k in range(devices + 1):
        widest = max(widest, first[k + 1] - first[k])
    cells = Cells(
        np.empty(widest), np.empty(widest), np.empty(widest), np.empty(widest, np.int64), np.empty(widest, np.bool_)
    )
    value[first[devices] :] = 0.0
    for k in range(devices - 1, -1, -1):
        low, middle, high = first[k], first[k + 1], first[k + 2]
        here_index, here_level, here_value = index[low:middle], level[low:middle], value[low:middle]
        next_index, next_level, next_value = index[middle:high], level[middle:high], value[middle:high]
        next_peak = peak[middle:high]
        offloads = own_gain(terms, k, 1.0, highest_level(terms, k, 1.0)) > terms.local_value[k]
        idle[k] = idle[k + 1] + terms.local_value[k]
        next_peak[:] = -math.inf
        if offloads:
            as_first = measure_cells(terms, k, step, next_index, next_level, next_value, cells, next_peak)
            idle[k] = max(idle[k], as_first)
        bound_nodes(
            terms, k, step, here_index, here_level, here_value, next_index, next_level, next_value, cells, next_peak
        )
        fill_cliffs(step, here_index, here_value, steepest[k], reach)
        if offloads:
            cover_crossing(
                terms, k, step, here_index, here_level, here_value, next_index, next_level, next_value, cells, next_peak
            )
            fill_cliffs(step, here_index, here_value, steepest[k], reach)
    return Bound(value, peak, idle)
