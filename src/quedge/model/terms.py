"""Problem (17) of one frame as a chain: the form in which every solver here works.

Sort the devices by channel gain. With S the received power of noise and of all devices decoded later, and
s = S / N0, a device that offloads lifts the *level* from s to s' = s · (1 + SINR), eq. (21), (25); so
its transmit power is (s' − s) N0 / h and its rate B log2(s' / s), eqs. (27), (28). What it adds to (17) is

    α ln(s' / s) − β (s' − s) − c        with α = a B / ln 2,  β = b N0 / h,  c = b P_q,  eqs. (31), (32)

and its limits are s' ≤ ρ s (data in the queue, eq. (29)) and s' ≤ s + σ (transmit power, eq. (30)). A device
that computes locally leaves the level as it is and adds a constant. The weakest device is decoded last, without
interference: it starts from level 1.

Where the security of the uplink is derived from algorithms, it costs an energy ε per Mbit beside P_q, and key exchange
and framing use up the first ω Mbit/s of an offloader's rate, which is B log2(s' / s) − ω. The form stays the same, with

    α = max(a − b ε, 0) B / ln 2,    c = b P_q + α o,    o = ω ln 2 / B,

and with ω added to the data under the limit ρ. An offloader that does not get past o brings nothing, and no less; if it
could not gain even without interference, it sends nothing, ρ = 1. `docs/pqc.md` derives this.

A device of gain 0 is out of coverage. Its terms make offloading the very same as computing locally: it leaves the level
as it is, and −c is its objective of local computing. So no solver has to know of it, and no decision lets it transmit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.model.arrays import fill_ascending_order
from quedge.model.cell import Cell
from quedge.model.frame import Frame
from quedge.model.kernels import Bools, Floats, Ints, inner_kernel, kernel, without_refcount
from quedge.model.split import BEND, bends_within, fill_split, growth_worth, local_loss, no_split
from quedge.model.uplink import (
    best_local_frequency,
    best_local_value,
    computing_beside,
    frequency_beside,
    local_outcome,
    offloader_power,
    offloading_outcome,
    rate_weight,
)

_HIGHEST_LOG_GROWTH = 300.0  # e^300 is beyond any received power, and still far from overflow


class Terms(NamedTuple):
    """A frame's devices in the order in which the level builds up: the last decoded, weakest channel, first.

    Attributes:
        device: index of the device in the frame; shape (devices,), like all that follow.
        rate_value: α, gain of the objective per natural logarithm of level.
        level_price: β, cost in the objective per unit of level.
        offload_cost: c, fixed cost of offloading.
        overhead: o, the growth of ln s that key exchange and framing use up.
        growth_limit: ρ, highest factor from one level to the next.
        step_limit: σ, highest difference from one level to the next.
        local_value: best objective of local computing.
        split: if offloading is partial, what the uplink takes from the CPU (`model/split.py`), shape (devices, 4), and
            `offload_cost` is less the value of local computing alone; else without rows.
    """

    device: Ints
    rate_value: Floats
    level_price: Floats
    offload_cost: Floats
    overhead: Floats
    growth_limit: Floats
    step_limit: Floats
    local_value: Floats
    split: Floats


@inner_kernel
def max_log_growth(cell: Cell, i: int, data_queue_mbit: float) -> float:
    """The growth of ln s with which a device sends all that it may: its queue, as far as it can be secured in time.

    Without anything to send there is no overhead, either.
    """
    rate = min(data_queue_mbit / cell.frame_s, cell.max_secured_mbps[i])
    if rate > 0.0:
        rate += cell.overhead_mbps[i]
    return float(rate * math.log(2.0) / cell.uplink_mbps[i])


@kernel
def frame_terms(cell: Cell, channel_gain: Floats, data_queue_mbit: Floats, energy_queue: Floats) -> Terms:
    """The terms of a frame; arguments as in `Frame`."""
    terms = empty_terms(channel_gain.size, cell.is_partial)
    fill_ascending_order(channel_gain, terms.device)  # as they are decoded, eq. (20)
    state = without_refcount((cell, channel_gain, data_queue_mbit, energy_queue))
    cell, channel_gain, data_queue_mbit, energy_queue = state
    filled = without_refcount(terms)
    for k in range(channel_gain.size):
        fill_device_terms(cell, k, channel_gain, data_queue_mbit, energy_queue, filled)
    return terms


@kernel
def empty_terms(devices: int, is_partial: float) -> Terms:
    """Room for the terms of a frame."""
    n = devices
    return Terms(
        np.empty(n, np.int64), np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n),
        np.empty(n), np.empty((n if is_partial > 0.0 else 0, 4)),
    )  # fmt: skip


@inner_kernel
def fill_device_terms(
    cell: Cell, k: int, channel_gain: Floats, data_queue_mbit: Floats, energy_queue: Floats, terms: Terms
) -> None:
    """Fill in the terms of the device that stands at place k of the chain."""
    order, rate_value, level_price, offload_cost, overhead, growth_limit, step_limit, local_value, split = terms
    i = order[k]
    value = rate_weight(cell, i, data_queue_mbit[i])  # a_i of problem (17)
    price = cell.nu * energy_queue[i]  # b_i of problem (17)
    local_value[k] = best_local_value(cell, i, data_queue_mbit[i], energy_queue[i])
    if channel_gain[i] == 0.0:  # out of coverage
        rate_value[k] = level_price[k] = overhead[k] = step_limit[k] = 0.0
        offload_cost[k], growth_limit[k] = -local_value[k], 1.0
        if cell.is_partial > 0.0:
            split[k, BEND] = math.inf
        return
    gain_to_noise = channel_gain[i] / cell.noise_w
    uplink = cell.uplink_mbps[i]
    secured_value = max(value - cell.server_weight[i] - price * cell.circuit_energy_j_per_mbit[i], 0.0)
    rate_value[k] = secured_value * uplink / math.log(2.0)  # eq. (31)
    level_price[k] = price / gain_to_noise  # eq. (31)
    overhead[k] = cell.overhead_mbps[i] * math.log(2.0) / uplink
    offload_cost[k] = price * offloader_power(cell, i, 0.0, 0.0) + rate_value[k] * overhead[k]
    log_growth = min(max_log_growth(cell, i, data_queue_mbit[i]), _HIGHEST_LOG_GROWTH)
    if cell.is_partial > 0.0:
        frequency = best_local_frequency(cell, i, data_queue_mbit[i], energy_queue[i])
        state = data_queue_mbit[i], value, secured_value, price
        log_growth = min(log_growth, fill_split(cell, i, state, frequency, overhead[k], split[k]))
        offload_cost[k] -= local_value[k] + price * cell.idle_power_w[i]  # which it pays once
    growth_limit[k] = math.exp(log_growth)  # eq. (29)
    step_limit[k] = cell.max_transmit_power_w[i] * gain_to_noise  # eq. (30)
    if overhead[k] > 0.0:  # sends nothing if it could not gain even as the only one
        single = min(growth_limit[k], 1.0 + step_limit[k])
        if level_price[k] > 0.0:
            single = min(single, max(rate_value[k] / level_price[k], 1.0))
        if rate_value[k] * (math.log(single) - overhead[k]) <= level_price[k] * (single - 1.0):
            growth_limit[k] = 1.0


@inner_kernel
def with_slack(terms: Terms) -> Terms:
    """The terms as if no uplink took anything from its device's CPU: no decision is worth less under them."""
    return Terms(
        terms.device, terms.rate_value, terms.level_price, terms.offload_cost, terms.overhead, terms.growth_limit,
        terms.step_limit, terms.local_value, no_split(),
    )  # fmt: skip


@kernel
def highest_level(terms: Terms, k: int, level: float) -> float:
    """The highest level that device k may lift `level` to: min(ρ s, s + σ)."""
    return float(min(terms.growth_limit[k] * level, level + terms.step_limit[k]))


@kernel
def stationary_level(terms: Terms, k: int) -> float:
    """The level α / β at which device k's own part of (17) stops rising, eq. (37); infinite where 0 = β < α."""
    if terms.rate_value[k] == 0.0:
        return 0.0
    if terms.level_price[k] > 0.0:
        return float(terms.rate_value[k] / terms.level_price[k])
    return math.inf  # eqs. (40), (41)


@kernel
def step_objective(terms: Terms, k: int, before: float, after: float) -> float:
    """What device k adds to the objective (17) by lifting the level, eq. (32)."""
    growth = max(math.log(after / before), terms.overhead[k])  # less brings no less than nothing
    value = terms.rate_value[k] * growth - terms.level_price[k] * (after - before) - terms.offload_cost[k]
    if bends_within(terms.split, k, growth):
        value -= local_loss(terms.split, k, growth)
    return float(value)


@kernel
def own_best_level(terms: Terms, k: int, before: float, highest: float) -> float:
    """The level from `before` to `highest` at which device k's own part of (17) stops rising, eqs. (37), (41)."""
    level = min(max(stationary_level(terms, k), before), highest)
    if terms.split.shape[0] > 0:
        growth = math.log(level / before)
        if bends_within(terms.split, k, growth):
            growth = growth_worth(terms.split, k, terms.rate_value[k], terms.level_price[k] * before, growth)
            level = min(max(before * math.exp(growth), before), level)
    return float(level)


@kernel
def chain_objective(terms: Terms, offload: Bools, level: Floats) -> float:
    """Objective (17) of a decision given by levels: `level[k]` is the level after device k."""
    terms = without_refcount(terms)
    total = 0.0
    before = 1.0
    for k in range(offload.size):
        if offload[k]:
            total += step_objective(terms, k, before, level[k])
            before = level[k]
        else:
            total += terms.local_value[k]
    return total


@kernel
def powers_of_levels(
    terms: Terms, frame: Frame, offload: Bools, level: Floats
) -> tuple[Bools, Floats, Floats, Floats, Floats]:
    """A chain's decision back in the frame's own order of devices.

    Args:
        terms: the frame's terms.
        frame: the frame.
        offload: offloading decisions in the chain's order.
        level: level after each device of the chain.

    Returns:
        The first fields of a `Decision`: offload, transmit power (W), CPU frequency (Hz), rate (Mbit/s) and power (W),
        each of shape (devices,).

    Source: eqs. (27), (28).
    """
    terms, frame = without_refcount((terms, frame))
    cell, n = frame.cell, offload.size
    decided, transmit, frequency = np.zeros(n, np.bool_), np.zeros(n), np.zeros(n)
    rate, power = np.empty(n), np.empty(n)
    before = 1.0
    for k in range(n):
        i = terms.device[k]
        queue = frame.data_queue_mbit[i]
        if offload[k] and frame.channel_gain[i] > 0.0:
            decided[i] = True
            transmit[i] = transmit_power(cell, i, frame.channel_gain[i], before, level[k])
            uplink_rate = cell.uplink_mbps[i] * math.log(level[k] / before) / math.log(2.0)  # eq. (28)
            rate[i], power[i] = offloading_outcome(cell, i, uplink_rate, transmit[i], queue)
            if cell.is_partial > 0.0:
                frequency[i] = frequency_beside(cell, i, rate[i], queue, frame.energy_queue[i])
                computed, drawn = computing_beside(cell, i, frequency[i], queue - rate[i] * cell.frame_s)
                rate[i] += computed
                power[i] += drawn
            before = level[k]
        else:
            frequency[i] = best_local_frequency(cell, i, queue, frame.energy_queue[i])
            rate[i], power[i] = local_outcome(cell, i, frequency[i], queue)
    return decided, transmit, frequency, rate, power


@inner_kernel
def transmit_power(cell: Cell, i: int, channel_gain: float, before: float, after: float) -> float:
    """Power (W) with which device i lifts the level, eq. (27); rounding may not carry it over its limit."""
    return float(min((after - before) * cell.noise_w / channel_gain, cell.max_transmit_power_w[i]))
