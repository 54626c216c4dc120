"""The best group of one sub-channel, of those who are free, by the exact policy's method."""

from __future__ import annotations

import numpy as np

from quedge.model.arrays import total_of
from quedge.model.frame import LOCAL
from quedge.model.kernels import Floats, Ints, kernel, without_refcount
from quedge.model.terms import Terms
from quedge.policy.exact.exact import solve_chain
from quedge.policy.subchannels.chains import Chains, terms_of
from quedge.policy.subchannels.exchange import LEAST_GAIN, exchange
from quedge.policy.subchannels.groups import Groups, group_gain, put, without_place

_TOLERANCE = 1e-3
_PASSES = 4


@kernel
def priced_terms(terms: Terms, price: Floats, place_price: float) -> Terms:
    """The same chain with what offloading costs added to the local values.

    Args:
        terms: a chain.
        price: what each device of the frame pays, shape (devices,).
        place_price: what each of them pays beside.
    """
    local = np.empty(price.size)
    for k in range(local.size):
        local[k] = terms.local_value[k] + price[terms.device[k]] + place_price
    return Terms(
        terms.device, terms.rate_value, terms.level_price, terms.offload_cost, terms.overhead, terms.growth_limit,
        terms.step_limit, local, terms.split,
    )  # fmt: skip


@kernel
def _without_crowd(terms: Terms, place: Ints, most: int, level: Floats) -> Ints:
    """Those at some places of a chain but the ones who add least, so that no more than `most` are left."""
    terms = without_refcount(terms)
    count = place.size
    trial = np.empty(count, np.int64)
    while count > most:
        best, dropped = -np.inf, 0
        for m in range(count):
            left = without_place(place, count, place[m], trial)
            gain = group_gain(terms, trial, left, level)
            if gain > best:
                best, dropped = gain, place[m]
        count = without_place(place, count, dropped, place)
    return place[:count]


@kernel
def _best_group(chains: Chains, groups: Groups, d: int, price: Floats) -> Ints:
    """Places of a good group for sub-channel d at some prices, of its own devices and of those who are free."""
    terms = priced_terms(terms_of(chains, d), price, 0.0)
    worth = terms.rate_value.copy()
    for k in range(worth.size):
        where = groups.subchannel[terms.device[k]]
        if where >= 0 and where != d:  # worth nothing, it never offloads
            worth[k] = 0.0
    free = Terms(
        terms.device, worth, terms.level_price, terms.offload_cost, terms.overhead, terms.growth_limit,
        terms.step_limit, terms.local_value, terms.split,
    )  # fmt: skip
    offload, _, _, _ = solve_chain(free, _TOLERANCE)
    place = np.flatnonzero(offload)
    return _without_crowd(free, place, groups.most[0], np.empty(place.size + 2))


@kernel
def _place_group(chains: Chains, groups: Groups, d: int, place: Ints) -> None:
    """Replace the group of sub-channel d."""
    device = terms_of(chains, d).device
    for i in range(groups.subchannel.size):
        if groups.subchannel[i] == d:
            put(chains, groups, i, LOCAL)
    for m in range(place.size):
        put(chains, groups, device[place[m]], d)


@kernel
def groups_at_prices(chains: Chains, groups: Groups, price: Floats) -> None:
    """Assign sub-channels, of which none has been assigned: to each a good group at the prices, of who is left."""
    for d in range(groups.sizes.size):
        _place_group(chains, groups, d, _best_group(chains, groups, d, price))


@kernel
def improve(chains: Chains, groups: Groups) -> float:
    """Local exchange and the best group of one sub-channel after the other, in turn, until neither gains.

    Returns:
        What all groups gain over computing locally.
    """
    chains, groups = without_refcount((chains, groups))
    free = np.zeros(groups.subchannel.size)
    gain, scale = exchange(chains, groups), abs(total_of(chains.local_value[0]))
    for _ in range(_PASSES):
        changed = False
        for d in range(groups.sizes.size):
            place = _best_group(chains, groups, d, free)
            found = group_gain(terms_of(chains, d), place, place.size, np.empty(place.size + 2))
            if found > groups.gain[d] + LEAST_GAIN * (scale + gain):
                _place_group(chains, groups, d, place)
                changed = True
        if not changed:
            break
        gain = exchange(chains, groups)
    return float(total_of(groups.gain))
