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

from quedge.model.kernels import Bools, Floats, Ints, inner_kernel, kernel, without_refcount
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


@inner_kernel
def layer_of(lattice: Lattice, value: Floats, k: int) -> Layer:
    """Layer k of a lattice, and of values at its nodes."""
    low, high = lattice.first[k], lattice.first[k + 1]
    return Layer(lattice.step, lattice.node_index[low:high], lattice.level[low:high], value[low:high])


class Cells(NamedTuple):
    """What the cells in which a device may end are made of, and room for a pass over them.

    Attributes:
        slope: slope of the bound's line; NaN where no cell starts.
        kink: by how much the slope falls at the upper end, where the next cell begins; 0 where it rises.
        bulge: curvature of the parabola over the line, zero at both ends, beside a concave kink.
        argmax_level: level at which line + bulge + α ln s' − β s' is largest, at least the cell's lower end.
        peak: that largest value, as in `Bound`.
        first_peak: largest value without the bulge where the device that starts from level 1 may end.
        queue: candidates of a sliding window maximum.
        single: whether the cell of the device's own layer that starts at a node is bounded by fact 5.
    """

    slope: Floats
    kink: Floats
    bulge: Floats
    argmax_level: Floats
    peak: Floats
    first_peak: Floats
    queue: Ints
    single: Bools


@kernel
def room_for_cells(lattice: Lattice) -> Cells:
    """Room for the cells of any layer, but for their peaks."""
    widest = np.max(lattice.first[1:] - lattice.first[:-1])
    room = np.empty((5, widest))
    queue, single = np.empty(widest, np.int64), np.empty(widest, np.bool_)
    return Cells(room[0], room[1], room[2], room[3], np.empty(0), room[4], queue, single)


@inner_kernel
def cells_of(lattice: Lattice, room: Cells, peak: Floats, k: int) -> Cells:
    """The cells of layer k: their peaks, and room for the rest."""
    own = peak[lattice.first[k] : lattice.first[k + 1]]
    return Cells(room.slope, room.kink, room.bulge, room.argmax_level, own, room.first_peak, room.queue, room.single)


@kernel
def log1p_above(z: float) -> float:
    """An upper bound on ln(1 + z) for z ≥ 0, exact to z⁶/6: the alternating series cut after an added term."""
    return z * (1.0 - z * (1.0 / 2.0 - z * (1.0 / 3.0 - z * (1.0 / 4.0 - z / 5.0))))


class Worth(NamedTuple):
    """What a level is worth to one device: α ln s − β s.

    Attributes:
        alpha: α of the device.
        beta: its β.
    """

    alpha: float
    beta: float


@inner_kernel
def worth_to(terms: Terms, k: int) -> Worth:
    """What levels are worth to device k."""
    return Worth(terms.rate_value[k], terms.level_price[k])


@kernel
def cell_value(worth: Worth, layer: Layer, j: int, slope: float, bulge: float, level: float) -> float:
    """Line + bulge + α ln s' − β s' at `level`, in cell j of a layer."""
    low = layer.level[j]
    above = level - low
    line = layer.value[j] + (slope + bulge * (layer.level[j + 1] - level)) * above
    log_level = layer.node_index[j] * layer.step + log1p_above(above / low)
    return float(line + worth.alpha * log_level - worth.beta * level)


@kernel
def chord_argmax(worth: Worth, slope: float) -> float:
    """Where line + α ln s' − β s' stops rising."""
    rising = slope - worth.beta
    return float(worth.alpha / -rising if rising < 0.0 else math.inf)


@kernel
def bulged_argmax(worth: Worth, layer: Layer, j: int, slope: float, bulge: float) -> float:
    """Where line + bulge + α ln s' − β s' stops rising, for a bulge above 0 in cell j of a layer."""
    rising = slope - worth.beta + bulge * (layer.level[j] + layer.level[j + 1])
    return float((rising + math.sqrt(rising * rising + 8.0 * bulge * worth.alpha)) / (4.0 * bulge))


@kernel
def fill_slopes(layer: Layer, slope: Floats, kink: Floats) -> None:
    """Fill the slopes of all cells, and their kinks."""
    index, level, value = layer.node_index, layer.level, layer.value
    last = level.size - 2
    for j in range(last + 1):
        rise = (value[j + 1] - value[j]) / (level[j + 1] - level[j])
        slope[j] = rise if index[j + 1] - index[j] == 1 and abs(rise) < math.inf else math.nan
    for j in range(last):
        kink[j] = slope[j] - slope[j + 1] if slope[j + 1] < slope[j] else 0.0
    kink[last] = 0.0


@kernel
def fill_bulges(layer: Layer, kink: Floats, bulge: Floats, count: int) -> None:
    """Fill the bulges of the first cells: each covers the kinks at both of its ends."""
    shrink = math.exp(-layer.step)  # from a cell's upper end to its lower one
    for j in range(count):
        bulge[j] = kink[j] / ((1.0 - shrink) * layer.level[j])
    below = 0.0
    for j in range(count):
        above = bulge[j]
        bulge[j] = max(below, above)
        below = above * shrink * shrink  # the same kink, in terms of the cell above it


@kernel
def fill_peaks(worth: Worth, layer: Layer, cells: Cells, count: int, first_end: float) -> None:
    """Fill in where the first cells are largest, and how large; from level 1 the device reaches `first_end`."""
    level, slope, bulge = layer.level, cells.slope, cells.bulge
    argmax, peak, first_peak = cells.argmax_level, cells.peak, cells.first_peak
    for j in range(count):
        end = min(max(chord_argmax(worth, slope[j]), level[j]), min(level[j + 1], first_end))
        first_peak[j] = cell_value(worth, layer, j, slope[j], 0.0, end)
    for j in range(count):
        chord, bulged = chord_argmax(worth, slope[j]), bulged_argmax(worth, layer, j, slope[j], bulge[j])
        argmax[j] = max(level[j], bulged if bulge[j] > 0.0 else chord)
    for j in range(count):
        found = cell_value(worth, layer, j, slope[j], bulge[j], min(argmax[j], level[j + 1]))
        peak[j] = -math.inf if math.isnan(found) else found


@kernel
def measure_cells(terms: Terms, k: int, layer: Layer, cells: Cells, farthest: float) -> float:
    """Measure the cells of the layer in which device k may end, up to level `farthest`; fills `cells`.

    Its loops have no branches, so that the processor takes several cells at a time.

    Returns:
        Bound on what device k and the later ones add when it is the first to offload.
    """
    terms, layer, cells = without_refcount((terms, layer, cells))
    if layer.level.size < 2:
        return -math.inf
    count = node_below(layer.level, farthest) + 1
    fill_slopes(layer, cells.slope, cells.kink)
    fill_bulges(layer, cells.kink, cells.bulge, count)
    first_end = highest_level(terms, k, 1.0)
    fill_peaks(worth_to(terms, k), layer, cells, count, first_end)
    best_first = -math.inf
    for j in range(count):  # from level 1 itself no path is scaled or shifted: no bulge
        if layer.level[j] < first_end and cells.first_peak[j] > best_first:
            best_first = cells.first_peak[j]
    return float(best_first + terms.level_price[k] - terms.offload_cost[k])


@kernel
def part_peak(terms: Terms, k: int, layer: Layer, cells: Cells, j: int, low: float, high: float) -> float:
    """The peak of cell j when only the levels from `low` to `high` are in reach."""
    level = min(max(cells.argmax_level[j], low), high)
    return cell_value(worth_to(terms, k), layer, j, cells.slope[j], cells.bulge[j], level)


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
def bound_layer(terms: Terms, k: int, here: Layer, after: Layer, cells: Cells) -> float:
    """Fill in device k's layer.

    Returns:
        Bound on what it and the later ones add when it is the first to offload.
    """
    offloading, first = -1, -math.inf
    offloads = own_gain(terms, k, 1.0) > terms.local_value[k]
    if offloads:
        offloading = last_offloading(terms, k, here.level)
        start = here.level[offloading + 1] if here.level.size > 0 else 1.0
        first = measure_cells(terms, k, after, cells, highest_level(terms, k, start))
    bound_nodes(terms, k, here, after, cells, offloading)
    if offloads:
        cover_crossing(terms, k, here, after, cells)
    return first


@kernel
def room_for_bound(lattice: Lattice) -> Bound:
    """A bound on a lattice of which the last layer is filled in: after the last device nothing is added."""
    nodes, layers = lattice.level.size, lattice.first.size - 1
    value = np.empty(nodes)
    value[lattice.first[layers - 1] :] = 0.0
    return Bound(value, np.full(nodes, -math.inf), np.zeros(layers))


@kernel
def bound_from_above(terms: Terms, lattice: Lattice, steepest: Floats) -> Bound:
    """Bound R_k on every node of the lattice, from the last layer back to level 1.

    Args:
        terms: the frame's terms.
        lattice: the cells that may hold the optimum, and their neighbours.
        steepest: largest α of the devices from each layer on.
    """
    bound = room_for_bound(lattice)
    fill_layers(terms, lattice, steepest, bound, room_for_cells(lattice))
    return bound


@kernel
def fill_layers(terms: Terms, lattice: Lattice, steepest: Floats, bound: Bound, room: Cells) -> None:
    """Fill in all layers before the last one."""
    terms, lattice, steepest, bound, room = without_refcount((terms, lattice, steepest, bound, room))
    value, peak, unused = bound
    for k in range(steepest.size - 1, -1, -1):
        here, after = layer_of(lattice, value, k), layer_of(lattice, value, k + 1)
        first = bound_layer(terms, k, here, after, cells_of(lattice, room, peak, k + 1))
        unused[k] = max(unused[k + 1] + terms.local_value[k], first)
        fill_cliffs(here, steepest[k])
