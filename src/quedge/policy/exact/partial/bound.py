"""The bound of a frame in which offloading is partial: as `bound_from_above`, with layers that bend."""

from __future__ import annotations

import math

import numpy as np

from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.terms import Terms, highest_level
from quedge.policy.exact.bound import (
    Bound,
    Cells,
    Layer,
    bound_nodes,
    cover_crossing,
    fill_cliffs,
    last_offloading,
    measure_cells,
    own_gain,
)
from quedge.policy.exact.lattice import Lattice
from quedge.policy.exact.partial.bent import best_first, bound_bent_nodes, cover_bent_crossing


@kernel
def bound_layer(terms: Terms, k: int, here: Layer, after: Layer, cells: Cells) -> float:
    """Fill in the layer of a device that does not bend; returns the bound on its being the first to offload."""
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
def bound_bent_layer(terms: Terms, k: int, here: Layer, after: Layer, cells: Cells, ceiling: Floats) -> float:
    """As `bound_layer`, for a device that bends; `ceiling` is room for a number a cell."""
    offloading, first = -1, -math.inf
    offloads = own_gain(terms, k, 1.0) > terms.local_value[k]
    if offloads:
        offloading = last_offloading(terms, k, here.level)  # without what its CPU loses: no less
        start = here.level[offloading + 1] if here.level.size > 0 else 1.0
        measure_cells(terms, k, after, cells, highest_level(terms, k, start))
        first = best_first(terms, k, after, cells)
        highest = -math.inf
        for j in range(after.level.size - 2, -1, -1):
            highest = max(highest, cells.peak[j])
            ceiling[j] = highest
    bound_bent_nodes(terms, k, here, after, cells, ceiling, offloading)
    if offloads:
        cover_bent_crossing(terms, k, here, after, cells, ceiling)
    return first


@kernel
def bound_split(terms: Terms, lattice: Lattice, steepest: Floats, bent: Bools) -> Bound:
    """Bound R_k on every node of the lattice, from the last layer back to level 1.

    Args:
        terms: the frame's terms.
        lattice: the cells that may hold the optimum, and their neighbours.
        steepest: largest α of the devices from each layer on.
        bent: whether each device can bend.
    """
    devices = terms.rate_value.size
    first, index, level = lattice.first, lattice.node_index, lattice.level
    value = np.empty(level.size)
    peak = np.full(level.size, -math.inf)
    unused = np.zeros(devices + 1)
    widest = np.max(first[1:] - first[:-1])
    room = np.empty((4, widest))
    queue, single = np.empty(widest, np.int64), np.empty(widest, np.bool_)
    value[first[devices] :] = 0.0
    for k in range(devices - 1, -1, -1):
        low, middle, high = first[k], first[k + 1], first[k + 2]
        here = Layer(lattice.step, index[low:middle], level[low:middle], value[low:middle])
        after = Layer(lattice.step, index[middle:high], level[middle:high], value[middle:high])
        cells = Cells(room[0], room[1], room[2], peak[middle:high], queue, single)
        if bent[k]:
            offloaded = bound_bent_layer(terms, k, here, after, cells, room[3])
        else:
            offloaded = bound_layer(terms, k, here, after, cells)
        unused[k] = max(unused[k + 1] + terms.local_value[k], offloaded)
        fill_cliffs(here, steepest[k])
    return Bound(value, peak, unused)
