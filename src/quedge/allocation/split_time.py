"""Time division where offloading is partial: who sends how much, where each Mbit sent may be one less computed.

At a price μ of time a device sends at the spectral efficiency v at which a nat costs least, whatever it sends,

    m(μ) = min over v of (β (e^v − 1) + μ) / v,

and it sends until a further nat is worth no more, h'(y) = m, with h(y) = α y − D(y) concave (`model/split.py`). Both
the time that it wants, y / v, and y fall with μ. The price at which all wants fill the frame is found by halving. Where
a want jumps there, a mixture of both sides fills the frame: it is optimal, too, since the problem is concave.
"""

from __future__ import annotations

import math

import numpy as np

from quedge.allocation.efficiency import efficiency_saving
from quedge.model.kernels import Bools, Floats, kernel, without_refcount
from quedge.model.split import BEND, CUBE, LINEAR, SQUARE, bends_within, local_loss
from quedge.model.terms import Terms

_HALVINGS = 80
_CHEAPEST = 1e-15  # share of the highest price of time below which time is as good as free
_ABOVE = 1.0 + 1e-9  # times what time is worth to a device, where rounding cannot make it want any
_RESOLVED = 1e-14  # relative distance of two prices that are one


@kernel
def nats_wanted(terms: Terms, k: int, most: float, cost: float) -> float:
    """The growth of ln s, up to `most`, at which device k stops gaining where each nat costs so much."""
    gain = terms.rate_value[k] - cost
    if gain <= 0.0:
        return 0.0
    if not bends_within(terms.split, k, most):
        return float(most)
    bend, linear = terms.split[k, BEND], terms.split[k, LINEAR]
    square, cube = terms.split[k, SQUARE], terms.split[k, CUBE]
    beyond = gain - linear
    if beyond <= 0.0:
        return float(bend)
    root = square * square - 3.0 * cube * beyond
    if root < 0.0 or square == 0.0:  # worth more than the last Mbit computed
        return float(most)
    return float(min(bend + beyond / (square + math.sqrt(root)), most))


@kernel
def wants_at(terms: Terms, load: Floats, offload: Bools, price: float, share: Floats, nats: Floats) -> float:
    """Fill in the share of the frame that each offloader wants at a price of time, and its nats; returns all shares."""
    total = 0.0
    for k in range(offload.size):
        share[k] = nats[k] = 0.0
        if not offload[k] or load[k] <= 0.0 or terms.step_limit[k] <= 0.0:
            continue
        beta, fastest = terms.level_price[k], math.log1p(terms.step_limit[k])
        efficiency = min(efficiency_saving(price / beta), fastest) if beta > 0.0 else fastest
        nats[k] = nats_wanted(terms, k, load[k], (beta * math.expm1(efficiency) + price) / efficiency)
        share[k] = nats[k] / efficiency
        total += share[k]
    return total


@kernel
def share_split(
    terms: Terms, load: Floats, worth: Floats, offload: Bools, share: Floats, efficiency: Floats
) -> tuple[float, float, bool]:
    """As `share_frame`, where offloading is partial.

    Args:
        terms: the frame's terms.
        load: the growth of ln s with which each device sends all that it may; shape (devices,), like those that follow.
        worth: the price of time above which each device has no use for it.
        offload: the decision in the chain's order.
        share: filled with the shares.
        efficiency: filled with the spectral efficiencies; zero where there is no share.
    """
    terms = without_refcount(terms)
    n = offload.size
    nats, more_share, more_nats = np.zeros(n), np.empty(n), np.empty(n)
    share[:] = 0.0
    high = 0.0
    for k in range(n):
        high = max(high, worth[k] * _ABOVE) if offload[k] else high
    low, price = high * _CHEAPEST, high
    if high > 0.0:
        most = wants_at(terms, load, offload, low, more_share, more_nats)
        for _ in range(_HALVINGS):
            if most <= 1.0 or high - low <= _RESOLVED * high:
                break
            price = math.sqrt(low) * math.sqrt(high)
            if wants_at(terms, load, offload, price, share, nats) > 1.0:
                low = price
            else:
                high = price
        wanted = wants_at(terms, load, offload, high, share, nats)
        most = wants_at(terms, load, offload, low, more_share, more_nats)
        price = low
        part = 1.0 if most <= 1.0 else (1.0 - wanted) / (most - wanted)
        for k in range(n):
            share[k] += part * (more_share[k] - share[k])
            nats[k] += part * (more_nats[k] - nats[k])
    total = 0.0
    for k in range(n):
        efficiency[k] = nats[k] / share[k] if share[k] > 0.0 else 0.0
        if offload[k]:
            growth = max(nats[k], terms.overhead[k])  # less brings no less than nothing
            total += terms.rate_value[k] * growth - terms.offload_cost[k]
            total -= terms.level_price[k] * share[k] * math.expm1(efficiency[k])
            if bends_within(terms.split, k, growth):
                total -= local_loss(terms.split, k, growth)
        else:
            total += terms.local_value[k]
    return total, price, True
