"""The exact search: bound from above, follow the bound to a decision, drop cells, refine the rest, repeat."""

from __future__ import annotations

import math

import numpy as np

from quedge.model.cell import Cell
from quedge.model.compiled import Bools, Floats, kernel
from quedge.model.terms import Terms, chain_objective, frame_terms, highest_level
from quedge.model.uplink import powers_of_levels
from quedge.policy.exact.bound import bound_from_above
from quedge.policy.exact.lattice import full_lattice, refined_lattice
from quedge.policy.exact.path import follow_bound
from quedge.policy.exact.polish import polish
from quedge.policy.exact.prune import living_cells

_CELLS = 28  # of the first lattice; measured: fewer cost a second round more often, more cost more in the first
_WIDEST_STEP = 0.25  # of the first lattice, where levels span many decades
_FACTOR = 8  # new cells per living one in each refinement
_SMALLEST_STEP = 1e-13  # finer cells are below the resolution of a double
_MOST_NODES = 4096  # per device: bounds the time of a frame
_ROUNDING = 1e-12  # relative; rounding errors of the bound stay well below it
_EPSILON = float(np.finfo(np.float64).eps)


@kernel
def solve_chain(terms: Terms, tolerance: float) -> tuple[Bools, Floats, float, float]:
    """The best decision of a frame, binary choices and levels together, with a bound on all others.

    Args:
        terms: the frame's terms.
        tolerance: stop when the bound is within this relative distance of the decision's objective.

    Returns:
        offload and level after each device of the chain, the objective, and the upper bound.
    """
    devices = terms.rate_value.size
    offload, level = np.zeros(devices, np.bool_), np.ones(devices)
    best_offload, best_level = offload.copy(), level.copy()
    best = chain_objective(terms, offload, level)
    highest = 1.0
    cheapest = 0.0  # no device gains by a level above its α / β
    steepest = np.zeros(devices)
    for k in range(devices - 1, -1, -1):
        steepest[k] = max(terms.rate_value[k], steepest[k + 1] if k + 1 < devices else 0.0)
    for k in range(devices):
        highest = highest_level(terms, k, highest)
        cheapest = max(cheapest, terms.rate_value[k] / terms.level_price[k])
    highest = min(highest, cheapest)
    if not highest > 1.0 + 4.0 * _EPSILON:
        return best_offload, best_level, best, best
    reach = math.log(highest)
    rounding = 16.0 * _EPSILON * devices * steepest[0] * (1.0 + reach)  # of sums of α ln s − β s, with β s up to α
    lattice = full_lattice(devices, highest, _CELLS, _WIDEST_STEP)
    upper = math.inf
    while True:
        bound = bound_from_above(terms, lattice, steepest, reach)
        follow_bound(terms, lattice, bound, offload, level)
        polish(terms, offload, level)
        objective = chain_objective(terms, offload, level)
        if objective > best:
            best = objective
            best_offload[:] = offload
            best_level[:] = level
        gap = bound.idle[0] * (1.0 + _ROUNDING) + rounding - best
        upper = max(min(upper, best + gap), best)
        if upper - best <= tolerance * best or lattice.step <= _SMALLEST_STEP:
            break
        alive = living_cells(terms, lattice, bound, gap)
        if not alive.any():  # no path beats the decision
            upper = min(upper, best * (1.0 + _ROUNDING) + rounding)
            break
        if alive.sum() * _FACTOR > _MOST_NODES * devices:
            break
        lattice = refined_lattice(lattice, alive, _FACTOR)
    return best_offload, best_level, best, upper


@kernel
def solve_frame(
    cell: Cell, channel_gain: Floats, data_queue_mbit: Floats, energy_queue: Floats, tolerance: float
) -> tuple[Bools, Floats, Floats, Floats, Floats, float, float]:
    """A frame's best decision in the frame's own order of devices, with its objective and upper bound."""
    terms = frame_terms(cell, channel_gain, data_queue_mbit, energy_queue)
    offload, level, objective, upper = solve_chain(terms, tolerance)
    decided, transmit, frequency, rate, power = powers_of_levels(
        terms, cell, channel_gain, data_queue_mbit, offload, level
    )
    return decided, transmit, frequency, rate, power, objective, upper


@kernel
def solve_frames(
    cell: Cell,
    channel_gain: Floats,
    data_queue_mbit: Floats,
    energy_queue: Floats,
    tolerance: float,
    objective: Floats,
    upper_bound: Floats,
) -> None:
    """Objective and upper bound of many frames; arrays of shape (frames, devices), results of shape (frames,)."""
    for t in range(channel_gain.shape[0]):
        terms = frame_terms(cell, channel_gain[t], data_queue_mbit[t], energy_queue[t])
        _, _, objective[t], upper_bound[t] = solve_chain(terms, tolerance)
