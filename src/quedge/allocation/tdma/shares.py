"""The best shares of the frame and spectral efficiencies of one decision.

With the spectral efficiency v = ln(1 + SNR) while it transmits (nats per second and Hz), a device that has the share τ
of the frame adds to (17), in the terms of `quedge.model.terms`,

    α τ v − β τ (e^v − 1) − c        within  τ v ≤ load = Q ln 2 / (B T)  and  e^v − 1 ≤ σ.

Only Σ τ ≤ 1 couples the devices: at a price of time, each one's share is a closed form, and one number remains to be
found. `docs/tdma.md` proves what is used here.
"""

from __future__ import annotations

import math

import numpy as np

from quedge.allocation.tdma.bids import Bids, efficiency_at, time_wanted
from quedge.allocation.tdma.efficiency import saved_by_time
from quedge.model.compiled import Bools, Floats, Ints, kernel
from quedge.model.terms import Terms

_ROUNDS = 100  # Newton's method needs about five
_FULL = 1e-13  # shares that fill the frame to within this are rescaled to fill it exactly


@kernel
def last_served(terms: Terms, bids: Bids, turn: Ints) -> tuple[int, int]:
    """The places in `turn`, first and past the last, of the least worthy devices that get any time.

    At the price that equals a device's worth, those before it either leave it time or do not; the last to which
    time is left is found by halving. Devices of equal worth stand together.
    """
    low, high = 0, 0
    at_best = bids.load[turn[0]] / bids.efficiency[turn[0]]
    while at_best < 1.0 and high + 1 < turn.size:  # nobody beyond those who fill the frame at their fastest
        high += 1
        at_best += bids.load[turn[high]] / bids.efficiency[turn[high]]
    while low < high:
        middle = (low + high + 1) // 2
        if time_wanted(terms, bids, turn[:middle], bids.worth[turn[middle]])[0] < 1.0:
            low = middle
        else:
            high = middle - 1
    first, end = low, low + 1
    while first > 0 and bids.worth[turn[first - 1]] == bids.worth[turn[low]]:
        first -= 1
    while end < turn.size and bids.worth[turn[end]] == bids.worth[turn[low]]:
        end += 1
    return first, end


@kernel
def price_filling_frame(terms: Terms, bids: Bids, senders: Ints) -> tuple[float, float]:
    """The price of time at which `senders` just fill the frame, and the share that they want at it.

    The logarithm of that share is a convex function of the price's logarithm, so that Newton's method, from a price
    that is too low, rises to the root without ever passing it.

    Args:
        terms: the frame's terms.
        bids: the frame's bids.
        senders: devices that could send all their queues at their best efficiencies and have time left.
    """
    price = 0.0
    for k in senders:
        price = max(price, terms.level_price[k] * saved_by_time(bids.load[k]))  # at which k alone wants all of it
    wanted = 0.0
    if price == 0.0:
        return price, wanted  # energy costs them nothing: no one wants more time
    for _ in range(_ROUNDS):
        wanted, fall = time_wanted(terms, bids, senders, price)
        if abs(wanted - 1.0) <= _FULL or fall == 0.0:
            break
        price *= math.exp(math.log(wanted) * wanted / fall)
    return price, wanted


@kernel
def in_turn(bids: Bids, offload: Bools) -> Ints:
    """The offloaders that have a use for time, the most worth of time first."""
    turn = np.empty(offload.size, np.int64)
    count = 0
    for k in bids.ranking:
        if offload[k] and bids.worth[k] > 0.0:
            turn[count] = k
            count += 1
    return turn[:count]


@kernel
def share_out(terms: Terms, bids: Bids, turn: Ints, share: Floats, efficiency: Floats) -> tuple[float, bool]:
    """Fills in the shares and efficiencies of `turn`, at least one device; the price of time, and whether it was found.

    Whoever is not served keeps what is there.
    """
    first, end = last_served(terms, bids, turn)
    price = bids.worth[turn[first]]
    before = time_wanted(terms, bids, turn[:first], price)[0]
    tied = 0.0
    for k in turn[first:end]:
        tied += bids.load[k] / bids.efficiency[k]
    if before + tied >= 1.0:  # the least worthy share the rest of the frame in proportion to what they want
        part = (1.0 - before) / tied
        for k in turn[:first]:
            efficiency[k] = efficiency_at(terms, bids, k, price)
            share[k] = bids.load[k] / efficiency[k]
        for k in turn[first:end]:
            efficiency[k] = bids.efficiency[k]
            share[k] = part * bids.load[k] / efficiency[k]
        return price, True
    price, wanted = price_filling_frame(terms, bids, turn[:end])  # every queue is emptied: there is time enough
    stretch = max(wanted, 1.0)
    for k in turn[:end]:
        wished = efficiency_at(terms, bids, k, price)
        share[k] = bids.load[k] / (wished * stretch)
        efficiency[k] = min(wished * stretch, bids.efficiency[k])
    return price, price == 0.0 or abs(wanted - 1.0) <= _FULL


@kernel
def share_frame(
    terms: Terms, bids: Bids, offload: Bools, share: Floats, efficiency: Floats
) -> tuple[float, float, bool]:
    """The best time shares and spectral efficiencies of one decision.

    Args:
        terms: the frame's terms.
        bids: the frame's bids.
        offload: the decision in the chain's order, shape (devices,), like those that follow.
        share: filled with the shares.
        efficiency: filled with the spectral efficiencies; zero where there is no share.

    Returns:
        The objective (17), the price of time (what it would gain per unit of further time), and whether that price
        was found.
    """
    share[:] = 0.0
    efficiency[:] = 0.0
    price, found = 0.0, True
    turn = in_turn(bids, offload)
    if turn.size > 0:
        price, found = share_out(terms, bids, turn, share, efficiency)
    total = 0.0
    for k in range(offload.size):
        if offload[k]:
            growth = max(share[k] * efficiency[k], terms.overhead[k])  # less brings no less than nothing
            energy = share[k] * math.expm1(efficiency[k])
            total += terms.rate_value[k] * growth - terms.level_price[k] * energy - terms.offload_cost[k]
        else:
            total += terms.local_value[k]
    return total, price, found
