"""The best decision of a frame by time division, with an upper bound, where no queue limits what is sent.

Without a limit, what an offloader gains is linear in its share of the frame: the whole frame belongs to the one
device that gains most, and the bound is exact. Only where a device's PQC module keeps up with less than the channel
carries do several share a frame. Then the frame's time has a price μ, and by weak duality no decision is worth more
than

    μ + Σ max(L_i, what device i gains by offloading and paying μ for its time),      for every μ ≥ 0.
"""

from __future__ import annotations

import math

import numpy as np

from quedge.allocation.tdma import Bids, efficiency_at, frame_bids, share_frame
from quedge.model.frame import Frame
from quedge.model.kernels import Floats, kernel
from quedge.model.terms import Terms, frame_terms
from quedge.model.uplink import best_local_frequency, local_outcome, offloading_outcome

_STEPS = 60  # of a third, towards the best price of time
_ROUNDING = 1e-12  # relative, of the bound


@kernel
def offer(terms: Terms, bids: Bids, k: int, time_price: float) -> float:
    """The most that device k adds to the objective (17) by offloading, if it pays for its time."""
    if bids.worth[k] == 0.0:
        return float(-terms.offload_cost[k])
    slowest = min(bids.load[k], bids.efficiency[k])  # that fits into one frame
    efficiency = max(efficiency_at(terms, bids, k, time_price), slowest)
    gain = terms.rate_value[k] * efficiency - terms.level_price[k] * math.expm1(efficiency) - time_price
    share = min(bids.load[k] / efficiency, 1.0)
    return float(share * max(gain, 0.0) - terms.offload_cost[k])


@kernel
def dual_value(terms: Terms, bids: Bids, time_price: float) -> float:
    """An upper bound on the objective (17) of every decision, at a price of time."""
    total = time_price
    for k in range(terms.device.size):
        total += max(terms.local_value[k], offer(terms, bids, k, time_price))
    return total


@kernel
def best_time_price(terms: Terms, bids: Bids) -> float:
    """The price of time at which `dual_value`, convex in it, is least.

    Where no module limits its device, it lies between what the two devices gain that gain most from a whole frame.
    """
    low, high, most = 0.0, 0.0, 0.0
    limited = False
    for k in range(terms.device.size):
        high = max(high, bids.worth[k])
        limited = limited or (bids.worth[k] > 0.0 and bids.load[k] < bids.efficiency[k])
        if not limited:
            gain = bids.worth[k] - terms.offload_cost[k] - terms.local_value[k]
            low, most = max(low, min(gain, most)), max(most, gain)
    if not limited:
        return low
    low = 0.0
    for _ in range(_STEPS):
        third = (high - low) / 3.0
        if dual_value(terms, bids, low + third) <= dual_value(terms, bids, high - third):
            high -= third
        else:
            low += third
    return 0.5 * (low + high)


@kernel
def best_by_time_division(frame: Frame, rate_mbps: Floats, power_w: Floats, offloaded_mbps: Floats) -> float:
    """Decide one frame, and add its rates (Mbit/s), powers (W) and offloaded rates to those that are given.

    Those whom the best price of time makes offload are tried in nested sets, the one that gains most first.

    Returns:
        An upper bound on the objective (17) of every decision.
    """
    cell, n = frame.cell, frame.channel_gain.size
    terms = frame_terms(*frame)
    bids = frame_bids(cell, terms, frame.data_queue_mbit)
    time_price = best_time_price(terms, bids)
    gain = np.empty(n)
    for k in range(n):
        gain[k] = offer(terms, bids, k, time_price) - terms.local_value[k]
    offload, best_offload = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    share, efficiency = np.zeros(n), np.zeros(n)
    best_share, best_efficiency = np.zeros(n), np.zeros(n)
    best, _, _ = share_frame(terms, bids, offload, share, efficiency)
    for k in np.argsort(-gain):
        offload[k] = True
        objective, _, _ = share_frame(terms, bids, offload, share, efficiency)
        if objective > best:
            best = objective
            best_offload[:], best_share[:], best_efficiency[:] = offload, share, efficiency
        elif gain[k] <= 0.0:  # nor would those that follow gain
            break
    for k in range(n):
        i = terms.device[k]
        queue = frame.data_queue_mbit[i]
        if best_offload[k] and frame.channel_gain[i] > 0.0:
            uplink = best_share[k] * cell.uplink_mbps[i] * best_efficiency[k] / math.log(2.0)
            radiated = best_share[k] * math.expm1(best_efficiency[k]) * cell.noise_w / frame.channel_gain[i]
            rate, power = offloading_outcome(cell, i, uplink, radiated, queue)
            offloaded_mbps[i] += rate
        else:
            frequency = best_local_frequency(cell, i, queue, frame.energy_queue[i])
            rate, power = local_outcome(cell, i, frequency, queue)
        rate_mbps[i] += rate
        power_w[i] += power
    return max(dual_value(terms, bids, time_price), best) * (1.0 + _ROUNDING)
