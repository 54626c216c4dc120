"""The convex rounds by a primal-dual interior-point method of our own, compiled, in O(M) an iteration.

Four numbers of each device stay positive: its step q, the room σ − q and the slack r s − q that its limits leave,
and its level s. Each has a price, and at the optimum the products of number and price are 0, 0, 0 and α (the price of
a level is the derivative of α ln s). With the prices as unknowns of their own all other conditions are linear: only
the products are not, and Mehrotra's predictor and corrector apply as in linear programming, however many decades the
levels span.

A Newton step couples each level with its neighbours only. The tridiagonal system is solved from the last device to
the first and back, in the form of a linear regulator (state: the level, control: the step), in which positive terms
are only added: nothing cancels, however small a step is beside its level.

Source: S. Mehrotra, "On the implementation of a primal-dual interior point method", SIAM J. Optim. 2(4), 1992.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quedge.allocation.sca.problem import Round, RoundSolution, value_in_reach
from quedge.model.arrays import copy_into
from quedge.model.kernels import Floats, kernel

_STEP, _ROOM, _SLACK, _LEVEL = range(4)  # rows of all arrays of shape (4, offloaders)
_LIMITS = 3  # rows whose products go to zero
WORK_ARRAYS = 6

_MAX_ITERATIONS = 100  # usually 4 to 12
_GAP = 1e-9  # relative
_SMALLEST_GAP = 1e-13  # relative to what the levels in reach can bring
_TO_BOUNDARY = 0.995  # of the way to where a number or price vanishes
_AFRESH = 0.1  # how far inside the limits, and with which products, relative, an iteration starts
_FROM_LAST_ROUND = 1e-3  # the same where the prices of the last round are at hand


@kernel
def start_inside(problem: Round, number: Floats, price: Floats, inside: float) -> None:
    """Fills in numbers inside the limits, near the last round's, and raises prices to equal products."""
    level, worth = 1.0, 0.0
    for k in range(problem.start.size):
        highest = min(problem.step_limit[k], problem.growth[k] * level)
        lowest = inside * min(highest, level / problem.start.size)  # far above the optimum, rounding would stay
        step = min(max(problem.start[k], lowest), (1.0 - inside) * highest)
        number[_STEP, k] = step
        number[_ROOM, k] = problem.step_limit[k] - step
        number[_SLACK, k] = problem.growth[k] * level - step
        level += step
        number[_LEVEL, k] = level
        price[_LEVEL, k] = problem.rate_value[k] / level
        worth += (price[_LEVEL, k] + problem.step_price[k]) * step
    product = inside * worth / problem.start.size
    for row in range(_LIMITS):
        for k in range(problem.start.size):
            price[row, k] = max(price[row, k], product / number[row, k])


@kernel
def factorise(problem: Round, number: Floats, price: Floats, answer: Floats) -> None:
    """Fills `answer` with how step, slack and level answer to a change of the level before, and to a push."""
    curvature = 0.0  # of all that follows, in the level before it
    for k in range(problem.start.size - 1, -1, -1):
        growth = problem.growth[k]
        stiff = price[_STEP, k] / number[_STEP, k] + price[_ROOM, k] / number[_ROOM, k]
        tied = price[_SLACK, k] / number[_SLACK, k]
        ahead = curvature + price[_LEVEL, k] / number[_LEVEL, k]
        push = 1.0 / (stiff + tied + ahead)
        answer[_STEP, k] = (tied * growth - ahead) * push
        answer[_ROOM, k] = push
        answer[_SLACK, k] = (stiff * growth + ahead * (1.0 + growth)) * push
        answer[_LEVEL, k] = (stiff + tied * (1.0 + growth)) * push
        curvature = (stiff * (tied * growth * growth + ahead) + tied * ahead * (1.0 + growth) ** 2) * push


@kernel
def newton_direction(
    problem: Round, number: Floats, price: Floats, answer: Floats, target: Floats, to_number: Floats, to_price: Floats
) -> None:
    """Fills in the changes that bring the products of numbers and prices to `target`, to first order."""
    devices = problem.start.size
    for row in range(4):
        for k in range(devices):
            to_price[row, k] = target[row, k] / number[row, k]
    slope = 0.0  # of all that follows, in the level before it
    for k in range(devices - 1, -1, -1):
        on_step = problem.step_price[k] - to_price[_STEP, k] + to_price[_ROOM, k]
        on_slack = to_price[_SLACK, k]
        on_level = slope - to_price[_LEVEL, k]
        slope = on_level * answer[_LEVEL, k] - on_slack * answer[_SLACK, k] + on_step * answer[_STEP, k]
        to_number[_STEP, k] = -(on_step + on_slack + on_level) * answer[_ROOM, k]  # from an unchanged level
    before = 0.0
    for k in range(devices):
        own = to_number[_STEP, k]
        to_number[_STEP, k] = answer[_STEP, k] * before + own
        to_number[_ROOM, k] = -to_number[_STEP, k]
        to_number[_SLACK, k] = answer[_SLACK, k] * before - own
        before = answer[_LEVEL, k] * before + own
        to_number[_LEVEL, k] = before
    for row in range(4):
        for k in range(devices):
            to_price[row, k] -= price[row, k] * (1.0 + to_number[row, k] / number[row, k])


@kernel
def longest(value: Floats, change: Floats) -> float:
    """The largest share, at most 1, of a change that leaves every value clearly positive."""
    share = 1.0
    for row in range(4):
        for k in range(value.shape[1]):
            if change[row, k] * share < -_TO_BOUNDARY * value[row, k]:
                share = -_TO_BOUNDARY * value[row, k] / change[row, k]
    return share


@kernel
def total_product(number: Floats, price: Floats, to_number: Floats, to_price: Floats, far: float, dear: float) -> float:
    """Sum of the limits' products after the shares `far` and `dear` of a direction."""
    total = 0.0
    for row in range(_LIMITS):
        for k in range(number.shape[1]):
            total += (number[row, k] + far * to_number[row, k]) * (price[row, k] + dear * to_price[row, k])
    return total


@kernel
def aim(problem: Round, number: Floats, price: Floats, target: Floats, to_number: Floats, to_price: Floats) -> None:
    """Turns the predictor's direction into the corrector's target: centred, less the predictor's second-order error."""
    far, dear = longest(number, to_number), longest(price, to_price)
    now = total_product(number, price, to_number, to_price, 0.0, 0.0)
    then = total_product(number, price, to_number, to_price, far, dear)
    centred = (then / now) ** 3 * now / (_LIMITS * number.shape[1])
    for row in range(4):
        for k in range(number.shape[1]):
            error = far * dear * to_number[row, k] * to_price[row, k]
            if row == _LEVEL:
                target[row, k] = problem.rate_value[k] - min(error, 0.9 * problem.rate_value[k])
            else:
                target[row, k] = centred - error


@kernel
def accurate(problem: Round, number: Floats, price: Floats, finest: float) -> bool:
    """Whether the products miss their aims by too little to matter for the objective."""
    missed, size = 0.0, 0.0
    for k in range(problem.start.size):
        size += (price[_LEVEL, k] + problem.step_price[k]) * number[_STEP, k]
        missed += abs(problem.rate_value[k] - number[_LEVEL, k] * price[_LEVEL, k])
        for row in range(_LIMITS):
            missed += number[row, k] * price[row, k]
    return bool(missed <= _GAP * size + finest)


@kernel
def iterate(problem: Round, work: Floats, step: Floats, inside: float) -> bool:
    """Solve a round from a start that far inside the limits; see `maximise_round`."""
    number, price, answer = work[0], work[1], work[2]
    target, to_number, to_price = work[3], work[4], work[5]
    start_inside(problem, number, price, inside)
    finest = _SMALLEST_GAP * value_in_reach(problem.rate_value, problem.growth, problem.step_limit)
    unmet = 1.0  # share left of what the first prices violated of the linear conditions
    for _ in range(_MAX_ITERATIONS):
        if unmet <= _GAP and accurate(problem, number, price, finest):
            copy_into(step, number[_STEP])
            return True
        target[:_LIMITS] = 0.0
        copy_into(target[_LEVEL], problem.rate_value)
        factorise(problem, number, price, answer)
        newton_direction(problem, number, price, answer, target, to_number, to_price)
        aim(problem, number, price, target, to_number, to_price)
        newton_direction(problem, number, price, answer, target, to_number, to_price)
        far, dear = longest(number, to_number), longest(price, to_price)
        for row in range(4):
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
        work: room to work in, shape (WORK_ARRAYS, 4, offloaders); keeps the prices for the next round.
        step: filled with the best steps, if they are found.
        again: whether `work` holds the prices of the last round of the same decision.

    Returns:
        Whether the steps are the best, to a relative 1e-9 of what they gain and pay together, or to rounding.
    """
    if again and iterate(problem, work, step, _FROM_LAST_ROUND):
        return True
    work[1] = 0.0
    return iterate(problem, work, step, _AFRESH)


@dataclass(frozen=True)
class BarrierNewton:
    """A primal-dual interior-point method for the chain: Newton steps that keep clear of the limits.

    The limits are held off as a logarithmic barrier would hold them, by products of slacks and prices that are driven
    to zero. Each iteration is O(M). With this solver `NomaSca` runs all rounds compiled.
    """

    def prepared(self, devices: int) -> Callable[[Round], RoundSolution]:
        """A function that solves the rounds of one decision; see `RoundSolver.prepared`."""
        del devices  # a round tells
        work = np.empty((WORK_ARRAYS, 4, 0))

        def solve(problem: Round) -> RoundSolution:
            nonlocal work
            again = work.shape[2] == problem.start.size
            if not again:
                work = np.empty((WORK_ARRAYS, 4, problem.start.size))
            step = np.empty(problem.start.size)
            began = time.perf_counter_ns()
            solved = maximise_round(problem, work, step, again)
            return RoundSolution(step if solved else None, (time.perf_counter_ns() - began) * 1e-3)

        return solve
