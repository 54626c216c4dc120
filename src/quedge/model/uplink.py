"""A frame's physics: from signals over rates, powers and the objective to the queues of the next frame.

Kernels take a `Frame`, an `Allocation` and a `Reception`; the functions at the end are what Python calls.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.model.arrays import ascending_order
from quedge.model.cell import Cell
from quedge.model.frame import Allocation, Frame, Outcome, PackedAllocation, PackedFrame, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, Ints, inner_kernel, kernel

_ROUNDING = 1e-12  # relative, of a whole number of frequency steps
_RATE_ROUNDING = 1e-9  # relative; a channel that carries this much less than is sent still carries it


class Reception(NamedTuple):
    """How the offloaders' signals reach the server.

    Attributes:
        order: devices from the last decoded to the first; shape (devices,).
        channel_gain: true power gains (W/W), shape (devices,); decoding may go by others.
        residual_sic_share: share of a decoded signal's power that is left over those decoded after it.
    """

    order: Ints
    channel_gain: Floats
    residual_sic_share: float


@kernel
def decoding_order(channel_gain: Floats) -> Ints:
    """Devices from the last decoded (weakest) to the first (strongest); equal gains keep their order, eq. (20)."""
    return ascending_order(channel_gain)


@inner_kernel
def own_gains(channel_gain: Floats, subchannel: Ints) -> Floats:
    """The gain of each device on its own sub-channel; of one that has none, on the first.

    Args:
        channel_gain: gains of the devices, of each device on each sub-channel in turn where they differ.
        subchannel: as in an `Allocation`.
    """
    devices = subchannel.size
    if devices == 0 or channel_gain.size == devices:
        return channel_gain
    each = channel_gain.size // devices
    own = np.empty(devices)
    for i in range(devices):
        own[i] = channel_gain[i * each + max(subchannel[i], 0)]
    return own


@inner_kernel
def fill_group_interference(
    reception: Reception, subchannel: Ints, transmit_power_w: Floats, subchannels: int, interference_w: Floats
) -> None:
    """As `fill_interference`, on each sub-channel for itself."""
    heard = np.zeros(subchannels)
    for i in reception.order:  # last decoded first
        interference_w[i] = heard[subchannel[i]] if subchannel[i] >= 0 else 0.0
        if subchannel[i] >= 0:
            heard[subchannel[i]] += transmit_power_w[i] * reception.channel_gain[i]
    if reception.residual_sic_share > 0.0:
        heard[:] = 0.0
        for i in reception.order[::-1]:
            if subchannel[i] >= 0:
                interference_w[i] += reception.residual_sic_share * heard[subchannel[i]]
                heard[subchannel[i]] += transmit_power_w[i] * reception.channel_gain[i]


@inner_kernel
def fill_interference(reception: Reception, offload: Bools, transmit_power_w: Floats, interference_w: Floats) -> None:
    """Fill in the interference of each device (W) by direct sum.

    It is the power received from all devices decoded later, eq. (24), and what is left of those decoded earlier.
    """
    later = 0.0
    for i in reception.order:  # last decoded first
        interference_w[i] = later
        if offload[i]:
            later += transmit_power_w[i] * reception.channel_gain[i]
    if reception.residual_sic_share > 0.0:
        earlier = 0.0
        for i in reception.order[::-1]:
            interference_w[i] += reception.residual_sic_share * earlier
            if offload[i]:
                earlier += transmit_power_w[i] * reception.channel_gain[i]


@inner_kernel
def circuit_power(cell: Cell, i: int, rate_mbps: float) -> float:
    """P_q of an offloader (W): what it draws whatever it sends, and in proportion to its task bits."""
    return float(cell.circuit_power_w[i] + cell.circuit_energy_j_per_mbit[i] * rate_mbps)


@inner_kernel
def offloader_power(cell: Cell, i: int, radiated_w: float, rate_mbps: float) -> float:
    """Power of an offloader (W), eq. (6): what it radiates, what its circuits draw, and what it draws idle."""
    return float(radiated_w + circuit_power(cell, i, rate_mbps) + cell.idle_power_w[i])


@inner_kernel
def offloading_outcome(
    cell: Cell, i: int, uplink_rate_mbps: float, radiated_w: float, data_queue_mbit: float
) -> tuple[float, float]:
    """Rate of task bits (Mbit/s) and power (W) of an offloader, by the rate of its uplink; eqs. (4)-(6).

    The uplink carries key exchange and framing, too. A device sends no more than its queue holds, r T ≤ Q, and than its
    PQC module keeps up with.
    """
    rate = max(uplink_rate_mbps - cell.overhead_mbps[i], 0.0)
    rate = min(rate, data_queue_mbit / cell.frame_s, cell.max_secured_mbps[i])
    return rate, offloader_power(cell, i, radiated_w, rate)


@inner_kernel
def local_outcome(cell: Cell, i: int, cpu_frequency_hz: float, data_queue_mbit: float) -> tuple[float, float]:
    """Rate (Mbit/s) and power (W) of local computing, eq. (1), (5), (6); r T ≤ Q."""
    rate = min(cpu_frequency_hz / cell.cycles_per_mbit[i], data_queue_mbit / cell.frame_s)
    computing_w = cell.energy_coefficient[i] * (cpu_frequency_hz * cpu_frequency_hz * cpu_frequency_hz)
    return rate, computing_w + cell.idle_power_w[i]


@inner_kernel
def queue_weight(cell: Cell, data_queue_mbit: float) -> float:
    """Weight T (Q / T)^β of a device's rate by its data queue (Mbit), with Q / T in Mbit/s; Q itself for β = 1."""
    if cell.queue_exponent == 1.0:
        return data_queue_mbit
    return float(cell.frame_s * (data_queue_mbit / cell.frame_s) ** cell.queue_exponent)


@inner_kernel
def rate_weight(cell: Cell, i: int, data_queue_mbit: float) -> float:
    """a_i of problem (17): what a Mbit/s of device i is worth (Mbit); offloaded, `server_weight` less."""
    return float(queue_weight(cell, data_queue_mbit) + cell.v * cell.weight[i])


@inner_kernel
def best_local_frequency(cell: Cell, i: int, data_queue_mbit: float, energy_queue: float) -> float:
    """CPU frequency (Hz) of the best local computing: it maximises a f/φ − b κ f³ within its limits; Section IV-B."""
    cycles, price = cell.cycles_per_mbit[i], cell.nu * energy_queue
    frequency = min(cycles * data_queue_mbit / cell.frame_s, cell.max_frequency_hz[i])
    if price > 0.0:
        value = rate_weight(cell, i, data_queue_mbit)
        frequency = min(frequency, math.sqrt(value / (3.0 * cycles * cell.energy_coefficient[i] * price)))
    if cell.frequency_step_hz[i] > 0.0:
        return _best_frequency_level(cell, i, data_queue_mbit, price, frequency)
    return float(frequency)


@inner_kernel
def frequency_level(cell: Cell, i: int, frequency: float) -> float:
    """The highest of the CPU's frequencies (Hz) up to a given one; itself where any will do."""
    step = cell.frequency_step_hz[i]
    if step == 0.0:
        return float(frequency)
    return float(math.floor(frequency / step * (1.0 + _ROUNDING)) * step)


@inner_kernel
def _best_frequency_level(cell: Cell, i: int, data_queue_mbit: float, price: float, frequency: float) -> float:
    """The better of the CPU's two frequencies beside the best of all; what they bring is concave in the frequency."""
    below = frequency_level(cell, i, frequency)
    above = float(below + cell.frequency_step_hz[i])
    if above > cell.max_frequency_hz[i] * (1.0 + _ROUNDING):
        return below
    value = rate_weight(cell, i, data_queue_mbit)
    at_below = _computing_value(cell, i, data_queue_mbit, value, price, below)
    at_above = _computing_value(cell, i, data_queue_mbit, value, price, above)
    return above if at_above > at_below else below


@inner_kernel
def _computing_value(cell: Cell, i: int, data_queue_mbit: float, value: float, price: float, frequency: float) -> float:
    """What local computing at a frequency adds to objective (17)."""
    rate, power_w = local_outcome(cell, i, frequency, data_queue_mbit)
    return float(value * rate - price * power_w)


@inner_kernel
def best_local_value(cell: Cell, i: int, data_queue_mbit: float, energy_queue: float) -> float:
    """What the best local computing adds to objective (17)."""
    frequency = best_local_frequency(cell, i, data_queue_mbit, energy_queue)
    value, price = rate_weight(cell, i, data_queue_mbit), cell.nu * energy_queue
    if cell.frequency_step_hz[i] > 0.0:
        return _computing_value(cell, i, data_queue_mbit, value, price, frequency)
    gain = value * frequency / cell.cycles_per_mbit[i]
    gain -= price * cell.energy_coefficient[i] * (frequency * frequency * frequency)
    return float(gain - price * cell.idle_power_w[i])


@inner_kernel
def frequency_beside(cell: Cell, i: int, sent_mbps: float, data_queue_mbit: float, energy_queue: float) -> float:
    """CPU frequency (Hz) of the best local computing of what an offloader does not send; docs/model.md."""
    left = max(data_queue_mbit / cell.frame_s - sent_mbps, 0.0)
    alone = best_local_frequency(cell, i, data_queue_mbit, energy_queue)
    return float(min(alone, cell.cycles_per_mbit[i] * left))


@inner_kernel
def computing_beside(cell: Cell, i: int, cpu_frequency_hz: float, left_mbit: float) -> tuple[float, float]:
    """Rate (Mbit/s) and power (W) of an offloader's CPU, which computes of what is not sent; r T ≤ Q for both."""
    rate = min(cpu_frequency_hz / cell.cycles_per_mbit[i], max(left_mbit, 0.0) / cell.frame_s)
    return rate, cell.energy_coefficient[i] * (cpu_frequency_hz * cpu_frequency_hz * cpu_frequency_hz)


@inner_kernel
def frame_objective(
    cell: Cell, data_queue_mbit: Floats, energy_queue: Floats, offload: Bools, rate_mbps: Floats, power_w: Floats
) -> float:
    """Σ (Q^β + V c) r − ν Y e, in Mbit²/s: the part of the drift-plus-penalty bound that a decision moves.

    Where the edge server has queues S, an offloaded rate brings (Q^β − S^β + V c) r instead (docs/edge-server.md).

    The factor ν on Y is not printed in the paper; with it, and only with it, the stationary values of
    Tables III and IV come out.

    Source: problem (17).
    """
    total = 0.0
    for i in range(rate_mbps.size):
        value = rate_weight(cell, i, data_queue_mbit[i])
        if offload[i]:
            value -= cell.server_weight[i]
        total += value * rate_mbps[i] - cell.nu * energy_queue[i] * power_w[i]
    return total


@inner_kernel
def fill_outcome(
    frame: Frame, reception: Reception, allocation: Allocation, rate_mbps: Floats, power_w: Floats
) -> float:
    """Fill in the rate (Mbit/s) and power (W) of each device; returns the objective (17).

    With time shares the offloaders transmit one after the other, each in its share of the frame and without
    interference; without them all transmit for the whole frame, those of one sub-channel on top of each other. They
    draw the powers that were chosen.

    Source: eqs. (1)-(6); LyDROO for the time shares; docs/channels.md for imperfect cancellation.
    """
    interference = rate_mbps  # a device's own is read before its rate takes the place
    if allocation.subchannel.size > 0:
        fill_group_interference(
            reception, allocation.subchannel, allocation.transmit_power_w, frame.cell.subchannels, interference
        )
    elif allocation.time_share.size == 0:
        fill_interference(reception, allocation.offload, allocation.transmit_power_w, interference)
    return fill_disturbed_outcome(frame, reception.channel_gain, allocation, interference, rate_mbps, power_w)


@inner_kernel
def fill_disturbed_outcome(
    frame: Frame,
    channel_gain: Floats,
    allocation: Allocation,
    interference_w: Floats,
    rate_mbps: Floats,
    power_w: Floats,
) -> float:
    """As `fill_outcome`, over given gains and interference (W), which may be the array of the rates."""
    cell, queue = frame.cell, frame.data_queue_mbit
    is_tdma = allocation.time_share.size > 0
    for i in range(rate_mbps.size):
        if allocation.offload[i]:
            share = allocation.time_share[i] if is_tdma else 1.0
            transmit = allocation.transmit_power_w[i]
            noise = cell.noise_w + (0.0 if is_tdma else interference_w[i])
            sinr = transmit * channel_gain[i] / noise  # eq. (2)
            uplink_rate = share * cell.uplink_mbps[i] * math.log1p(sinr) / math.log(2.0)  # eq. (3)
            rate_mbps[i], power_w[i] = offloading_outcome(cell, i, uplink_rate, share * transmit, queue[i])
            if cell.is_partial > 0.0:
                left = queue[i] - rate_mbps[i] * cell.frame_s
                computed, drawn = computing_beside(cell, i, allocation.cpu_frequency_hz[i], left)
                rate_mbps[i] += computed
                power_w[i] += drawn
        else:
            rate_mbps[i], power_w[i] = local_outcome(cell, i, allocation.cpu_frequency_hz[i], queue[i])
    return frame_objective(cell, queue, frame.energy_queue, allocation.offload, rate_mbps, power_w)


@inner_kernel
def deliver_fixed_rates(
    frame: Frame, reception: Reception, allocation: Allocation, rate_mbps: Floats, power_w: Floats
) -> float:
    """Take the rates (Mbit/s) that offloaders have fixed, and do not reach, for 0; returns the objective (17).

    Signals are decoded in turn. One whose channel carries less than its rate is not decoded, so that it is not taken
    off, either: all of it disturbs those after it. Every device draws the power of what it sent.

    Args:
        frame: the frame.
        reception: how signals reach the server.
        allocation: what is decided.
        rate_mbps: the fixed rates; those that were not reached become 0.
        power_w: the powers that go with them (W).
    """
    cell, is_tdma = frame.cell, allocation.time_share.size > 0
    sending = allocation.transmit_power_w
    later = 0.0
    for i in reception.order:
        later += sending[i] * reception.channel_gain[i] if allocation.offload[i] else 0.0
    left = 0.0  # of the devices decoded so far
    for place in range(rate_mbps.size - 1, -1, -1):
        i = reception.order[place]
        if not allocation.offload[i]:
            continue
        received = sending[i] * reception.channel_gain[i]
        later = max(later - received, 0.0)
        share = allocation.time_share[i] if is_tdma else 1.0
        noise = cell.noise_w + (0.0 if is_tdma else later + left)
        carried = share * cell.uplink_mbps[i] * math.log1p(received / noise) / math.log(2.0)
        needed = rate_mbps[i] + cell.overhead_mbps[i] if rate_mbps[i] > 0.0 else 0.0
        if carried < needed * (1.0 - _RATE_ROUNDING):
            rate_mbps[i] = 0.0
            left += received
        else:
            left += reception.residual_sic_share * received
    return frame_objective(cell, frame.data_queue_mbit, frame.energy_queue, allocation.offload, rate_mbps, power_w)


@inner_kernel
def advance_queues(
    cell: Cell, data_queue_mbit: Floats, energy_queue: Floats, rate_mbps: Floats, power_w: Floats, arrival_mbit: Floats
) -> None:
    """Advance both queues by one frame, in place; all arrays of shape (devices,).

    Q(t+1) = Q − r T + A and Y(t+1) = max(Y + ν (e − γ), 0), with e the frame's mean power and ν the cell's, which
    goes with √T; and so does Y.

    Source: Section III; causality keeps Q from falling below zero.
    """
    for i in range(data_queue_mbit.size):
        left = data_queue_mbit[i] - rate_mbps[i] * cell.frame_s
        data_queue_mbit[i] = max(left, 0.0) + arrival_mbit[i]
        over_budget = cell.nu * (power_w[i] - cell.power_budget_w[i])
        energy_queue[i] = max(energy_queue[i] + over_budget, 0.0)


@inner_kernel
def step(
    frame: Frame, reception: Reception, allocation: Allocation, arrival_mbit: Floats, rate_mbps: Floats, power_w: Floats
) -> float:
    """Carry out an allocation: as `fill_outcome`, and the frame's queues are advanced in place."""
    objective = fill_outcome(frame, reception, allocation, rate_mbps, power_w)
    advance_queues(frame.cell, frame.data_queue_mbit, frame.energy_queue, rate_mbps, power_w, arrival_mbit)
    return objective


def predicted_outcome(frame: Frame, allocation: Allocation) -> Outcome:
    """What an allocation brings if the frame's gains are the true ones and cancellation is perfect."""
    return realised_outcome(frame, allocation, frame.channel_gain, 0.0)


def realised_outcome(frame: Frame, allocation: Allocation, channel_gain: Floats, residual_sic_share: float) -> Outcome:
    """What an allocation that was decided by a frame's gains brings over the true channel; see `fill_outcome`.

    Args:
        frame: the frame as policies see it: devices are decoded in the order of its gains.
        allocation: what is decided.
        channel_gain: true power gains (W/W), of the shape of the frame's.
        residual_sic_share: share of a decoded signal's power that cancellation leaves.
    """
    return Outcome(*_outcome(packed_frame(frame), (*allocation,), channel_gain.reshape(-1), residual_sic_share))


@kernel
def _outcome(
    packed: PackedFrame, decided: PackedAllocation, channel_gain: Floats, residual_sic_share: float
) -> tuple[Floats, Floats, float]:
    frame, allocation = unpacked_frame(*packed), Allocation(*decided)
    devices = frame.data_queue_mbit.size
    rate_mbps, power_w = np.empty(devices), np.empty(devices)
    estimated = own_gains(frame.channel_gain, allocation.subchannel)
    true = own_gains(channel_gain, allocation.subchannel)
    reception = Reception(decoding_order(estimated), true, residual_sic_share)
    return rate_mbps, power_w, fill_outcome(frame, reception, allocation, rate_mbps, power_w)
