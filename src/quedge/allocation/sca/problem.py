"""The power allocation of one decision as a chain of steps, and a convex round of it: plain data.

In the levels of `quedge.model.terms` the offloaders, weakest first, lift the level by steps q_k = h_k p_k / N0 from
s_0 = 1 to s_k = s_{k−1} + q_k, and problem (19) reads

    maximise   Σ α_k ln s_k − β_k q_k  −  Σ α_k ln s_{k−1}        f⁺ − f⁻, eq. (42)
    over       0 ≤ q_k ≤ σ_k,   q_k ≤ r_k s_{k−1}                  eq. (43), with r = ρ − 1

Linearised at the levels s° of the last round, eqs. (44), (45), f⁻ is linear in the steps: a step raises all levels
after it, so it is charged with the loss of all devices decoded earlier than its own. What remains is a convex round:

    maximise   Σ α_k ln s_k − d_k q_k      with d_k = β_k + Σ_{j>k} α_j / s°_{j−1}        eq. (46)

Where offloading is partial, a device adds h(u) = α u − D(u) of its growth u = ln(s_k / s_{k−1}), with D convex beyond a
bend u0 (`model/split.py`). With the same tangent its growth is u° ≤ u, concave in the levels,

    u°_k = ln s_k − ln s°_{k−1} − (s_{k−1} − s°_{k−1}) / s°_{k−1}

and h rises within its limits, so that Σ h_k(u°_k) − β_k q_k is concave, never above the true objective, and touches it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from quedge.errors import MissingExtraError
from quedge.model.arrays import copy_into
from quedge.model.kernels import Bools, Floats, Ints, kernel
from quedge.model.split import BEND, bends_within, local_loss
from quedge.model.terms import Terms, highest_level

T = TypeVar("T")

_ALIKE = 1e-12  # bends that close to what the limits allow are none


class Chain(NamedTuple):
    """The offloaders that have room to transmit, the last decoded first.

    Attributes:
        place: each one's place in the frame's terms; shape (offloaders,), like all that follow.
        rate_value: α.
        level_price: β.
        growth: r, the largest step in units of the level that it starts from.
        step_limit: σ, the largest step.
        split: what a step takes from the CPU, as in `Terms`, with an infinite bend where no step reaches it; shape
            (offloaders, 4), without rows where offloading is binary.
    """

    place: Ints
    rate_value: Floats
    level_price: Floats
    growth: Floats
    step_limit: Floats
    split: Floats


class Round(NamedTuple):
    """A convex round: maximise Σ α_k ln s_k − d_k q_k − D_k(u°_k) over 0 ≤ q_k ≤ min(σ_k, r_k s_{k−1}).

    Attributes:
        rate_value: α, positive; shape (offloaders,), like all that follow.
        step_price: d, not negative.
        growth: r, positive.
        step_limit: σ, positive.
        start: q of the last round, where f⁻ is linearised; feasible.
        split: of D, as in `Chain`.
    """

    rate_value: Floats
    step_price: Floats
    growth: Floats
    step_limit: Floats
    start: Floats
    split: Floats


class RoundSolution(NamedTuple):
    """A solver's answer to a round.

    Attributes:
        step: the best q, shape (offloaders,); None where the solver failed.
        solver_us: time inside the solver itself (microseconds).
    """

    step: Floats | None
    solver_us: float


class RoundSolver(Protocol):
    """A way to solve convex rounds."""

    def prepared(self, devices: int) -> Callable[[Round], RoundSolution]:
        """A function that solves the rounds of one decision, one after the other, of no more devices than these.

        Its steps may miss the limits by the solver's tolerance; whoever takes them cuts them to the limits. A
        MissingExtraError where a library behind the solver is not installed.
        """
        ...


def attempted(call: Callable[[], T]) -> T | None:
    """What a call of a solver gives, or nothing where it raises.

    A controller must answer every frame, whatever goes wrong in a solver that is not ours. A library that is not
    installed is no failure of a frame: that is said.
    """
    try:
        return call()
    except (MissingExtraError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException:  # a panic of compiled Rust is no Exception
        return None


@kernel
def chain_of(terms: Terms, offload: Bools) -> Chain:
    """The chain of a decision, given in the order of the terms.

    A device without data or power has no room, and one to whom bits are worth nothing no use for it: they stay out. A
    limit beyond what the other limit can ever allow is drawn in to twice that, where it still never binds: the numbers
    of a round then have one size.
    """
    room = (terms.growth_limit > 1.0) & (terms.step_limit > 0.0) & (terms.rate_value > 0.0)
    place = np.flatnonzero(offload & room)
    growth, step_limit = np.empty(place.size), np.empty(place.size)
    reach = 1.0
    for k in range(place.size):
        step, grown = terms.step_limit[place[k]], terms.growth_limit[place[k]] - 1.0
        growth[k] = min(grown, 2.0 * step)  # no level lies below 1
        step_limit[k] = min(step, 2.0 * grown * reach)
        reach += min(step, grown * reach)
    split = np.empty((place.size if terms.split.shape[0] > 0 else 0, 4))
    for k in range(split.shape[0]):
        copy_into(split[k], terms.split[place[k]])
        largest = min(math.log(terms.growth_limit[place[k]]), math.log1p(step_limit[k]))
        if not bends_within(split, k, largest * (1.0 - _ALIKE)):
            split[k, BEND] = math.inf
    return Chain(place, terms.rate_value[place], terms.level_price[place], growth, step_limit, split)


@kernel
def chain_value(chain: Chain, step: Floats) -> float:
    """f⁺ − f⁻, what the steps add to objective (17) beyond the fixed cost of offloading, eq. (42)."""
    total, level = 0.0, 1.0
    for k in range(step.size):
        growth = math.log1p(step[k] / level)
        total += chain.rate_value[k] * growth - chain.level_price[k] * step[k]
        if bends_within(chain.split, k, growth):
            total -= local_loss(chain.split, k, growth)
        level += step[k]
    return total


@kernel
def value_in_reach(rate_value: Floats, growth: Floats, step_limit: Floats) -> float:
    """What the highest levels within the limits bring, energy free: the size against which rounding is measured."""
    reach, most = 0.0, 0.0  # reach is counted from level 1: it may be less than a rounding error of that
    for k in range(rate_value.size):
        reach += min(step_limit[k], growth[k] * (1.0 + reach))
        most += rate_value[k] * math.log1p(reach)
    return most


@kernel
def linearise(chain: Chain, step: Floats, price: Floats) -> None:
    """Fills `price` with d, the price of each step where f⁻ is linearised at `step`, eqs. (44), (45)."""
    level = 1.0
    for k in range(step.size):
        price[k] = level  # the level before, for the way back
        level += step[k]
    charged = 0.0
    for k in range(step.size - 1, -1, -1):
        before = price[k]
        price[k] = chain.level_price[k] + charged
        charged += chain.rate_value[k] / before


@kernel
def keep_limits(chain: Chain, step: Floats) -> None:
    """Cuts steps in place to the limits, walking the chain from level 1."""
    level = 1.0
    for k in range(step.size):
        step[k] = min(max(step[k], 0.0), chain.step_limit[k], chain.growth[k] * level)
        level += step[k]


@kernel
def levels_of(terms: Terms, chain: Chain, step: Floats, level: Floats) -> None:
    """Fills `level` with the level after each device of the terms."""
    before, m = 1.0, 0
    for k in range(level.size):
        if m < chain.place.size and chain.place[m] == k:
            before = min(before + step[m], highest_level(terms, k, before))
            m += 1
        level[k] = before
