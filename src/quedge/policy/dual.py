"""The Lagrangian dual of a frame: every device decides for itself, at prices on the interference that it makes.

In the chain of `model/terms.py` a device offloads from the level before it to the level after it, and what couples the
devices is that each begins where the last one ended. Let each choose both levels for itself, before_k and after_k, and
relax before_{k+1} ≥ after_k with a price λ_k ≥ 0 on the logarithm of the level:

    D(λ) = Σ_k max ( objective of k's own part + λ_{k−1} ln before_k − λ_k ln after_k )

with the limits of eqs. (29), (30) kept, before_1 = 1 and no price after the last. No decision of the frame has a higher
objective than D(λ), whatever the prices: it meets all that is kept, and the price terms add up to zero. D is convex;
closed forms, at most five a device, give it with a subgradient, ln before_{k+1} − ln after_k. Where offloading is
partial, an offloader's uplink is taken to take nothing from its CPU, which bounds what it adds. Its minimum is the
optimum of the relaxed frame in which each device may mix its modes and levels.

Source: Lagrangian decomposition (Guignard, Kim, Mathematical Programming 39, 1987); the subgradient method (Held,
Wolfe, Crowder, Mathematical Programming 6, 1974; Fisher, Management Science 27(1), 1981).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.allocation.greedy import greedy_levels
from quedge.model.arrays import copy_into
from quedge.model.kernels import Bools, Floats, kernel, without_refcount
from quedge.model.terms import Terms, step_objective, with_slack
from quedge.policy.exact.span import highest_useful_level

_PATIENCE = 4  # rounds without a lower bound before steps are halved
_EPSILON = float(np.finfo(np.float64).eps)


class Part(NamedTuple):
    """What a device does for itself.

    Attributes:
        value: its part of the dual function.
        offload: whether it offloads.
        before: the level that it begins from.
        after: the level that it lifts this to.
    """

    value: float
    offload: bool
    before: float
    after: float


class Dual(NamedTuple):
    """What the subgradient method found.

    Attributes:
        bound: the lowest D(λ): no decision of the frame has a higher objective.
        offload: of all decisions that devices took in a round, allocated greedily, the best; in the chain's order.
        share: share of the rounds in which each device offloaded, shape (devices,).
    """

    bound: float
    offload: Bools
    share: Floats


@kernel
def _offloading(terms: Terms, k: int, before: float, after: float, reward: float, price: float) -> Part:
    """Device k offloads between two levels, of which it is paid the first and pays the second."""
    objective = step_objective(terms, k, before, after)
    return Part(objective + reward * math.log(before) - price * math.log(after), True, before, after)


@kernel
def _better(one: Part, other: Part) -> Part:
    return other if other.value > one.value else one


@kernel
def best_part(terms: Terms, k: int, reward: float, price: float, highest: float) -> Part:
    """What is best for device k alone.

    For a given level after it, its part is convex in the logarithm of the level before, so that an end is best: the
    same level, which is never better than local computing, or the lowest from which its limits let it get there, 1,
    after / ρ or after − σ. Along each of these three the best point is stationary or an end. To lift the level by less
    than its overhead is never better than to leave it.

    Args:
        terms: the frame's terms.
        k: place in the chain.
        reward: λ_{k−1}; 0 for the first, which begins from level 1.
        price: λ_k; 0 for the last.
        highest: the highest level that can be of use.
    """
    alpha, beta = terms.rate_value[k], terms.level_price[k]
    growth, step = terms.growth_limit[k], terms.step_limit[k]
    idle = highest if reward > price and k > 0 else 1.0
    best = Part(terms.local_value[k] + (reward - price) * math.log(idle), False, idle, idle)
    top = min(growth, 1.0 + step, highest)
    if top > 1.0 and alpha > price:  # from level 1
        after = top if beta * top <= alpha - price else max((alpha - price) / beta, 1.0)
        best = _better(best, _offloading(terms, k, 1.0, after, reward, price))
    if k == 0 or top <= 1.0 or reward <= price:  # from above 1 it is the more worth the higher it begins
        return best
    corner = step / (growth - 1.0)  # below, the queue binds, and above, the transmit power
    end = min(corner, highest / growth)
    if end > 1.0:  # as much growth as the queue allows
        cost = beta * (growth - 1.0)
        before = end if cost * end <= reward - price else max((reward - price) / cost, 1.0)
        best = _better(best, _offloading(terms, k, before, before * growth, reward, price))
    start = max(corner, 1.0)
    end = highest - step + 4.0 * _EPSILON * highest  # rounded up: what is allowed too much keeps the bound valid
    if end > start:  # at full transmit power
        best = _better(best, _offloading(terms, k, end, end + step, reward, price))
        before = min(max(step * (alpha - reward) / (reward - price), start), end)
        best = _better(best, _offloading(terms, k, before, before + step, reward, price))
    return best


@kernel
def solve_dual(terms: Terms, rounds: int) -> Dual:
    """Lower D(λ) by the subgradient method, from λ = 0.

    Steps are Polyak's towards the best decision so far, D(λ) − best over the subgradient's square, and shorter the
    longer D(λ) does not fall. It ends early where the bound is met.

    Args:
        terms: the frame's terms.
        rounds: most rounds, at least 1.
    """
    terms = without_refcount(terms)
    relaxed = with_slack(terms)
    n = terms.device.size
    offload, level = np.zeros(n, np.bool_), np.empty(n)
    best_offload, share = offload.copy(), np.zeros(n)
    best, bound = greedy_levels(terms, offload, level), math.inf
    highest = highest_useful_level(terms)
    price, slack = np.zeros(n + 1), np.zeros(n + 1)  # of the level before k; none of the first and after the last
    after, length, waited, done = 1.0, 1.0, 0, 0
    largest = terms.rate_value.max()
    while done < rounds:
        total = 0.0
        for k in range(n):
            part = best_part(relaxed, k, price[k], price[k + 1], highest)
            total += part.value
            offload[k] = part.offload
            if k > 0:
                slack[k] = math.log(part.before) - math.log(after)
            after = part.after
        done += 1
        share += offload
        objective = greedy_levels(terms, offload, level)
        if objective > best:
            best = objective
            copy_into(best_offload, offload)
        rounding = 16.0 * _EPSILON * n * (largest + price.max()) * (1.0 + math.log(highest)) + 1e-12 * abs(total)
        waited = 0 if total + rounding < bound else waited + 1
        bound = min(bound, total + rounding)
        if waited > _PATIENCE:
            length, waited = 0.5 * length, 0
        square = 0.0
        for k in range(1, n):
            if price[k] == 0.0 and slack[k] > 0.0:
                slack[k] = 0.0
            square += slack[k] * slack[k]
        if square == 0.0 or total <= best:
            break
        for k in range(1, n):
            price[k] = max(price[k] - length * (total - best) / square * slack[k], 0.0)
    return Dual(max(bound, best * (1.0 + 1e-12)), best_offload, share / done)
