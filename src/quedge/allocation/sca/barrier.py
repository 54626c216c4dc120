"""The convex rounds by a primal-dual interior-point method of our own, compiled, in O(M) an iteration.

Four numbers of each device stay positive: its step q, the room σ − q and the slack r s − q that its limits leave,
and its level s. Each has a price, and at the optimum the products of number and price are 0, 0, 0 and α (the price of
a level is the derivative of α ln s). With the prices as unknowns of their own all other conditions are linear: only
the products are not, and Mehrotra's predictor and corrector apply as in linear programming, however many decades the
levels span.

A Newton step couples each level with its neighbours only. The tridiagonal system is solved from the last device to
the first and back, in the form of a linear regulator (state: the level, control: the step), in which positive terms
are only added: nothing cancels, however small a step is beside its level.

Where offloading is partial, two more numbers stand on both sides of each bend (`bends.py`).

Source: S. Mehrotra, "On the implementation of a primal-dual interior point method", SIAM J. Optim. 2(4), 1992.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quedge.allocation.sca.bends import (
    ANSWER,
    BEFORE,
    BEND,
    CURVATURE,
    LEVEL,
    NUMBER,
    PRICE,
    ROOM,
    SLACK,
    SPARE,
    STEP,
    TAKEN,
    TARGET,
    TO_NUMBER,
    TO_PRICE,
    bends,
    follow_bend,
    measure_bends,
    missed_at_bend,
    price_of_bend,
    start_bends,
    within_trust,
)
from quedge.allocation.sca.problem import Round, RoundSolution, value_in_reach
from quedge.model.arrays import copy_into
from quedge.model.kernels import Floats, kernel, without_refcount

_MAX_ITERATIONS = 100  # usually 4 to 12
_GAP = 1e-9  # relative
_SMALLEST_GAP = 1e-13  # relative to what the levels in reach can bring
_TO_BOUNDARY = 0.995  # of the way to where a number or price vanishes
_AFRESH = 0.1  # how far inside the limits, and with which products, relative, an iteration starts
_FROM_LAST_ROUND = 1e-3  # the same where the prices of the last round are at hand


@kernel
def start_inside(problem: Round, number: Floats, price: Floats, bend: Floats, inside: float) -> None:
    """Fills in numbers inside the limits, near the last round's, and raises prices to equal products."""
    level, worth = 1.0, 0.0
    for k in range(problem.start.size):
        highest = min(problem.step_limit[k], problem.growth[k] * level)
        lowest = inside * min(highest, level / problem.start.size)  # far above the optimum, rounding would stay
        step = min(max(problem.start[k], lowest), (1.0 - inside) * highest)
        number[STEP, k] = step
        number[ROOM, k] = problem.step_limit[k] - step
        number[SLACK, k] = problem.growth[k] * level - step
        level += step
        number[LEVEL, k] = level
        price[LEVEL, k] = problem.rate_value[k] / level
        worth += (price[LEVEL, k] + problem.step_price[k]) * step
    product = inside * worth / problem.start.size
    for row in range(LEVEL):
        for k in range(problem.start.size):
            price[row, k] = max(price[row, k], product / number[row, k])
    if problem.split.shape[0] > 0:
        start_bends(problem, number, price, bend, inside, product)


@kernel
def factorise(problem: Round, number: Floats, price: Floats, bend: Floats, answer: Floats) -> None:
    """Fills `answer` with how step, slack and level answer to a change of the level before, and to a push."""
    curvature = 0.0  # of all that follows, in the level before it
    for k in range(problem.start.size - 1, -1, -1):
        growth = problem.growth[k]
        stiff = price[STEP, k] / number[STEP, k] + price[ROOM, k] / number[ROOM, k]
        tied = price[SLACK, k] / number[SLACK, k]
        ahead = curvature + price[LEVEL, k] / number[LEVEL, k]
        answer[STEP, k] = tied * growth - ahead
        answer[SLACK, k] = stiff * growth + ahead * (1.0 + growth)
        answer[LEVEL, k] = stiff + tied * (1.0 + growth)
        weight = stiff + tied + ahead
        curvature = stiff * (tied * growth * growth + ahead) + tied * ahead * (1.0 + growth) ** 2
        if bends(problem, k):
            bent, on, off = bend[CURVATURE, k], 1.0 / number[LEVEL, k], bend[BEFORE, k]
            lean, reach = on - off, on * (1.0 + growth) - off
            answer[STEP, k] -= bent * on * lean
            answer[SLACK, k] += bent * on * reach
            answer[LEVEL, k] += bent * on * off
            weight += bent * on * on
            curvature += bent * (stiff * lean * lean + tied * reach * reach + ahead * off * off)
        push = 1.0 / weight
        answer[ROOM, k] = push
        answer[STEP, k] *= push
        answer[SLACK, k] *= push
        answer[LEVEL, k] *= push
        curvature *= push


@kernel
def newton_direction(problem: Round, work: Floats) -> None:
    """Fills in the changes that bring the products of numbers and prices to their target, to first order."""
    devices, rows = problem.start.size, work.shape[1]
    number, price, bend, answer = work[NUMBER], work[PRICE], work[BEND], work[ANSWER]
    target, to_number, to_price = work[TARGET], work[TO_NUMBER], work[TO_PRICE]
    for row in range(rows):
        for k in range(devices):
            to_price[row, k] = target[row, k] / number[row, k]
    slope = 0.0  # of all that follows, in the level before it
    for k in range(devices - 1, -1, -1):
        taken = 0.0
        if bends(problem, k):
            taken = price_of_bend(problem, k, work)
            to_price[LEVEL, k] -= taken / number[LEVEL, k]
        on_step = problem.step_price[k] - to_price[STEP, k] + to_price[ROOM, k]
        on_slack = to_price[SLACK, k]
        on_level = slope - to_price[LEVEL, k]
        slope = on_level * answer[LEVEL, k] - on_slack * answer[SLACK, k] + on_step * answer[STEP, k]
        if bends(problem, k):
            slope -= taken * bend[BEFORE, k]
        to_number[STEP, k] = -(on_step + on_slack + on_level) * answer[ROOM, k]  # from an unchanged level
    before = 0.0
    for k in range(devices):
        own = to_number[STEP, k]
        to_number[STEP, k] = answer[STEP, k] * before + own
        to_number[ROOM, k] = -to_number[STEP, k]
        to_number[SLACK, k] = answer[SLACK, k] * before - own
        after = answer[LEVEL, k] * before + own
        to_number[LEVEL, k] = after
        if bends(problem, k):
            grown = after / number[LEVEL, k] - before * bend[BEFORE, k]
            follow_bend(problem, k, work, grown)
        elif rows > TAKEN:
            to_number[TAKEN, k] = to_number[SPARE, k] = 0.0
        before = after
    for row in range(TAKEN):
        for k in range(devices):
            to_price[row, k] -= price[row, k] * (1.0 + to_number[row, k] / number[row, k])


@kernel
def longest(value: Floats, change: Floats) -> float:
    """The largest share, at most 1, of a change that leaves every value clearly positive."""
    share = 1.0
    for row in range(value.shape[0]):
        for k in range(value.shape[1]):
            if change[row, k] * share < -_TO_BOUNDARY * value[row, k]:
                share = -_TO_BOUNDARY * value[row, k] / change[row, k]
    return share


@kernel
def total_product(number: Floats, price: Floats, to_number: Floats, to_price: Floats, far: float, dear: float) -> float:
    """Sum of the limits' products after the shares `far` and `dear` of a direction."""
    total = 0.0
    for row in range(number.shape[0]):
        if row == LEVEL:
            continue
        for k in range(number.shape[1]):
            total += (number[row, k] + far * to_number[row, k]) * (price[row, k] + dear * to_price[row, k])
    return total


@kernel
def aim(problem: Round, number: Floats, price: Floats, target: Floats, to_number: Floats, to_price: Floats) -> None:
    """Turns the predictor's direction into the corrector's target: centred, less the predictor's second-order error."""
    far, dear = longest(number, to_number), longest(price, to_price)
    now = total_product(number, price, to_number, to_price, 0.0, 0.0)
    then = total_product(number, price, to_number, to_price, far, dear)
    centred = (then / now) ** 3 * now / (LEVEL * number.shape[1])
    for row in range(number.shape[0]):
        for k in range(number.shape[1]):
            error = far * dear * to_number[row, k] * to_price[row, k]
            if row == LEVEL:
                target[row, k] = problem.rate_value[k] - min(error, 0.9 * problem.rate_value[k])
            elif row < LEVEL or bends(problem, k):
                target[row, k] = centred - error


@kernel
def accurate(problem: Round, number: Floats, price: Floats, bend: Floats, finest: float) -> bool:
    """Whether the products miss their aims by too little to matter for the objective."""
    missed, size = 0.0, 0.0
    for k in range(problem.start.size):
        if bends(problem, k):
            missed += missed_at_bend(problem, k, number, price, bend)
            gain = problem.rate_value[k] / number[LEVEL, k]
        else:
            missed += abs(problem.rate_value[k] - number[LEVEL, k] * price[LEVEL, k])
            gain = price[LEVEL, k]
        size += (gain + problem.step_price[k]) * number[STEP, k]
        for row in range(number.shape[0]):
            if row != LEVEL:
                missed += number[row, k] * price[row, k]
    return bool(missed <= _GAP * size + finest)


@kernel
def iterate(problem: Round, work: Floats, step: Floats, inside: float) -> bool:
    """Solve a round from a start that far inside the limits; see `maximise_round`."""
    problem, work = without_refcount((problem, work))
    number, price, bend, answer = work[NUMBER], work[PRICE], work[BEND], work[ANSWER]
    target, to_number, to_price = work[TARGET], work[TO_NUMBER], work[TO_PRICE]
    start_inside(problem, number, price, bend, inside)
    finest = _SMALLEST_GAP * value_in_reach(problem.rate_value, problem.growth, problem.step_limit)
    partly = problem.split.shape[0] > 0
    unmet = 1.0  # share left of what the first prices violated of the linear conditions
    for _ in range(_MAX_ITERATIONS):
        if partly:
            measure_bends(problem, number, price, bend)
        if unmet <= _GAP and accurate(problem, number, price, bend, finest):
            copy_into(step, number[STEP])
            return True
        target[:] = 0.0
        copy_into(target[LEVEL], problem.rate_value)
        factorise(problem, number, price, bend, answer)
        newton_direction(problem, work)
        aim(problem, number, price, target, to_number, to_price)
        newton_direction(problem, work)
        far, dear = longest(number, to_number), longest(price, to_price)
        if partly:
            far = dear = within_trust(problem, number, to_number, min(far, dear))
        for row in range(number.shape[0]):
            for k in range(step.size):
                number[row, k] += far * to_number[row, k]
                price[row, k] += dear * to_price[row, k]
        unmet *= 1.0 - dear
    return False


@kernel
def maximise_round(problem: Round, work: Floats, step: Floats, again: bool) -> bool:
    """Solve a round.

    Args:
        problem: the round, with at least one device.
        work: room to work in, as `room_for` makes it; keeps the prices for the next round.
        step: filled with the best steps, if they are found.
        again: whether `work` holds the prices of the last round of the same decision.

    Returns:
        Whether the steps are the best, to a relative 1e-9 of what they gain and pay together, or to rounding.
    """
    if again and iterate(problem, work, step, _FROM_LAST_ROUND):
        return True
    work[PRICE] = 0.0
    return iterate(problem, work, step, _AFRESH)


@kernel
def room_for(split: Floats, offloaders: int) -> Floats:
    """Room to work in for `maximise_round`."""
    return np.empty((BEND + 1, 4 if split.shape[0] == 0 else 6, offloaders))


@dataclass(frozen=True)
class BarrierNewton:
    """A primal-dual interior-point method for the chain: Newton steps that keep clear of the limits.

    The limits are held off as a logarithmic barrier would hold them, by products of slacks and prices that are driven
    to zero. Each iteration is O(M). With this solver `NomaSca` runs all rounds compiled.
    """

    def prepared(self, devices: int) -> Callable[[Round], RoundSolution]:
        """A function that solves the rounds of one decision; see `RoundSolver.prepared`."""
        del devices  # a round tells
        work = np.empty((0, 0, 0))

        def solve(problem: Round) -> RoundSolution:
            nonlocal work
            again = work.shape[2] == problem.start.size
            if not again:
                work = room_for(problem.split, problem.start.size)
            step = np.empty(problem.start.size)
            began = time.perf_counter_ns()
            solved = maximise_round(problem, work, step, again)
            return RoundSolution(step if solved else None, (time.perf_counter_ns() - began) * 1e-3)

        return solve
