"""Time division: the offloaders transmit one after the other, in optimal shares of the frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.allocator import Choice
from quedge.allocation.efficiency import efficiency_saving, saved_by_time
from quedge.allocation.split_time import share_split
from quedge.model.arrays import ascending_order, copy_into
from quedge.model.cell import Cell, check_ungrouped
from quedge.model.frame import (
    NO_SUBCHANNELS,
    Allocation,
    Decision,
    Frame,
    PackedFrame,
    Status,
    at_least_one,
    checked_offload,
    packed_frame,
    unpacked_frame,
)
from quedge.model.kernels import Bools, Floats, Ints, kernel
from quedge.model.terms import Terms, frame_terms, max_log_growth
from quedge.model.uplink import Reception, best_local_frequency, fill_outcome, frequency_beside, offloading_outcome

_LEAST_SAVING = 1e-300  # keeps shares finite where a load is so small that its square underflows


class Bids(NamedTuple):
    """What time on the uplink is worth to each device of a chain, if it has the uplink to itself.

    Attributes:
        load: share of the frame times spectral efficiency that empties the queue; shape (devices,), like all.
        efficiency: v*, the spectral efficiency at which its time is worth most.
        worth: what a unit of time at v* adds to the objective; zero where a device has no use for time.
        brake: the price of time below which it sends its queue more slowly than at v*, to save energy.
        ranking: the devices, the most worth of time first.
    """

    load: Floats
    efficiency: Floats
    worth: Floats
    brake: Floats
    ranking: Ints


@kernel
def frame_bids(cell: Cell, terms: Terms, data_queue_mbit: Floats) -> Bids:
    """The bids of a frame's devices."""
    n = terms.device.size
    load, best, worth, brake = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    for k in range(n):
        i = terms.device[k]
        if terms.growth_limit[k] > 1.0:
            load[k] = max_log_growth(cell, i, data_queue_mbit[i])
        margin = terms.rate_value[k] - terms.level_price[k]  # slope of the objective at the first nat
        if load[k] > 0.0 and margin > 0.0:
            surplus = margin - terms.level_price[k] * terms.step_limit[k]  # slope at the highest power
            if surplus >= 0.0:
                best[k] = math.log1p(terms.step_limit[k])
            else:
                best[k] = math.log1p(margin / terms.level_price[k])
            brake[k] = terms.level_price[k] * saved_by_time(best[k])
            worth[k] = brake[k] + max(surplus, 0.0) * best[k]  # α v − β (e^v − 1), without its cancellation
    return Bids(load, best, worth, brake, ascending_order(-worth))


@kernel
def efficiency_at(terms: Terms, bids: Bids, k: int, time_price: float) -> float:
    """The spectral efficiency at which device k sends its queue at the least cost of time and energy."""
    if time_price >= bids.brake[k]:
        return float(bids.efficiency[k])
    saving = max(time_price / terms.level_price[k], _LEAST_SAVING)
    return float(min(efficiency_saving(saving), bids.efficiency[k]))


@kernel
def time_wanted(terms: Terms, bids: Bids, senders: Ints, time_price: float) -> tuple[float, float]:
    """Share of the frame in which `senders` empty their queues, and how fast it falls with the price's logarithm."""
    wanted, fall = 0.0, 0.0
    for k in senders:
        efficiency = efficiency_at(terms, bids, k, time_price)
        share = bids.load[k] / efficiency
        wanted += share
        if time_price < bids.brake[k]:
            saving = max(time_price / terms.level_price[k], _LEAST_SAVING)
            fall += share * saving / (efficiency * efficiency * math.exp(efficiency))
    return wanted, fall


_ROUNDS = 100  # Newton's method needs about five
_FULL = 1e-13  # shares that fill the frame to within this are rescaled to fill it exactly


@kernel
def last_served(terms: Terms, bids: Bids, senders: Ints) -> tuple[int, int]:
    """The places in `senders`, first and past the last, of the least worthy devices that get any time.

    At the price that equals a device's worth, those before it either leave it time or do not; the last to which
    time is left is found by halving. Devices of equal worth stand together.
    """
    low, high = 0, 0
    at_best = bids.load[senders[0]] / bids.efficiency[senders[0]]
    while at_best < 1.0 and high + 1 < senders.size:  # nobody beyond those who fill the frame at their fastest
        high += 1
        at_best += bids.load[senders[high]] / bids.efficiency[senders[high]]
    while low < high:
        middle = (low + high + 1) // 2
        if time_wanted(terms, bids, senders[:middle], bids.worth[senders[middle]])[0] < 1.0:
            low = middle
        else:
            high = middle - 1
    first, end = low, low + 1
    while first > 0 and bids.worth[senders[first - 1]] == bids.worth[senders[low]]:
        first -= 1
    while end < senders.size and bids.worth[senders[end]] == bids.worth[senders[low]]:
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
def senders_by_worth(bids: Bids, offload: Bools) -> Ints:
    """The offloaders that have a use for time, the most worth of time first."""
    senders = np.empty(offload.size, np.int64)
    count = 0
    for k in bids.ranking:
        if offload[k] and bids.worth[k] > 0.0:
            senders[count] = k
            count += 1
    return senders[:count]


@kernel
def share_out(terms: Terms, bids: Bids, senders: Ints, share: Floats, efficiency: Floats) -> tuple[float, bool]:
    """Fills in shares and efficiencies of `senders`, at least one device; whoever is not served keeps what is there.

    Returns:
        The price of time, and whether it was found.
    """
    first, end = last_served(terms, bids, senders)
    price = bids.worth[senders[first]]
    before = time_wanted(terms, bids, senders[:first], price)[0]
    tied = 0.0
    for k in senders[first:end]:
        tied += bids.load[k] / bids.efficiency[k]
    if before + tied >= 1.0:  # the least worthy share the rest of the frame in proportion to what they want
        part = (1.0 - before) / tied
        for k in senders[:first]:
            efficiency[k] = efficiency_at(terms, bids, k, price)
            share[k] = bids.load[k] / efficiency[k]
        for k in senders[first:end]:
            efficiency[k] = bids.efficiency[k]
            share[k] = part * bids.load[k] / efficiency[k]
        return price, True
    price, wanted = price_filling_frame(terms, bids, senders[:end])  # every queue is emptied: there is time enough
    stretch = max(wanted, 1.0)
    for k in senders[:end]:
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
    senders = senders_by_worth(bids, offload)
    if senders.size > 0:
        price, found = share_out(terms, bids, senders, share, efficiency)
    total = 0.0
    for k in range(offload.size):
        if offload[k]:
            growth = max(share[k] * efficiency[k], terms.overhead[k])  # less brings no less than nothing
            energy = share[k] * math.expm1(efficiency[k])
            total += terms.rate_value[k] * growth - terms.level_price[k] * energy - terms.offload_cost[k]
        else:
            total += terms.local_value[k]
    return total, price, found


@kernel
def allocate_best_tdma(
    packed: PackedFrame, decisions: Bools
) -> tuple[int, tuple[Bools, Floats, Floats, Floats, Floats], Floats, float, float, bool]:
    """The best of several decisions of a packed frame by time division.

    Returns:
        Its place; offload, transmit power (W), CPU frequency (Hz), rate (Mbit/s) and power (W) in the frame's own
        order; its time shares; its objective (17); its price of time; and whether that price was found.
    """
    frame = unpacked_frame(*packed)
    cell, channel_gain, data_queue_mbit, energy_queue = frame
    n = channel_gain.size
    terms = frame_terms(*frame)
    bids = frame_bids(cell, terms, data_queue_mbit)
    share, efficiency = np.empty(n), np.empty(n)
    best, best_objective, best_price, best_found = 0, -math.inf, 0.0, False
    best_share, best_efficiency = np.zeros(n), np.zeros(n)
    is_partial = cell.is_partial > 0.0
    for k in range(n if is_partial else 0):  # beyond its last Mbit of use nobody sends
        bids.load[k] = min(bids.load[k], math.log(terms.growth_limit[k]))
    for candidate in range(decisions.shape[0]):
        offload = decisions[candidate][terms.device]
        if is_partial:
            objective, price, found = share_split(terms, bids.load, bids.worth, offload, share, efficiency)
        else:
            objective, price, found = share_frame(terms, bids, offload, share, efficiency)
        if objective > best_objective:
            best, best_objective, best_price, best_found = candidate, objective, price, found
            copy_into(best_share, share)
            copy_into(best_efficiency, efficiency)
    offload = decisions[best].copy()
    transmit, frequency, time_share = np.zeros(n), np.zeros(n), np.zeros(n)
    for k in range(n):
        i = terms.device[k]
        offload[i] = offload[i] and channel_gain[i] > 0.0
        if offload[i]:
            time_share[i] = best_share[k]
            power = math.expm1(best_efficiency[k]) * cell.noise_w / channel_gain[i]
            transmit[i] = min(power, cell.max_transmit_power_w[i])
            if is_partial:
                uplink_rate = best_share[k] * best_efficiency[k] * cell.uplink_mbps[i] / math.log(2.0)
                sent, _ = offloading_outcome(cell, i, uplink_rate, 0.0, data_queue_mbit[i])
                frequency[i] = frequency_beside(cell, i, sent, data_queue_mbit[i], energy_queue[i])
        else:
            frequency[i] = best_local_frequency(cell, i, data_queue_mbit[i], energy_queue[i])
    rate, drawn = np.empty(n), np.empty(n)
    allocation = Allocation(offload, transmit, frequency, time_share, NO_SUBCHANNELS)
    fill_outcome(frame, Reception(terms.device, channel_gain, 0.0), allocation, rate, drawn)
    return best, (offload, transmit, frequency, rate, drawn), time_share, best_objective, best_price, best_found


@dataclass(frozen=True)
class Tdma:
    """Time division: each offloader transmits alone, in a share of the frame, at the best shares and powers.

    The exact optimum for a given decision, as long as nobody is left below the overhead of key exchange and framing
    (docs/pqc.md). An offloader pays its circuit power whatever its share. Of the decision's notes, `time_price` is what
    the objective (17) would gain per unit of further time.

    Example:
        >>> decision = quedge.Tdma().allocate(frame, np.array([True, True, False]))
        >>> print(decision.time_share.round(3), decision.rate_mbps.round(2))
        [0.345 0.655 0.   ] [5.   6.77 3.  ]

    Source: LyDROO, the access scheme that the paper compares with.
    """

    def allocate(self, frame: Frame, offload: Any) -> Decision:
        """Shares, powers and frequencies for a given offloading decision; see `Allocator.allocate`."""
        return self.allocate_best(frame, checked_offload(offload, frame.cell.devices)[np.newaxis]).decision

    def allocate_best(self, frame: Frame, offloads: NDArray[np.bool_]) -> Choice:
        """The best of several decisions; see `BatchAllocator.allocate_best`."""
        check_ungrouped(frame.cell, f"with {type(self).__name__}, which allocates one group")
        candidate, powers, time_share, objective, price, found = allocate_best_tdma(
            packed_frame(frame), at_least_one(offloads)
        )
        status = Status.OK if found else Status.ROUNDS_SPENT
        return Choice(candidate, Decision(*powers, objective, None, status, time_share, {"time_price": price}))
