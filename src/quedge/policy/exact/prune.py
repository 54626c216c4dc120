"""Which cells may still hold the optimum: those whose loss against the bound is within what is left of the gap.

A path falls short of the bound R_0(1) by the sum of its losses, one a device: what the bound promises before
the device, minus what the device adds, minus what the bound promises after it. None is negative. A path better than
the best decision found so far loses less than the gap, so a cell that every path reaches only with a larger loss
can be dropped. The smallest loss with which each cell is reached is a forward pass of the same shape, and
cost, as the bound's backward one.
"""

from __future__ import annotations

import math

import numpy as np

from quedge.model.compiled import Bools, kernel
from quedge.model.terms import Terms, highest_level
from quedge.policy.exact.bound import Bound
from quedge.policy.exact.lattice import Lattice


@kernel
def living_cells(terms: Terms, lattice: Lattice, bound: Bound, gap: float) -> Bools:
    """Whether the cell that starts at each node may hold the optimum.

    Args:
        terms: the frame's terms.
        lattice: the cells.
        bound: upper bound on them.
        gap: bound R_0(1) minus the best objective found so far.
    """
    devices = terms.rate_value.size
    first, index, level, step = lattice.first, lattice.node_index, lattice.level, lattice.step
    alive = np.zeros(level.size, np.bool_)
    widest = 1
    for k in range(devices + 1):
        widest = max(widest, first[k + 1] - first[k])
    loss, next_loss = np.full(widest, math.inf), np.full(widest, math.inf)
    source, queue = np.empty(widest), np.empty(widest, np.int64)
    idle_loss = 0.0
    for k in range(devices):
        low, middle, high = first[k], first[k + 1], first[k + 2]
        here_level, here_index, here_value = level[low:middle], index[low:middle], bound.value[low:middle]
        next_level, next_index, next_value = level[middle:high], index[middle:high], bound.value[middle:high]
        cell_count, next_count = max(here_level.size - 1, 0), max(next_level.size - 1, 0)
        alpha, beta, cost = terms.rate_value[k], terms.level_price[k], terms.offload_cost[k]
        for j in range(cell_count):  # a concave function of the level is smallest at a cell's ends
            source[j] = math.inf
            if loss[j] < math.inf:
                lower = here_value[j] + alpha * here_index[j] * step - beta * here_level[j]
                upper = here_value[j + 1] + alpha * here_index[j + 1] * step - beta * here_level[j + 1]
                source[j] = loss[j] + min(lower, upper)
        idle_source = idle_loss + bound.idle[k] - beta
        first_end = highest_level(terms, k, 1.0)
        head = tail = 0
        entered = 0
        same = 0
        for j in range(next_count):
            next_loss[j] = math.inf
            if next_index[j + 1] != next_index[j] + 1:
                continue
            peak = bound.peak[middle + j]  # minus infinity where the device never offloads
            while entered < cell_count and here_index[entered] <= next_index[j]:
                while tail > head and source[queue[tail - 1]] >= source[entered]:
                    tail -= 1
                queue[tail] = entered
                tail += 1
                entered += 1
            while head < tail and highest_level(terms, k, here_level[queue[head] + 1]) < next_level[j]:
                head += 1
            smallest = math.inf
            if head < tail and source[queue[head]] < math.inf:
                smallest = max(source[queue[head]] - peak + cost, 0.0)
            if next_level[j] < first_end:
                smallest = min(smallest, max(idle_source - peak + cost, idle_loss))
            while same < cell_count and here_index[same] < next_index[j]:
                same += 1
            if same < cell_count and here_index[same] == next_index[j] and loss[same] < math.inf:
                lower = here_value[same] - next_value[j] - terms.local_value[k]
                upper = here_value[same + 1] - next_value[j + 1] - terms.local_value[k]
                smallest = min(smallest, loss[same] + max(min(lower, upper), 0.0))
            if smallest <= gap:
                next_loss[j] = smallest
                alive[middle + j] = True
        idle_loss += max(bound.idle[k] - bound.idle[k + 1] - terms.local_value[k], 0.0)
        loss, next_loss = next_loss, loss
        loss[next_count:] = math.inf
    return alive
