"""What time on the uplink is worth to each device, and how much of it each wants at a price."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.allocation.tdma.efficiency import efficiency_saving, saved_by_time
from quedge.model.cell import Cell
from quedge.model.compiled import Floats, Ints, kernel
from quedge.model.terms import Terms, most_nats

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
            load[k] = most_nats(
                data_queue_mbit[i], cell.frame_s, cell.max_secured_mbps[i], cell.overhead_mbps[i], cell.uplink_mbps[i]
            )
        margin = terms.rate_value[k] - terms.level_price[k]  # slope of the objective at the first nat
        if load[k] > 0.0 and margin > 0.0:
            surplus = margin - terms.level_price[k] * terms.step_limit[k]  # slope at the highest power
            if surplus >= 0.0:
                best[k] = math.log1p(terms.step_limit[k])
            else:
                best[k] = math.log1p(margin / terms.level_price[k])
            brake[k] = terms.level_price[k] * saved_by_time(best[k])
            worth[k] = brake[k] + max(surplus, 0.0) * best[k]  # α v − β (e^v − 1), without its cancellation
    return Bids(load, best, worth, brake, np.argsort(-worth, kind="mergesort"))


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
