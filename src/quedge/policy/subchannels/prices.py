"""The bound: each device may offload on any number of sub-channels, at a price for doing so.

With R_d the best objective of sub-channel d alone, and λ_d what a place on it costs,

    D(μ, λ) = Σ_d ( best of (chain of d, each offloader i paying μ_i + λ_d) − Σ L_i + λ_d g ) + Σ (L_i + μ_i)

No decision of the frame has a higher objective than D, whatever the prices μ, λ ≥ 0 are: it offloads each device on one
sub-channel at most, and at most g on each, so that what is paid is no more than what is added. To pay for offloading is
to be paid for computing locally, so each part is the frame's problem (17) with other local values: `bound_chain` bounds
it. Where sub-channels fade alike, one part stands for all. `docs/subchannels.md` has the proof.

Source: Lagrangian relaxation of an assignment (Fisher, Management Science 27(1), 1981); the subgradient method with
Polyak's steps and a deflected direction (Camerini, Fratta, Maffioli, Mathematical Programming Study 3, 1975).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.model.arrays import copy_into, total_of
from quedge.model.kernels import Bools, Floats, kernel, without_refcount
from quedge.policy.exact.exact import bound_chain, solve_chain
from quedge.policy.subchannels.chains import Chains, terms_of
from quedge.policy.subchannels.groups import Groups
from quedge.policy.subchannels.regroup import priced_terms

_MEMORY = 0.5  # share of the last direction in the next
_PATIENCE = 6  # rounds without a lower bound, after which steps shorten
_SHORTER = 0.6
_SHARP = 1e-4  # tolerance of the parts of the last bound


class Prices(NamedTuple):
    """Prices, with the bound that they give.

    Attributes:
        device: μ of each device, shape (devices,).
        place: λ of each chain, shape (chains,); 0 where as many devices as there are have room.
        bound: the lowest D, in its only element.
        offload: room for who offloads on each chain, shape (chains, devices).
    """

    device: Floats
    place: Floats
    bound: Floats
    offload: Bools


@kernel
def _dual(chains: Chains, groups: Groups, prices: Prices, is_sharp: bool) -> float:
    """D at the prices; fills in who offloads on each chain. Any bound on a part will do but for the last D."""
    chains, groups, prices = without_refcount((chains, groups, prices))
    rows, n = chains.device.shape
    alike = groups.sizes.size // rows
    total = total_of(chains.local_value[0]) + total_of(prices.device)
    size = abs(total)
    offload = np.empty(n, np.bool_)
    for c in range(rows):
        terms = priced_terms(terms_of(chains, c), prices.device, prices.place[c])
        if is_sharp:
            offload, _, _, upper = solve_chain(terms, _SHARP)
        else:
            upper = bound_chain(terms, offload)
        local = total_of(terms.local_value)
        total += alike * (upper - local + prices.place[c] * groups.most[0])
        size += alike * abs(upper)
        for k in range(n):
            prices.offload[c, terms.device[k]] = offload[k]
    return float(total + 1e-14 * n * size)


@kernel
def _fill_direction(groups: Groups, prices: Prices, limited: bool, turn: Floats, place_turn: Floats) -> float:
    """The next direction: the subgradient of D, and a part of the last one; the square of its length."""
    rows, n = prices.offload.shape
    alike, square = groups.sizes.size // rows, 0.0
    for i in range(n):
        slope = 1.0
        for c in range(rows):
            slope -= alike * prices.offload[c, i]
        turn[i] = _MEMORY * turn[i] + slope
        if prices.device[i] <= 0.0 and turn[i] > 0.0:
            turn[i] = 0.0
        square += turn[i] * turn[i]
    for c in range(rows if limited else 0):
        slope = alike * (groups.most[0] - prices.offload[c].sum())
        place_turn[c] = _MEMORY * place_turn[c] + slope
        if prices.place[c] <= 0.0 and place_turn[c] > 0.0:
            place_turn[c] = 0.0
        square += place_turn[c] * place_turn[c]
    return square


@kernel
def lower_the_bound(
    chains: Chains, groups: Groups, prices: Prices, objective: float, tolerance: float, rounds: int
) -> int:
    """Lower the bound by the subgradient method, from the prices that are given; they end as those of the lowest.

    Args:
        chains: the frame's chains.
        groups: of the frame, for their sizes.
        prices: begun with; filled in.
        objective: of the best decision so far.
        tolerance: stop when the bound is within this relative distance of it.
        rounds: most rounds.

    Returns:
        The number of rounds.
    """
    chains, groups, prices = without_refcount((chains, groups, prices))
    rows, n = chains.device.shape
    limited = groups.most[0] < n and (rows > 1 or groups.most[0] * groups.sizes.size < n)
    turn, place_turn = np.zeros(n), np.zeros(rows)
    kept, kept_place = prices.device.copy(), prices.place.copy()
    length, waited, done = 1.0, 0, 0
    while done < rounds and prices.bound[0] - objective > tolerance * objective:
        found = _dual(chains, groups, prices, False)
        done += 1
        waited += 1
        if found < prices.bound[0]:
            prices.bound[0], waited = found, 0
            copy_into(kept, prices.device)
            copy_into(kept_place, prices.place)
        if waited > _PATIENCE:
            length, waited = _SHORTER * length, 0
            copy_into(prices.device, kept)
            copy_into(prices.place, kept_place)
            turn[:], place_turn[:] = 0.0, 0.0
            continue
        square = _fill_direction(groups, prices, limited, turn, place_turn)
        if square == 0.0 or found <= objective:
            break
        step = length * (found - objective) / square
        for i in range(n):
            prices.device[i] = max(prices.device[i] - step * turn[i], 0.0)
        for c in range(rows):
            prices.place[c] = max(prices.place[c] - step * place_turn[c], 0.0)
    copy_into(prices.device, kept)
    copy_into(prices.place, kept_place)
    if done > 0:
        prices.bound[0] = min(prices.bound[0], _dual(chains, groups, prices, True))
    return done


@kernel
def no_prices(chains: Chains) -> Prices:
    """Prices of 0, without a bound."""
    rows, n = chains.device.shape
    return Prices(np.zeros(n), np.zeros(rows), np.full(1, math.inf), np.zeros((rows, n), np.bool_))
