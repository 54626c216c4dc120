"""Which cells may still hold the optimum: those whose loss against the bound is within what is left of the gap.

A path falls short of the bound R_0(1) by the sum of its losses, one a device: what the bound promises before
the device, minus what the device adds, minus what the bound promises after it. None is negative. A path better than
the best decision found so far loses less than the gap, so a cell that every path reaches only with a larger loss
can be dropped. The smallest loss with which each cell is reached is a forward pass of the same shape, and
cost, as the bound's backward one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.model.kernels import Bools, Floats, Ints, kernel, without_refcount
from quedge.model.terms import Terms, highest_level
from quedge.policy.exact.bound import Bound, Layer, layer_of
from quedge.policy.exact.lattice import Lattice


class Sources(NamedTuple):
    """The cells from which device k starts, for the sliding minimum over those in reach of a target.

    Attributes:
        value: of each cell its loss so far, plus the least that the bound and α ln s − β s come to in it.
        queue: room for the candidates of the minimum.
    """

    value: Floats
    queue: Ints


@kernel
def fill_sources(terms: Terms, k: int, here: Layer, loss: Floats, value: Floats) -> None:
    """Fill in the `value` of `Sources`."""
    alpha, beta = terms.rate_value[k], terms.level_price[k]
    for j in range(here.level.size - 1):  # a concave function of the level is smallest at a cell's ends
        value[j] = math.inf
        if loss[j] < math.inf:
            lower = here.value[j] + alpha * here.node_index[j] * here.step - beta * here.level[j]
            upper = here.value[j + 1] + alpha * here.node_index[j + 1] * here.step - beta * here.level[j + 1]
            value[j] = loss[j] + min(lower, upper)


@kernel
def offloading_losses(
    terms: Terms, k: int, here: Layer, after: Layer, sources: Sources, peak: Floats, loss: Floats
) -> None:
    """Fill `loss` of the cells after device k: the least with which a step of its own leads there.

    A step from s to s' loses R(s) − R(s'), by which the bound falls, less α ln(s'/s) − β (s' − s) − c, which it adds.
    That is a part in s, the source's value, less one in s', which is `peak` at most. The cells from which a target is
    in reach are a window whose two ends move up with it; its minimum slides along.
    """
    terms, here, after = without_refcount((terms, here, after))
    source, queue = sources
    head = tail = entered = 0  # the window's candidates are queue[head:tail]
    for j in range(after.level.size - 1):
        loss[j] = math.inf
        while entered < here.level.size - 1 and here.node_index[entered] <= after.node_index[j]:
            while tail > head and source[queue[tail - 1]] >= source[entered]:
                tail -= 1
            queue[tail] = entered
            tail += 1
            entered += 1
        while head < tail and highest_level(terms, k, here.level[queue[head] + 1]) < after.level[j]:
            head += 1
        if head < tail and source[queue[head]] < math.inf:
            loss[j] = max(source[queue[head]] - peak[j] + terms.offload_cost[k], 0.0)


@kernel
def staying_losses(local_value: float, here: Layer, after: Layer, loss_before: Floats, loss: Floats) -> None:
    """Lower `loss` of the cells after a device to what local computing loses."""
    same = 0
    for j in range(after.level.size - 1):
        while same < here.level.size - 1 and here.node_index[same] < after.node_index[j]:
            same += 1
        if same < here.level.size - 1 and here.node_index[same] == after.node_index[j]:
            lower = here.value[same] - after.value[j] - local_value
            upper = here.value[same + 1] - after.value[j + 1] - local_value
            loss[j] = min(loss[j], loss_before[same] + max(min(lower, upper), 0.0))


@kernel
def living_cells(terms: Terms, lattice: Lattice, bound: Bound, gap: float) -> Bools:
    """Whether the cell that starts at each node may hold the optimum.

    `gap` is the bound R_0(1) minus the best objective found so far.
    """
    alive = np.zeros(lattice.level.size, np.bool_)
    widest = np.max(lattice.first[1:] - lattice.first[:-1])
    sources = Sources(np.empty(widest), np.empty(widest, np.int64))
    fill_alive(terms, lattice, bound, gap, sources, (np.full(widest, math.inf), np.empty(widest)), alive)
    return alive


@kernel
def fill_alive(
    terms: Terms,
    lattice: Lattice,
    bound: Bound,
    gap: float,
    sources: Sources,
    losses: tuple[Floats, Floats],
    alive: Bools,
) -> None:
    """Fill `alive`, layer by layer from the first one; `losses` is room for those before and after a device."""
    terms, lattice, bound = without_refcount((terms, lattice, bound))
    sources, losses, alive = without_refcount((sources, losses, alive))
    loss, next_loss = losses
    unused_loss = 0.0  # of having computed locally so far
    for k in range(terms.device.size):
        here, after = layer_of(lattice, bound.value, k), layer_of(lattice, bound.value, k + 1)
        middle = lattice.first[k + 1]
        peak = bound.peak[middle:]  # minus infinity where the device does not end by offloading
        fill_sources(terms, k, here, loss, sources.value)
        offloading_losses(terms, k, here, after, sources, peak, next_loss)
        staying_losses(terms.local_value[k], here, after, loss, next_loss)
        # the first to offload starts from level 1, which is no cell: ln 1 = 0, so its part in s is the bound less β
        from_unused = unused_loss + bound.unused[k] - terms.level_price[k] + terms.offload_cost[k]
        first_end = highest_level(terms, k, 1.0)
        for j in range(after.level.size - 1):
            if after.level[j] < first_end:
                next_loss[j] = min(next_loss[j], max(from_unused - peak[j], unused_loss))
            # what loses more than the gap cannot beat the decision that is known
            if next_loss[j] > gap or after.node_index[j + 1] != after.node_index[j] + 1:
                next_loss[j] = math.inf
            alive[middle + j] = next_loss[j] < math.inf
        unused_loss += max(bound.unused[k] - bound.unused[k + 1] - terms.local_value[k], 0.0)
        loss, next_loss = next_loss, loss
