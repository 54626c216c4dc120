"""The bound of a frame in which offloading is partial: as `bound_from_above`, with layers that bend."""

from __future__ import annotations

import math

import numpy as np

from quedge.model.kernels import Bools, Floats, kernel, without_refcount
from quedge.model.terms import Terms, highest_level
from quedge.policy.exact.bound import (
    Bound,
    Cells,
    Layer,
    bound_layer,
    cells_of,
    fill_cliffs,
    last_offloading,
    layer_of,
    measure_cells,
    own_gain,
    room_for_bound,
    room_for_cells,
)
from quedge.policy.exact.lattice import Lattice
from quedge.policy.exact.partial.bent import best_first, bound_bent_nodes, cover_bent_crossing


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
    bound, room = room_for_bound(lattice), room_for_cells(lattice)
    fill_split_layers(terms, lattice, steepest, bent, bound, room, np.empty(room.slope.size))
    return bound


@kernel
def fill_split_layers(
    terms: Terms, lattice: Lattice, steepest: Floats, bent: Bools, bound: Bound, room: Cells, ceiling: Floats
) -> None:
    """Fill in all layers before the last one."""
    terms, lattice, steepest, bent = without_refcount((terms, lattice, steepest, bent))
    bound, room, ceiling = without_refcount((bound, room, ceiling))
    value, peak, unused = bound
    for k in range(steepest.size - 1, -1, -1):
        here, after = layer_of(lattice, value, k), layer_of(lattice, value, k + 1)
        cells = cells_of(lattice, room, peak, k + 1)
        if bent[k]:
            first = bound_bent_layer(terms, k, here, after, cells, ceiling)
        else:
            first = bound_layer(terms, k, here, after, cells)
        unused[k] = max(unused[k + 1] + terms.local_value[k], first)
        fill_cliffs(here, steepest[k])
