"""The search for the exact optimum where offloading is partial."""

from __future__ import annotations

import math

import numpy as np

from quedge.model.arrays import copy_into
from quedge.model.kernels import Bools, Floats, kernel, without_refcount
from quedge.model.terms import Terms, chain_objective
from quedge.policy.exact.lattice import lattice_in_reach, refined_lattice
from quedge.policy.exact.partial.bent import can_bend
from quedge.policy.exact.partial.bound import bound_split
from quedge.policy.exact.partial.path import follow_split, polish_split
from quedge.policy.exact.prune import living_cells
from quedge.policy.exact.span import (
    EPSILON,
    MAX_NODES,
    ROUNDING,
    SMALLEST_STEP,
    WIDEST_STEP,
    highest_useful_levels,
    rounding_of_sums,
    steepest_values,
)

_CELLS, _UNBENT_CELLS = 24, 56  # of the first lattice, measured: cells are dear where devices bend, cheap elsewhere
_FACTOR = 4  # new cells per living one
_POLISHED = 0.01  # of the tolerance: polishing ends where it gains no more


@kernel
def solve_split(terms: Terms, tolerance: float) -> tuple[Bools, Floats, float, float]:
    """As `solve_chain`, where offloading is partial."""
    terms = without_refcount(terms)
    devices = terms.device.size
    offload, level = np.zeros(devices, np.bool_), np.ones(devices)
    best_offload, best_level = offload.copy(), level.copy()
    best = chain_objective(terms, offload, level)
    useful = highest_useful_levels(terms)
    highest = useful[-1]
    if highest <= 1.0:
        return best_offload, best_level, best, best * (1.0 + ROUNDING)
    steepest = steepest_values(terms)
    rounding = rounding_of_sums(steepest, highest)
    if highest <= 1.0 + 4.0 * EPSILON:
        return best_offload, best_level, best, best * (1.0 + ROUNDING) + rounding
    bent = np.empty(devices, np.bool_)
    for k in range(devices):
        bent[k] = can_bend(terms, k)
    lattice = lattice_in_reach(useful, _CELLS if bent.any() else _UNBENT_CELLS, WIDEST_STEP)
    lowest_bound, rounds = math.inf, 0
    while True:
        bound = bound_split(terms, lattice, steepest, bent)
        follow_split(terms, lattice, bound, offload, level)
        lowest_bound = min(lowest_bound, bound.unused[0])
        objective = chain_objective(terms, offload, level)
        rounds += 1
        if rounds > 1 and lowest_bound * (1.0 + ROUNDING) + rounding - objective > tolerance * objective:
            polish_split(terms, offload, level, _POLISHED * tolerance * best)
            objective = chain_objective(terms, offload, level)
        if objective > best:
            best = objective
            copy_into(best_offload, offload)
            copy_into(best_level, level)
        upper = max(lowest_bound, best) * (1.0 + ROUNDING) + rounding
        if upper - best <= tolerance * best or lattice.step <= SMALLEST_STEP:
            break
        alive = living_cells(terms, lattice, bound, bound.unused[0] * (1.0 + ROUNDING) + rounding - best)
        living = alive.sum()
        if living == 0:
            upper = best * (1.0 + ROUNDING) + rounding
            break
        if living * _FACTOR > MAX_NODES * devices:
            break
        lattice = refined_lattice(lattice, alive, _FACTOR)
    return best_offload, best_level, best, upper
