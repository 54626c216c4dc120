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
   gains as the only offloader. That is the tighter one for devices that can move the level by less than a cell.

The slack is thus of second order in the cell's width, and of first order only at kinks.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.model.kernels import Bools, Floats, Ints, kernel, without_refcount
from quedge.model.terms import Terms, highest_level, stationary_level
from quedge.policy.exact.lattice import Lattice


class Bound(NamedTuple):
    """Upper bounds, one a node of the lattice.

    Attributes:
        value: bound on R_k at each node of layer k; linear in the level between neighbours. Holds where the devices
            before k can lead, and where no cell was dropped.
        peak: for the cell that starts at a node of layer k + 1: bound on the largest R_{k+1}(s') + α ln s' − β s' in
            it, with the α and β of device k; minus infinity where no cell starts.
        unused: bound on R_k(1), shape (devices + 1,).
    """

    value: Floats
    peak: Floats
    unused: Floats


class Layer(NamedTuple):
    """One layer's part of lattice and bound: logarithmic width of a cell, node indices, levels and values."""

    step: float
    node_index: Ints
    level: Floats
    value: Floats


class Cells(NamedTuple):
    """What the cells in which a device may end are made of, and room for a pass over them.

    Attributes:
        slope: slope of the bound's line; NaN where no cell starts.
        bulge: curvature of the parabola over the line, zero at both ends, beside a concave kink.
        argmax_level: level at which line + bulge + α ln s' − β s' is largest, at least the cell's lower end.
        peak: that largest value, as in `Bound`.
        queue: candidates of a sliding window maximum.
        single: whether the cell of the device's own layer that starts at a node is bounded by fact 5.
    """

    slope: Floats
    bulge: Floats
    argmax_level: Floats
    peak: Floats
    queue: Ints
    single: Bools


@kernel
def log1p_above(z: float) -> float:
    """An upper bound on ln(1 + z) for z ≥ 0, exact to z⁶/6: the alternating series cut after an added term."""
    return z * (1.0 - z * (1.0 / 2.0 - z * (1.0 / 3.0 - z * (1.0 / 4.0 - z / 5.0))))


@kernel
def cell_value(terms: Terms, k: int, layer: Layer, j: int, slope: float, bulge: float, level: float) -> float:
    """Line + bulge + α ln s' − β s' at `level`, in cell j of a layer."""
    low = layer.level[j]
    above = level - low
    line = layer.value[j] + (slope + bulge * (layer.level[j + 1] - level)) * above
    log_level = layer.node_index[j] * layer.step + log1p_above(above / low)
    return float(line + terms.rate_value[k] * log_level - terms.level_price[k] * level)


@kernel
def argmax_level(terms: Terms, k: int, layer: Layer, j: int, slope: float, bulge: float) -> float:
    """Where line + bulge + α ln s' − β s' stops rising, at least the lower end of cell j."""
    alpha, beta = terms.rate_value[k], terms.level_price[k]
    low = layer.level[j]
    rising = slope - beta
    if bulge > 0.0:
        rising += bulge * (low + layer.level[j + 1])
        return float(max(low, (rising + math.sqrt(rising * rising + 8.0 * bulge * alpha)) / (4.0 * bulge)))
    return float(max(low, alpha / -rising)) if rising < 0.0 else math.inf


@kernel
def measure_cells(terms: Terms, k: int, layer: Layer, cells: Cells, farthest: float) -> float:
    """Measure the cells of the layer in which device k may end, up to level `farthest`; fills `cells`.

    Returns:
        Bound on what device k and the later ones add when it is the first to offload.
    """
    terms, layer, cells = without_refcount((terms, layer, cells))
    count = layer.level.size - 1
    first_end = highest_level(terms, k, 1.0)
    # slopes first: a cell's bulge depends on how the line bends at its upper end, where the next cell begins
    best_first = -math.inf
    for j in range(count):
        slope = (layer.value[j + 1] - layer.value[j]) / (layer.level[j + 1] - layer.level[j])
        closed = layer.node_index[j + 1] == layer.node_index[j] + 1 and math.isfinite(slope)
        cells.slope[j] = slope if closed else math.nan
    bulge_below = 0.0
    for j in range(count):
        slope = cells.slope[j]
        low, high = layer.level[j], layer.level[j + 1]
        if low > farthest:
            break
        if math.isnan(slope):
            bulge_below = 0.0
            continue
        bulge_above = 0.0
        if j + 1 < count and cells.slope[j + 1] < slope:  # a concave kink at the upper end
            bulge_above = (slope - cells.slope[j + 1]) / (1.0 - low / high) / low
        bulge = max(bulge_below, bulge_above)
        bulge_below = bulge_above * ((low / high) * (low / high))  # the same kink, in terms of the cell above it
        argmax = argmax_level(terms, k, layer, j, slope, 0.0)
        peak = cell_value(terms, k, layer, j, slope, 0.0, min(argmax, high))
        if low < first_end:  # from level 1 itself no path is scaled or shifted: no bulge
            reached = peak
            if min(argmax, high) > first_end:
                reached = cell_value(terms, k, layer, j, slope, 0.0, first_end)
            best_first = max(best_first, reached)
        if bulge > 0.0:
            argmax = argmax_level(terms, k, layer, j, slope, bulge)
            peak = cell_value(terms, k, layer, j, slope, bulge, min(argmax, high))
        cells.bulge[j], cells.argmax_level[j], cells.peak[j] = bulge, argmax, peak
    return float(best_first + terms.level_price[k] - terms.offload_cost[k])


@kernel
def part_peak(terms: Terms, k: int, layer: Layer, cells: Cells, j: int, low: float, high: float) -> float:
    """The peak of cell j when only the levels from `low` to `high` are in reach."""
    level = min(max(cells.argmax_level[j], low), high)
    return cell_value(terms, k, layer, j, cells.slope[j], cells.bulge[j], level)


@kernel
def own_gain(terms: Terms, k: int, start: float) -> float:
    """What device k itself gains at most by offloading from level `start`; falls as the level rises."""
    alpha, beta = terms.rate_value[k], terms.level_price[k]
    end = min(max(stationary_level(terms, k), start), highest_level(terms, k, start))
    growth = end / start - 1.0
    log_growth = log1p_above(growth) if growth < 0.25 else math.log1p(growth)
    return float(alpha * log_growth - beta * (end - start) - terms.offload_cost[k])


@kernel
def last_offloading(terms: Terms, k: int, level: Floats) -> int:
    """The last node below the top from which offloading can beat local computing; -1 where there is none.

    From any higher one it would not, even if it cost the later devices nothing.
    """
    low, high = -1, level.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if own_gain(terms, k, level[middle]) > terms.local_value[k]:
            low = middle
        else:
            high = middle
    return low


@kernel
def bound_nodes(terms: Terms, k: int, here: Layer, after: Layer, cells: Cells, offloading: int) -> None:
    """Fill the values of device k's layer from those of the layer after it: one pass down both, O(nodes).

    The cells in reach of a node are a window whose two ends move down with it; its maximum slides along. Besides it,
    fact 5 bounds offloading without any bulge. A cell takes the lower of the two bounds, the same at both of its
    ends, and a node the larger of what its two cells ask for. In cells that start above node `offloading` nobody would
    offload.
    """
    terms, here, after, cells = without_refcount((terms, here, after, cells))
    alpha, beta, cost = terms.rate_value[k], terms.level_price[k], terms.offload_cost[k]
    index, peak, queue = after.node_index, cells.peak, cells.queue
    head = tail = 0  # the window's candidates are queue[head:tail], from the highest cell to the lowest
    lowest = index.size - 1  # lowest cell that has entered the window
    last = index.size - 2  # cell in which the reach of the node ends
    same = index.size - 1  # node of the layer after with the same level
    few_cells = math.exp(2.0 * here.step)  # a wider window has no use for fact 5
    window_above, single_above = -math.inf, math.inf  # of the node above
    for node in range(here.level.size - 1, -1, -1):
        start = here.level[node]
        while same > 0 and index[same] > here.node_index[node]:
            same -= 1
        together = same >= 0 and index[same] == here.node_index[node]
        # where the layer after has no such node, its cells were dropped: nobody who stays can reach the optimum
        stay = after.value[same] + terms.local_value[k] if together else -math.inf
        here.value[node] = stay
        cells.single[node] = False
        if node > offloading + 1 or offloading < 0:  # neither cell beside the node asks for more than staying
            continue
        end = highest_level(terms, k, start)
        while last >= 0 and after.level[last] > end:
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
        if last >= lowest and peak[last] > window:  # of the cell where the reach ends only a part counts
            low, high = after.level[last], min(end, after.level[last + 1])
            window = max(window, part_peak(terms, k, after, cells, last, low, high))
        window -= alpha * here.node_index[node] * here.step - beta * start + cost
        single = math.inf
        if together and end <= start * few_cells and (last < same or index[last] - index[same] == last - same):
            single = after.value[same] + own_gain(terms, k, start)  # no gap in the window: R falls along it
        # a chord is a bound only if both of its ends are values of one and the same bound: so a cell chooses for both
        if node <= offloading and here.node_index[node + 1] == here.node_index[node] + 1:
            use_single = single + single_above < window + window_above
            cells.single[node] = use_single
            here.value[node] = max(stay, single if use_single else window)
            here.value[node + 1] = max(here.value[node + 1], single_above if use_single else window_above)
        window_above, single_above = window, single


@kernel
def fill_cliffs(layer: Layer, steepest: float) -> None:
    """Raise values to what R_k cannot fall below, so that dropped cells leave no cliffs, which would count as kinks.

    The true R_k never rises with the level, and falls by at most the largest α per unit of ln s. Raising a bound keeps
    it one.
    """
    index, value = layer.node_index, layer.value
    for node in range(value.size - 2, -1, -1):
        if index[node + 1] == index[node] + 1 and value[node] < value[node + 1]:
            value[node] = value[node + 1]
    for node in range(value.size - 1):
        if index[node + 1] == index[node] + 1:
            value[node + 1] = max(value[node + 1], value[node] - steepest * layer.step)


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
def between_nodes(layer: Layer, node: int, level: float) -> float:
    """The bound at `level`, on the line from a node to the next."""
    share = (level - layer.level[node]) / (layer.level[node + 1] - layer.level[node])
    return float(layer.value[node] + share * (layer.value[node + 1] - layer.value[node]))


@kernel
def cover_crossing(terms: Terms, k: int, here: Layer, after: Layer, cells: Cells) -> None:
    """Raise the chord of the cell in which device k's two limits cross to the value at the crossing."""
    if terms.growth_limit[k] <= 1.0 or here.level.size < 2:
        return
    start = terms.step_limit[k] / (terms.growth_limit[k] - 1.0)  # ρ s = s + σ
    if start <= here.level[0] or start >= here.level[-1]:
        return
    if own_gain(terms, k, start) <= terms.local_value[k]:  # offloading is worth it below the crossing only
        return
    node = node_below(here.level, start)
    if here.node_index[node + 1] != here.node_index[node] + 1:
        return
    end = highest_level(terms, k, start)
    best = -math.inf
    own = node_below(after.level, start)  # of this cell only the part above the start is in reach
    for j in range(own, after.level.size - 1):
        if after.level[j] > end:
            break
        if cells.peak[j] > best:
            low, high = max(start, after.level[j]), min(end, after.level[j + 1])
            best = max(best, part_peak(terms, k, after, cells, j, low, high))
    best -= terms.rate_value[k] * math.log(start) - terms.level_price[k] * start + terms.offload_cost[k]
    if cells.single[node] and not math.isnan(cells.slope[own]):
        best = between_nodes(after, own, start) + own_gain(terms, k, start)
    chord = between_nodes(here, node, start)
    if chord < best and math.isfinite(chord):
        here.value[node] += best - chord
        here.value[node + 1] += best - chord


@kernel
def bound_from_above(terms: Terms, lattice: Lattice, steepest: Floats) -> Bound:
    """Bound R_k on every node of the lattice, from the last layer back to level 1.

    Args:
        terms: the frame's terms.
        lattice: the cells that may hold the optimum, and their neighbours.
        steepest: largest α of the devices from each layer on.
    """
    devices = terms.rate_value.size
    first, index, level = lattice.first, lattice.node_index, lattice.level
    value = np.empty(level.size)
    peak = np.full(level.size, -math.inf)
    unused = np.zeros(devices + 1)
    widest = np.max(first[1:] - first[:-1])
    room = np.empty((3, widest))
    queue, single = np.empty(widest, np.int64), np.empty(widest, np.bool_)
    value[first[devices] :] = 0.0
    for k in range(devices - 1, -1, -1):
        low, middle, high = first[k], first[k + 1], first[k + 2]
        here = Layer(lattice.step, index[low:middle], level[low:middle], value[low:middle])
        after = Layer(lattice.step, index[middle:high], level[middle:high], value[middle:high])
        cells = Cells(room[0], room[1], room[2], peak[middle:high], queue, single)
        unused[k] = unused[k + 1] + terms.local_value[k]
        offloads = own_gain(terms, k, 1.0) > terms.local_value[k]
        offloading = -1
        if offloads:
            offloading = last_offloading(terms, k, here.level)
            start = here.level[offloading + 1] if here.level.size > 0 else 1.0
            farthest = highest_level(terms, k, start)
            unused[k] = max(unused[k], measure_cells(terms, k, after, cells, farthest))
        bound_nodes(terms, k, here, after, cells, offloading)
        if offloads:
            cover_crossing(terms, k, here, after, cells)
        fill_cliffs(here, steepest[k])
    return Bound(value, peak, unused)
