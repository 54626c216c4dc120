"""What partial offloading adds to a round: growth beyond a device's bend is taken from its own CPU, at a price.

A bending device's growth u° is split where its bend u0 is: z of it are taken from the CPU, e are left to the bend, both
positive, with z − e = u° − u0, and prices ζ and ε. At the optimum both products vanish and ε + ζ = D'(z), so that ε is
what a unit of growth takes from the CPU: 0 before the bend, D' beyond it, and between its two slopes at it. A unit is
worth α − ε then, which is the product of the level and its price.

u° is the one equation of a round that is not linear. Newton's method meets it to first order, from a start off it.
Eliminated, z and e leave a change of ε by c δ, c not negative, with δ the change of u°: a term more in the regulator.
"""

from __future__ import annotations

import math

from quedge.allocation.sca.problem import Round
from quedge.model.kernels import Floats, inner_kernel, kernel
from quedge.model.split import BEND as START
from quedge.model.split import CUBE, LINEAR, SQUARE

NUMBER, PRICE, ANSWER, TARGET, TO_NUMBER, TO_PRICE, BEND = range(7)
"""The arrays of a solver's work: numbers, prices, how numbers answer to the level before, the products aimed at, the
changes of numbers and prices, and what is known of the bends."""
STEP, ROOM, SLACK, LEVEL, TAKEN, SPARE = range(6)
"""Rows of all arrays of shape (4, offloaders), or (6, offloaders) where offloading is partial."""
BEFORE, CURVATURE, MISSED, UNMOVED = range(4)
"""Rows of what is known of the bends: 1 / s°, of the level before at the last point; c; by how much u° is missed; and ε
after a Newton step that leaves the levels as they are."""

_FALL, _RISE = 0.5, 1.0  # of a level after a bend, relative, in one Newton step
_DEAREST = 0.5  # of α: the prices that a start gives to both sides of a bend
_SMALLEST_WORTH = 0.1  # of a growth, at the start, relative to α: its level's price is positive


@inner_kernel
def bends(problem: Round, k: int) -> bool:
    """Whether device k's steps may lead beyond its bend."""
    return bool(problem.split.shape[0] > 0 and problem.split[k, START] < math.inf)


@inner_kernel
def loss_steepness(problem: Round, k: int, taken: float) -> tuple[float, float]:
    """D'(z) and D''(z), the latter never negative: between two rounds' points z may exceed what the CPU has."""
    linear, square, cube = problem.split[k, LINEAR], problem.split[k, SQUARE], problem.split[k, CUBE]
    bent = 2.0 * square - 6.0 * taken * cube
    if bent <= 0.0:
        return float(linear + (square * square / (3.0 * cube) if cube > 0.0 else 0.0)), 0.0
    return float(linear + taken * (2.0 * square - 3.0 * taken * cube)), float(bent)


@inner_kernel
def beyond_bend(problem: Round, k: int, per_level: float, shift: float, step: float) -> float:
    """u° − u0, with the level before moved by `shift` since the last point, where it was 1 / `per_level`."""
    moved = shift * per_level
    return float(math.log1p(moved + step * per_level) - moved - problem.split[k, START])


@kernel
def start_bends(problem: Round, number: Floats, price: Floats, bend: Floats, inside: float, product: float) -> None:
    """Fill in the numbers of the bends, on u° and positive, and prices up to that product at least."""
    level, shift = 1.0, 0.0
    for k in range(problem.start.size):
        number[TAKEN, k] = number[SPARE, k] = 1.0
        if bends(problem, k):
            bend[BEFORE, k] = 1.0 / level
            beyond = beyond_bend(problem, k, bend[BEFORE, k], shift, number[STEP, k])
            margin = max(inside * math.log1p(problem.growth[k]), product / (_DEAREST * problem.rate_value[k]))
            number[TAKEN, k], number[SPARE, k] = max(beyond, 0.0) + margin, max(-beyond, 0.0) + margin
            price[TAKEN, k] = max(price[TAKEN, k], product / number[TAKEN, k])
            price[SPARE, k] = max(price[SPARE, k], product / number[SPARE, k])
            worth = max(problem.rate_value[k] - price[SPARE, k], _SMALLEST_WORTH * problem.rate_value[k])
            price[LEVEL, k] = worth / number[LEVEL, k]
        level += problem.start[k]
        shift += number[STEP, k] - problem.start[k]


@kernel
def measure_bends(problem: Round, number: Floats, price: Floats, bend: Floats) -> None:
    """Fill in how ε answers to a change of each growth, c, and by how much the numbers miss u°."""
    shift = 0.0
    for k in range(problem.start.size):
        if bends(problem, k):
            beyond = beyond_bend(problem, k, bend[BEFORE, k], shift, number[STEP, k])
            bend[MISSED, k] = beyond - number[TAKEN, k] + number[SPARE, k]
            tied = price[SPARE, k] / number[SPARE, k]
            free = price[TAKEN, k] / number[TAKEN, k] + loss_steepness(problem, k, number[TAKEN, k])[1]
            bend[CURVATURE, k] = tied * free / (tied + free)
        shift += number[STEP, k] - problem.start[k]


@inner_kernel
def missed_at_bend(problem: Round, k: int, number: Floats, price: Floats, bend: Floats) -> float:
    """By how much a bend's equations are missed, as what that is worth."""
    steep = loss_steepness(problem, k, number[TAKEN, k])[0] - price[SPARE, k] - price[TAKEN, k]
    worth = problem.rate_value[k] - price[SPARE, k] - number[LEVEL, k] * price[LEVEL, k]
    growth = problem.split[k, START] + number[TAKEN, k]
    return float(problem.rate_value[k] * abs(bend[MISSED, k]) + abs(steep) * number[TAKEN, k] + abs(worth) * growth)


@inner_kernel
def price_of_bend(problem: Round, k: int, work: Floats) -> float:
    """ε after a Newton step that leaves the levels as they are, from targets over numbers; kept for `follow_bend`."""
    tied = work[PRICE, SPARE, k] / work[NUMBER, SPARE, k]
    slope, bent = loss_steepness(problem, k, work[NUMBER, TAKEN, k])
    free = work[PRICE, TAKEN, k] / work[NUMBER, TAKEN, k] + bent
    mixed = free * work[TO_PRICE, SPARE, k] + tied * (slope - work[TO_PRICE, TAKEN, k])
    unmoved = mixed / (tied + free) + work[BEND, CURVATURE, k] * work[BEND, MISSED, k]
    work[BEND, UNMOVED, k] = unmoved
    return float(unmoved)


@inner_kernel
def follow_bend(problem: Round, k: int, work: Floats, grown: float) -> None:
    """Fill in the changes of a bend's numbers and prices, and correct the level's price, where u° changes by `grown`.

    Written so that nothing cancels where z or e vanishes.
    """
    price, to_number, to_price = work[PRICE], work[TO_NUMBER], work[TO_PRICE]
    tied = price[SPARE, k] / work[NUMBER, SPARE, k]
    slope, bent = loss_steepness(problem, k, work[NUMBER, TAKEN, k])
    lean = price[TAKEN, k] / work[NUMBER, TAKEN, k]
    missed = grown + work[BEND, MISSED, k]
    pull = to_price[SPARE, k] + to_price[TAKEN, k] - slope
    to_number[TAKEN, k] = (pull + tied * missed) / (tied + lean + bent)
    to_number[SPARE, k] = (pull - (lean + bent) * missed) / (tied + lean + bent)
    dearer = work[BEND, CURVATURE, k] * grown
    to_price[LEVEL, k] -= dearer / work[NUMBER, LEVEL, k]
    to_price[TAKEN, k] -= price[TAKEN, k] + lean * to_number[TAKEN, k]
    to_price[SPARE, k] = work[BEND, UNMOVED, k] - price[SPARE, k] + dearer


@kernel
def within_trust(problem: Round, number: Floats, to_number: Floats, share: float) -> float:
    """The share of a change, at most `share`, within which u° is met well enough by its tangent."""
    for k in range(problem.start.size):
        if bends(problem, k):
            change = to_number[LEVEL, k] / number[LEVEL, k]
            if change * share < -_FALL:
                share = -_FALL / change
            elif change * share > _RISE:
                share = _RISE / change
    return share
