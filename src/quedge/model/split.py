"""Partial offloading: what an offloader's own CPU loses to its uplink where both draw on one queue.

An offloader that computes in the same frame, too, adds to objective (17) the best local part g beside what it sends,
with r ≤ Q/T for both together:

    g(r) = max over l in [0, min(f_max/φ, Q/T − r)] of a l − b κ φ³ l³

While r ≤ Q/T − l*, with l* the rate of the best local computing alone, g is that one's value L. From there on
l = Q/T − r, and g falls. Along the growth u of ln s the fall is D(u) = L − g, with v = u − u0 beyond the bend u0,

    D = d1 v + d2 v² − d3 v³,    d1 = w (a − 3 q l*²),  d2 = 3 q l* w²,  d3 = q w³,  q = b κ φ³,  w = B / ln 2

and zero before it: convex, since D'' = 6 q w² l. `docs/model.md` has the derivation.
"""

from __future__ import annotations

import math

import numpy as np

from quedge.model.cell import Cell
from quedge.model.kernels import Floats, inner_kernel, kernel

BEND, LINEAR, SQUARE, CUBE = range(4)
"""Columns of a split: u0, d1, d2 and d3 of each device."""
_ROUNDS = 60  # Newton's method needs about five


@inner_kernel
def fill_split(cell: Cell, i: int, state: tuple[float, float, float, float], frequency: float, overhead: float,
               row: Floats) -> float:  # fmt: skip
    """Fill in a device's row of the split.

    Args:
        cell: constants of the cell.
        i: the device.
        state: its data queue (Mbit), the worth of a Mbit/s computed, a, and of one sent, and the price of a Watt, b.
        frequency: of its best local computing alone (Hz).
        overhead: o, the growth of ln s that key exchange and framing use up.
        row: filled in; shape (4,).

    Returns:
        The growth of ln s from which on more is never better, since what is sent is worth no more than computed.
    """
    queue, value, sent_value, price = state
    cycles = cell.cycles_per_mbit[i]
    slope = cell.uplink_mbps[i] / math.log(2.0)  # w
    alone = frequency / cycles  # l*
    cubic = price * cell.energy_coefficient[i] * (cycles * cycles * cycles)  # q
    row[BEND] = max(queue / cell.frame_s - alone, 0.0) / slope + overhead
    row[LINEAR] = slope * max(value - 3.0 * cubic * alone * alone, 0.0)
    row[SQUARE] = 3.0 * cubic * alone * slope * slope
    row[CUBE] = cubic * slope * slope * slope
    least = alone  # of local computing: to compute the last Mbits costs less than to secure them
    if cubic > 0.0:
        least = min(least, math.sqrt((value - sent_value) / (3.0 * cubic)))
    return float(row[BEND] + (alone - least) / slope)


@inner_kernel
def bends_within(split: Floats, k: int, growth: float) -> bool:
    """Whether device k's uplink takes anything from its CPU when ln s grows by so much; never if binary."""
    return bool(split.shape[0] > 0 and growth > split[k, BEND])


@inner_kernel
def local_loss(split: Floats, k: int, growth: float) -> float:
    """D, by how much the best local part falls beside a growth of ln s beyond the bend."""
    v = growth - split[k, BEND]
    return float(v * (split[k, LINEAR] + v * (split[k, SQUARE] - v * split[k, CUBE])))


@inner_kernel
def loss_slope(split: Floats, k: int, growth: float) -> float:
    """Derivative of `local_loss` by the growth."""
    v = growth - split[k, BEND]
    return float(split[k, LINEAR] + v * (2.0 * split[k, SQUARE] - 3.0 * v * split[k, CUBE]))


@inner_kernel
def no_split() -> Floats:
    """The split of a frame in which offloading is binary."""
    return np.empty((0, 4))


@kernel
def growth_worth(split: Floats, k: int, rate_value: float, price: float, most: float) -> float:
    """The growth of ln s, up to `most` and beyond the bend, at which α u − D(u) − price e^u stops rising.

    Its derivative falls: Newton's method, kept between a growth that is too little and one that is too much.
    """
    low, high = split[k, BEND], most
    if rate_value - loss_slope(split, k, low) <= price * math.exp(low):
        return float(low)
    if rate_value - loss_slope(split, k, high) >= price * math.exp(high):
        return float(high)
    u = 0.5 * (low + high)
    for _ in range(_ROUNDS):
        paid = price * math.exp(u)
        excess = rate_value - loss_slope(split, k, u) - paid
        if excess > 0.0:
            low = u
        else:
            high = u
        curvature = 2.0 * split[k, SQUARE] - 6.0 * (u - split[k, BEND]) * split[k, CUBE] + paid
        after = u + excess / curvature if curvature > 0.0 else low
        if not low < after < high:
            after = 0.5 * (low + high)
        if abs(after - u) <= 1e-14 * after:
            break
        u = after
    return float(u)
