"""The grid on which the optimum is bounded: cells in the logarithm of the level, a set of them per device."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.model.kernels import Bools, Floats, Ints, kernel


class Lattice(NamedTuple):
    """Nodes with level exp(index · step); layer k holds those at which device k of the chain may start.

    Two nodes with consecutive indices bound a cell; where an index is skipped, cells were dropped. Layer 0 is
    empty: the first device starts from level 1, which every layer has besides (as the *unused* state, in which
    nobody has offloaded yet).

    Attributes:
        step: logarithmic width of a cell.
        first: layer k is nodes first[k] to first[k + 1]; shape (devices + 2,).
        node_index: index of each node, ascending within a layer.
        level: level of each node.
    """

    step: float
    first: Ints
    node_index: Ints
    level: Floats


@kernel
def full_lattice(devices: int, highest: float, cells: int, widest_step: float) -> Lattice:
    """All levels from 1 to one cell above `highest`, in every layer after the first."""
    return lattice_in_reach(np.full(devices, highest), cells, widest_step)


@kernel
def lattice_in_reach(reach: Floats, cells: int, widest_step: float) -> Lattice:
    """The levels from 1 to a cell above those that count, in every layer after the first.

    Args:
        reach: highest level after each device that the optimum can have, ascending; shape (devices,).
        cells: cells up to the highest of all, at least.
        widest_step: widest cell in ln s.
    """
    devices = reach.size
    highest = math.log(reach[-1])
    count = max(cells, math.ceil(highest / widest_step))
    step = highest / count
    first = np.zeros(devices + 2, np.int64)
    for k in range(devices):
        nodes = min(math.ceil(math.log(reach[k]) / step), count) + 2 if reach[k] > 1.0 else 0
        first[k + 2] = first[k + 1] + nodes
    index = np.empty(first[-1], np.int64)
    level = np.empty(first[-1])
    growth = math.exp(step)
    last = level[first[devices] :]
    position = 1.0
    for node in range(last.size):
        last[node] = position
        position *= growth
    for k in range(1, devices + 1):
        for node in range(first[k + 1] - first[k]):
            index[first[k] + node] = node
            level[first[k] + node] = last[node]
    return Lattice(step, first, index, level)


@kernel
def refined_lattice(lattice: Lattice, alive: Bools, factor: int) -> Lattice:
    """Cut every living cell into `factor` cells, and put one more at both ends of every run of them.

    The cells at the ends hold no optimum; the bound on their neighbours looks one cell further than its own.

    Args:
        lattice: the coarser lattice.
        alive: whether the cell that starts at a node lives.
        factor: new cells per old one.
    """
    layers = lattice.first.size - 1
    cells = 0
    for node in range(alive.size):
        cells += alive[node]
    index = np.empty(cells * (factor + 3), np.int64)
    first = np.zeros(layers + 1, np.int64)
    count = 0
    for k in range(layers):
        start = count
        for node in range(lattice.first[k], lattice.first[k + 1]):
            if alive[node]:
                lowest = max(lattice.node_index[node] * factor - 1, 0)
                highest = (lattice.node_index[node] + 1) * factor + 1
                if count > start:
                    lowest = max(lowest, index[count - 1] + 1)
                for new in range(lowest, highest + 1):
                    index[count] = new
                    count += 1
        first[k + 1] = count
    step = lattice.step / factor
    growth = math.exp(step)
    level = np.empty(count)
    for node in range(count):
        if node > 0 and index[node] == index[node - 1] + 1:
            level[node] = level[node - 1] * growth
        else:
            level[node] = math.exp(index[node] * step)
    return Lattice(step, first, index[:count], level)
