"""Decisions that know what cancellation leaves: the residual interference inside the decision.

With a share ξ of each decoded signal left over, an offloader k of the chain (`model/terms.py`) whose received power is
y_k, in units of the noise, meets

    I_k = 1 + Σ_{j before k} κ_j y_j + ξ Σ_{j after k} κ_j y_j,        j before k: decoded later,

and adds α_k max(ln(1 + y_k / I_k), o_k) − β_k y_k − c_k to the objective, with the growth under its logarithm at most
ρ_k, and y_k ≤ σ_k. Where an outage probability is asked for, κ_j ≥ 1 is the margin by which device j may be received
better than planned, and disturb the more (`model/backoff.py`). There is no level that all share, and no chain.

What stays: with ξ = 0 and κ = 1 it is the chain, and the decision that of the exact policy, bit for bit. Interference
only takes from rates, so the exact bound without residue and margin is a bound on every decision with them.

What becomes a search: powers of a set of offloaders by minorisation and maximisation. The rates of the others are
convex in y_k; in place of them stand their tangents, a price D_k on y_k beside β_k, at which the best power is
α_k / (β_k + D_k) − I_k within its limits. No step lowers the objective. Sets by exchange: from the exact decision and
from the best single one, devices are added, taken out and swapped as long as that helps. So no decision is worse than
the best single one's.

Source: D. R. Hunter, K. Lange, A tutorial on MM algorithms, The American Statistician 58(1), 2004.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from quedge.model.arrays import copy_into
from quedge.model.frame import Frame, PackedFrame, unpacked_frame
from quedge.model.kernels import Bools, Floats, inner_kernel, kernel, without_refcount
from quedge.model.terms import Terms, frame_terms, transmit_power
from quedge.model.uplink import best_local_frequency, local_outcome, offloading_outcome
from quedge.policy.compiled import Compiled, check_tolerance, own_settings, tell, tell_bound
from quedge.policy.exact.exact import solve_chain, solve_frame

_SWEEPS = 40
_TIED = 1e-9  # relative distance to the limit
_FOLLOWED = 8
_SMALLEST_SHARE = 0.01  # of the way to where a device would move
_LITTLE = 1e-3  # of a device's own best power
_GAIN = 1e-9  # relative; less is not followed


class Disturbance(NamedTuple):
    """How received signals disturb each other.

    Attributes:
        residual: ξ.
        margin: κ, in the chain's order, shape (devices,).
    """

    residual: float
    margin: Floats


@inner_kernel
def _fill_interference(offload: Bools, received: Floats, by: Disturbance, interference: Floats) -> None:
    """Fill in I of every device, in the chain's order."""
    total = 1.0
    for k in range(received.size):
        interference[k] = total
        if offload[k]:
            total += by.margin[k] * received[k]
    after = 0.0
    for k in range(received.size - 1, -1, -1):
        interference[k] += by.residual * after
        if offload[k]:
            after += by.margin[k] * received[k]


@kernel
def disturbed_objective(terms: Terms, offload: Bools, received: Floats, by: Disturbance, interference: Floats) -> float:
    """Objective (17) of received powers over noise, in the chain's order; fills in `interference`."""
    _fill_interference(offload, received, by, interference)
    total = 0.0
    for k in range(received.size):
        if offload[k]:
            growth = min(1.0 + received[k] / interference[k], terms.growth_limit[k])
            worth = terms.rate_value[k] * max(math.log(growth), terms.overhead[k])
            total += worth - terms.level_price[k] * received[k] - terms.offload_cost[k]
        else:
            total += terms.local_value[k]
    return total


@inner_kernel
def _harm(terms: Terms, offload: Bools, received: Floats, by: Disturbance, interference: Floats, k: int) -> float:
    """D_k: what the others lose by a unit more of what device k radiates."""
    harm = 0.0
    for j in range(received.size):
        if offload[j] and j != k:
            growth = 1.0 + received[j] / interference[j]
            if terms.overhead[j] < math.log(growth) and growth < terms.growth_limit[j]:
                lost = terms.rate_value[j] * received[j] / (interference[j] * (interference[j] + received[j]))
                harm += lost if j > k else by.residual * lost
    return float(harm * by.margin[k])


@inner_kernel
def _highest(terms: Terms, k: int, interference: float) -> float:
    """The highest received power of device k."""
    return float(min(terms.step_limit[k], (terms.growth_limit[k] - 1.0) * interference))


@kernel
def follow_limits(
    terms: Terms, offload: Bools, before: Floats, k: int, received: Floats, by: Disturbance, room: Floats
) -> float:
    """After device k has moved, let those that stood at their limits stand there again; returns the objective.

    What they stood at is `before`; a device whose queue limits it sends all of it with more power where it is disturbed
    more. If it stayed, it would block the one that moves, though both could gain.
    """
    _fill_interference(offload, before, by, room)
    at_limit = np.empty(before.size, np.bool_)
    for j in range(before.size):
        at_limit[j] = offload[j] and j != k and before[j] >= _highest(terms, j, room[j]) * (1.0 - _TIED)
    for _ in range(_FOLLOWED):
        _fill_interference(offload, received, by, room)
        for j in range(before.size):
            if at_limit[j]:
                received[j] = _highest(terms, j, room[j])
    return disturbed_objective(terms, offload, received, by, room)


@kernel
def climb_powers(terms: Terms, offload: Bools, received: Floats, by: Disturbance, room: Floats) -> float:
    """Improve the received powers of a set of offloaders in place, from those that are given.

    Args:
        terms: the frame's terms.
        offload: the set, in the chain's order.
        received: received powers over noise; improved.
        by: how they disturb each other.
        room: to work in, shape (devices,).

    Returns:
        The objective.
    """
    before = received.copy()
    best = disturbed_objective(terms, offload, received, by, room)
    for _ in range(_SWEEPS):
        began = best
        for k in range(received.size):
            if not offload[k]:
                continue
            copy_into(before, received)
            price = terms.level_price[k] + _harm(terms, offload, received, by, room, k)
            highest = _highest(terms, k, room[k])
            wanted = min(max(terms.rate_value[k] / price - room[k], 0.0), highest) if price > 0.0 else highest
            received[k] = wanted
            objective = disturbed_objective(terms, offload, received, by, room)
            share = 1.0
            while objective < best and share > _SMALLEST_SHARE:  # limits of the others begin to bind: they follow
                copy_into(received, before)
                received[k] = before[k] + share * (wanted - before[k])
                objective = follow_limits(terms, offload, before, k, received, by, room)
                share *= 0.25
            if objective < best:
                copy_into(received, before)
                objective = disturbed_objective(terms, offload, received, by, room)
            best = objective
        if best - began <= _GAIN * abs(best):
            break
    return best


@kernel
def best_powers(terms: Terms, offload: Bools, by: Disturbance, received: Floats, room: Floats) -> float:
    """Fill in the received powers of a set of offloaders; returns the objective, the better one of two climbs.

    One begins with the devices' own best powers in turn, the last decoded first, the other with next to none.
    """
    other = np.zeros(received.size)
    total = 1.0
    for k in range(received.size):
        received[k] = 0.0
        if offload[k]:
            highest = min(terms.step_limit[k], (terms.growth_limit[k] - 1.0) * total)
            price = terms.level_price[k]
            wanted = terms.rate_value[k] / price - total if price > 0.0 else highest
            received[k] = min(max(wanted, 0.0), highest)
            total += received[k]
            other[k] = _LITTLE * received[k]
    best = climb_powers(terms, offload, received, by, room)
    objective = climb_powers(terms, offload, other, by, room)
    if objective > best:
        copy_into(received, other)
        return objective
    return best


@kernel
def exchange(terms: Terms, offload: Bools, received: Floats, by: Disturbance) -> float:
    """Add, take out and swap offloaders as long as it helps, in place; returns the objective."""
    n = received.size
    tried, power, room = offload.copy(), np.zeros(n), np.empty(n)
    best_set, best_power = offload.copy(), received.copy()
    best = climb_powers(terms, best_set, best_power, by, room)
    improved = True
    while improved:
        improved = False
        copy_into(offload, best_set)
        for out in range(-1, n):
            if out >= 0 and not offload[out]:
                continue
            for into in range(-1, n):
                if (into >= 0 and offload[into]) or (out < 0 and into < 0):
                    continue
                copy_into(tried, offload)
                if out >= 0:
                    tried[out] = False
                if into >= 0:
                    tried[into] = True
                objective = best_powers(terms, tried, by, power, room)
                if objective > best + _GAIN * abs(best):
                    best, improved = objective, True
                    copy_into(best_set, tried)
                    copy_into(best_power, power)
    copy_into(offload, best_set)
    copy_into(received, best_power)
    return best


@kernel
def solve_disturbed(terms: Terms, by: Disturbance, tolerance: float) -> tuple[Bools, Floats, float, float]:
    """The best decision that is found, in the chain's order: offload, received powers over noise, objective, bound."""
    terms, by = without_refcount((terms, by))
    n = terms.device.size
    offload, level, _, upper = solve_chain(terms, tolerance)
    received = np.zeros(n)
    before = 1.0
    for k in range(n):
        if offload[k]:
            received[k] = level[k] - before
            before = level[k]
    best = exchange(terms, offload, received, by)
    single, power, room = np.zeros(n, np.bool_), np.zeros(n), np.empty(n)
    first, most = -1, disturbed_objective(terms, single, power, by, room)
    for k in range(n):
        single[k] = True
        objective = best_powers(terms, single, by, power, room)
        if objective > most:
            first, most = k, objective
        single[k] = False
    if first >= 0:
        single[first] = True
    best_powers(terms, single, by, power, room)
    objective = exchange(terms, single, power, by)
    if objective > best:
        return single, power, objective, upper
    return offload, received, best, upper


@kernel
def powers_of_received(
    terms: Terms, frame: Frame, offload: Bools, received: Floats, by: Disturbance
) -> tuple[Bools, Floats, Floats, Floats, Floats]:
    """As `powers_of_levels`, of received powers over noise, with what cancellation leaves."""
    cell, n = frame.cell, offload.size
    interference = np.empty(n)
    _fill_interference(offload, received, by, interference)
    decided, transmit, frequency = np.zeros(n, np.bool_), np.zeros(n), np.zeros(n)
    rate, power = np.empty(n), np.empty(n)
    for k in range(n):
        i = terms.device[k]
        queue = frame.data_queue_mbit[i]
        if offload[k]:
            decided[i] = True
            transmit[i] = transmit_power(cell, i, frame.channel_gain[i], 0.0, received[k])
            uplink_rate = cell.uplink_mbps[i] * math.log1p(received[k] / interference[k]) / math.log(2.0)
            rate[i], power[i] = offloading_outcome(cell, i, uplink_rate, transmit[i], queue)
        else:
            frequency[i] = best_local_frequency(cell, i, queue, frame.energy_queue[i])
            rate[i], power[i] = local_outcome(cell, i, frequency[i], queue)
    return decided, transmit, frequency, rate, power


@kernel
def _decide(packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats) -> None:
    tolerance = own[0]
    frame = unpacked_frame(*packed)
    residual, undisturbed = frame.cell.residual_sic_share, True
    for margin in frame.cell.interference_margin:
        undisturbed = undisturbed and margin == 1.0
    if residual == 0.0 and undisturbed:
        decided, objective, upper = solve_frame(packed, tolerance)
    else:
        terms = frame_terms(*frame)
        margins = np.empty(terms.device.size)
        for k in range(margins.size):
            margins[k] = frame.cell.interference_margin[terms.device[k]]
        by = Disturbance(residual, margins)
        chosen, received, objective, upper = solve_disturbed(terms, by, tolerance)
        decided = powers_of_received(terms, frame, chosen, received, by)
    tell(decided, objective, offload, powers, told)
    tell_bound(upper, objective, tolerance, told)


@dataclass(frozen=True)
class Robust(Compiled):
    """Decides with what other policies take for nothing: what cancellation leaves, and how wrong estimates may be.

    With perfect cancellation and no outage probability it is `Exact`. Else the decision is the best of a search that
    begins with the exact one and with the best single offloader, so that it is no worse than either; its upper bound is
    that without disturbances, and the distance between the two is what they cost at most. The rates that it promises
    are those that are kept with the outage probability, which is split in halves between a device's own gain and those
    that disturb it.

    Attributes:
        tolerance: relative distance between upper bound and objective at which a frame counts as solved.

    Example:
        >>> cell = quedge.Scenario(devices=3, residual_sic_share=0.1)
        >>> robust, exact = (quedge.simulate(cell, policy, frames=200) for policy in (quedge.Robust(), quedge.Exact()))
        >>> print(robust.data_queue_mbit.mean() < exact.data_queue_mbit.mean())
        True

    Source: this module states problem and method.
    """

    tolerance: float = 1e-3
    knows_disturbance: ClassVar[bool] = True
    carries_partial: ClassVar = False
    kernel: ClassVar = _decide

    def __post_init__(self) -> None:
        check_tolerance(self.tolerance)

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(self.tolerance)
