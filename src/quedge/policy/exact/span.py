"""What every search for the optimum keeps to: how far levels reach, how steeply the bound falls, how fine cells get."""

from __future__ import annotations

import math

import numpy as np

from quedge.model.kernels import Floats, kernel
from quedge.model.terms import Terms, highest_level, stationary_level
from quedge.policy.exact.bound import own_gain

CELLS = 28
"""Cells of the first lattice; measured: fewer cost a second round more often, more cost more in the first."""
WIDEST_STEP = 0.25
"""The widest cell of the first lattice, in ln s, where levels span many decades."""
FACTOR = 8
"""New cells per living one in each refinement."""
SMALLEST_STEP = 1e-13
"""Finer cells are below the resolution of a double."""
MAX_NODES = 4096
"""Nodes per device: bounds the time of a frame."""
ROUNDING = 1e-12
"""Relative; rounding errors of the bound stay well below it."""
EPSILON = float(np.finfo(np.float64).eps)


@kernel
def highest_useful_level(terms: Terms) -> float:
    """The highest level that the devices can reach together and that is worth its price to any of them."""
    reachable, worth = 1.0, 1.0
    for k in range(terms.device.size):
        reachable = highest_level(terms, k, reachable)
        worth = max(worth, stationary_level(terms, k))
    return min(reachable, worth)


@kernel
def highest_useful_levels(terms: Terms) -> Floats:
    """The highest level after each device that the optimum can have, shape (devices,).

    A device that gains nothing from level 1 gains nothing from any other, and nobody goes beyond where his own part
    stops rising: the later ones are worth no more the higher they start.
    """
    reach = np.empty(terms.device.size)
    highest = 1.0
    for k in range(reach.size):
        if own_gain(terms, k, 1.0) > terms.local_value[k]:
            highest = max(highest, min(highest_level(terms, k, highest), stationary_level(terms, k)))
        reach[k] = highest
    return reach


@kernel
def steepest_values(terms: Terms) -> Floats:
    """The largest α of the devices from each one of the chain on."""
    steepest = terms.rate_value.copy()
    for k in range(steepest.size - 2, -1, -1):
        steepest[k] = max(steepest[k], steepest[k + 1])
    return steepest


@kernel
def rounding_of_sums(steepest: Floats, highest: float) -> float:
    """What rounding may take from a sum of α ln s − β s over all devices, with β s up to α, at levels up to `highest`.

    `steepest` as `steepest_values` gives it.
    """
    return float(16.0 * EPSILON * steepest.size * steepest[0] * (1.0 + math.log(highest)))
