"""A frame's physics: rates and powers of what is decided, the objective, and the queues of the next frame."""

from __future__ import annotations

import math

import numpy as np

from quedge.model.cell import Cell
from quedge.model.kernels import Bools, Floats, Ints, inner_kernel, kernel
from quedge.model.terms import Terms, best_local_frequency, decoding_order

AT_ONCE = np.empty(0)
"""The time shares of offloaders that all transmit at once, for the whole frame."""


@inner_kernel
def fill_interference(
    order: Ints,
    channel_gain: Floats,
    residual_sic_share: float,
    offload: Bools,
    transmit_power_w: Floats,
    interference: Floats,
) -> None:
    """Fill in the interference of each device (W), by direct sum, in a given order of decoding.

    It is all of the power received from the devices decoded later, eq. (24), and `residual_sic_share` of that received
    from those decoded earlier.
    """
    later = 0.0
    for i in order:  # last decoded first
        interference[i] = later
        if offload[i]:
            later += transmit_power_w[i] * channel_gain[i]
    if residual_sic_share > 0.0:
        earlier = 0.0
        for i in order[::-1]:
            interference[i] += residual_sic_share * earlier
            if offload[i]:
                earlier += transmit_power_w[i] * channel_gain[i]


@kernel
def interference_w(channel_gain: Floats, offload: Bools, transmit_power_w: Floats) -> Floats:
    """Received power of the offloading devices decoded after each device (W), by direct sum, eq. (24)."""
    return interference_left_w(channel_gain, channel_gain, 0.0, offload, transmit_power_w)


@kernel
def interference_left_w(
    channel_gain: Floats, channel_estimate: Floats, residual_sic_share: float, offload: Bools, transmit_power_w: Floats
) -> Floats:
    """Interference of each device (W) where signals are decoded by estimates and taken off imperfectly.

    The order is that of the estimates, the powers are those that the true channel brings: all of the devices decoded
    later, and `residual_sic_share` of those decoded earlier. With true estimates and no residue it is `interference_w`.
    """
    received = np.empty(offload.size)
    order = decoding_order(channel_estimate)
    fill_interference(order, channel_gain, residual_sic_share, offload, transmit_power_w, received)
    return received


@kernel
def secured_rate(cell: Cell, i: int, uplink_rate_mbps: float, data_queue_mbit: float) -> float:
    """Rate of task bits (Mbit/s) of an offloader: what its uplink carries beside key exchange and framing.

    No more than its queue holds, r T ≤ Q, and than its PQC module keeps up with.
    """
    rate = max(uplink_rate_mbps - cell.overhead_mbps[i], 0.0)
    return float(min(rate, data_queue_mbit / cell.frame_s, cell.max_secured_mbps[i]))


@kernel
def circuit_power(cell: Cell, i: int, rate_mbps: float) -> float:
    """P_q of an offloader (W): the part that it draws whatever it sends, and that in proportion to its task bits."""
    return float(cell.pqc_power_w[i] + cell.pqc_energy_j_per_mbit[i] * rate_mbps)


@kernel
def charge_device(
    cell: Cell,
    i: int,
    channel_gain: float,
    interference: float,
    data_queue_mbit: float,
    offloads: bool,
    transmit_power_w: float,
    cpu_frequency_hz: float,
    share: float,
) -> tuple[float, float]:
    """Rate (Mbit/s) and power (W) of device i, offloading in a share of the frame; eqs. (1)-(4)."""
    if offloads:
        sinr = transmit_power_w * channel_gain / (cell.noise_w + interference)  # eq. (2)
        uplink_rate = share * cell.uplink_mbps[i] * math.log1p(sinr) / math.log(2.0)  # eq. (3)
        rate = secured_rate(cell, i, uplink_rate, data_queue_mbit)
        return rate, share * transmit_power_w + circuit_power(cell, i, rate)  # eq. (4)
    rate = min(cpu_frequency_hz / cell.cycles_per_mbit[i], data_queue_mbit / cell.frame_s)  # eq. (1)
    return rate, cell.energy_coefficient[i] * cpu_frequency_hz**3  # eq. (1)


@inner_kernel
def fill_brought(
    cell: Cell,
    order: Ints,
    channel_gain: Floats,
    residual_sic_share: float,
    data_queue_mbit: Floats,
    offload: Bools,
    transmit_power_w: Floats,
    cpu_frequency_hz: Floats,
    time_share: Floats,
    rate_mbps: Floats,
    power_w: Floats,
) -> None:
    """Fill in rates and powers as `deliver` gives them, where devices are decoded in a given order."""
    in_turn = time_share.size > 0
    interference = rate_mbps  # a device's own is read before its rate takes the place
    if not in_turn:
        fill_interference(order, channel_gain, residual_sic_share, offload, transmit_power_w, interference)
    for i in range(channel_gain.size):
        rate_mbps[i], power_w[i] = charge_device(
            cell, i, channel_gain[i], 0.0 if in_turn else interference[i], data_queue_mbit[i], offload[i],
            transmit_power_w[i], cpu_frequency_hz[i], time_share[i] if in_turn else 1.0,
        )  # fmt: skip


@kernel
def charge(
    cell: Cell,
    channel_gain: Floats,
    data_queue_mbit: Floats,
    offload: Bools,
    transmit_power_w: Floats,
    cpu_frequency_hz: Floats,
    time_share: Floats,
) -> tuple[Floats, Floats]:
    """Rate (Mbit/s) and power (W) of each device under the given powers and frequencies.

    A device sends or computes no more than its queue holds: r T ≤ Q. With `time_share`, shape (devices,), the
    offloaders transmit one after the other, each in its share of the frame and without interference; where it is
    empty, `AT_ONCE`, all of them transmit for the whole frame.

    Source: eqs. (1)-(6); LyDROO for the time shares.
    """
    return deliver(
        cell, channel_gain, channel_gain, 0.0, data_queue_mbit, offload, transmit_power_w, cpu_frequency_hz, time_share
    )


@kernel
def deliver(
    cell: Cell,
    channel_gain: Floats,
    channel_estimate: Floats,
    residual_sic_share: float,
    data_queue_mbit: Floats,
    offload: Bools,
    transmit_power_w: Floats,
    cpu_frequency_hz: Floats,
    time_share: Floats,
) -> tuple[Floats, Floats]:
    """Rate and power as `charge` gives them, of powers that were chosen by estimates and meet the true channel.

    A device is decoded in the order of the estimates, at the rate that the true gains and what is left of the signals
    decoded before it allow; it draws the power that was chosen. Offloaders in turn meet no interference.

    Source: eqs. (1)-(6) with the residue of cancellation; docs/channels.md.
    """
    rate, power = np.empty(channel_gain.size), np.empty(channel_gain.size)
    fill_brought(
        cell, decoding_order(channel_estimate), channel_gain, residual_sic_share, data_queue_mbit, offload,
        transmit_power_w, cpu_frequency_hz, time_share, rate, power,
    )  # fmt: skip
    return rate, power


@kernel
def powers_of_levels(
    terms: Terms,
    cell: Cell,
    channel_gain: Floats,
    data_queue_mbit: Floats,
    energy_queue: Floats,
    offload: Bools,
    level: Floats,
) -> tuple[Bools, Floats, Floats, Floats, Floats]:
    """A chain's decision back in the frame's own order of devices.

    Args:
        terms: the frame's terms.
        cell: constants of the cell.
        channel_gain: power gains (W/W), shape (devices,).
        data_queue_mbit: data queues (Mbit), shape (devices,).
        energy_queue: virtual energy queues, shape (devices,).
        offload: offloading decisions in the chain's order.
        level: level after each device of the chain.

    Returns:
        offload, transmit power (W), CPU frequency (Hz), rate (Mbit/s) and power (W), each of shape (devices,).

    Source: eqs. (27), (28).
    """
    n = offload.size
    decided = np.zeros(n, np.bool_)
    transmit = np.zeros(n)
    frequency = np.zeros(n)
    rate = np.empty(n)
    power = np.empty(n)
    before = 1.0
    for k in range(n):
        i = terms.device[k]
        if offload[k]:
            after = level[k]
            decided[i] = True
            step_w = (after - before) * cell.noise_w / channel_gain[i]  # eq. (27)
            transmit[i] = min(step_w, cell.max_transmit_power_w[i])
            rate[i] = cell.uplink_mbps[i] * math.log(after / before) / math.log(2.0)  # eq. (28)
            rate[i] = secured_rate(cell, i, rate[i], data_queue_mbit[i])
            power[i] = transmit[i] + circuit_power(cell, i, rate[i])
            before = after
        else:
            frequency[i] = best_local_frequency(
                data_queue_mbit[i] + cell.v * cell.weight[i], cell.nu * energy_queue[i], data_queue_mbit[i],
                cell.frame_s, cell.cycles_per_mbit[i], cell.energy_coefficient[i], cell.max_frequency_hz[i],
            )  # fmt: skip
            rate[i] = frequency[i] / cell.cycles_per_mbit[i]
            rate[i] = min(rate[i], data_queue_mbit[i] / cell.frame_s)
            power[i] = cell.energy_coefficient[i] * frequency[i] ** 3
    return decided, transmit, frequency, rate, power


@inner_kernel
def frame_objective(
    cell: Cell, data_queue_mbit: Floats, energy_queue: Floats, rate_mbps: Floats, power_w: Floats
) -> float:
    """Σ (Q + V c) r − ν Y e, in Mbit²/s: the part of the drift-plus-penalty bound that a decision moves.

    The factor ν on Y is not printed in the paper; with it, and only with it, the stationary values of
    Tables III and IV come out.

    Source: problem (17).
    """
    total = 0.0
    for i in range(rate_mbps.size):
        value = data_queue_mbit[i] + cell.v * cell.weight[i]
        total += value * rate_mbps[i] - cell.nu * energy_queue[i] * power_w[i]
    return total


@inner_kernel
def advance_queues(
    cell: Cell,
    data_queue_mbit: Floats,
    energy_queue: Floats,
    rate_mbps: Floats,
    power_w: Floats,
    arrival_mbit: Floats,
) -> None:
    """Advance both queues by one frame, in place.

    Q(t+1) = Q − r T + A and Y(t+1) = max(Y + ν (e − γ), 0), with e the frame's mean power and ν the cell's, which
    goes with √T; and so does Y.

    Args:
        cell: constants of the cell.
        data_queue_mbit: data queues Q (Mbit), shape (devices,); overwritten.
        energy_queue: virtual energy queues Y, shape (devices,); overwritten.
        rate_mbps: rate r of each device, r T ≤ Q (Mbit/s).
        power_w: mean power e of each device over the frame (W).
        arrival_mbit: data that arrived during the frame (Mbit).

    Source: Section III; causality keeps Q from falling below zero.
    """
    for i in range(data_queue_mbit.size):
        left = data_queue_mbit[i] - rate_mbps[i] * cell.frame_s
        data_queue_mbit[i] = max(left, 0.0) + arrival_mbit[i]
        over_budget = cell.nu * (power_w[i] - cell.power_budget_w[i])
        energy_queue[i] = max(energy_queue[i] + over_budget, 0.0)


@inner_kernel
def promise(
    cell: Cell,
    order: Ints,
    told_gain: Floats,
    data_queue_mbit: Floats,
    energy_queue: Floats,
    offload: Bools,
    transmit_power_w: Floats,
    cpu_frequency_hz: Floats,
    time_share: Floats,
    rate_mbps: Floats,
    power_w: Floats,
) -> float:
    """Fill in what a decision brings if the gains that were told are true and cancellation is perfect.

    Args:
        cell: constants of the cell.
        order: devices as they are decoded, by the gains that were told; shape (devices,), like all that follow.
        told_gain: power gains as they were told (W/W).
        data_queue_mbit: data queues Q (Mbit).
        energy_queue: virtual energy queues Y.
        offload: true where a device offloads.
        transmit_power_w: transmit powers (W).
        cpu_frequency_hz: CPU frequencies (Hz).
        time_share: as in `charge`.
        rate_mbps: filled with rates (Mbit/s).
        power_w: filled with powers (W).

    Returns:
        Objective (17) of it.
    """
    fill_brought(
        cell, order, told_gain, 0.0, data_queue_mbit, offload, transmit_power_w, cpu_frequency_hz, time_share,
        rate_mbps, power_w,
    )  # fmt: skip
    return frame_objective(cell, data_queue_mbit, energy_queue, rate_mbps, power_w)


@inner_kernel
def carry_out(
    cell: Cell,
    order: Ints,
    channel_gain: Floats,
    residual_sic_share: float,
    arrival_mbit: Floats,
    data_queue_mbit: Floats,
    energy_queue: Floats,
    offload: Bools,
    transmit_power_w: Floats,
    cpu_frequency_hz: Floats,
    time_share: Floats,
    rate_mbps: Floats,
    power_w: Floats,
) -> float:
    """Fill in what a decision brings in truth, and advance both queues in place; returns objective (17).

    Arguments as in `promise`, but `channel_gain` are the true gains, `residual_sic_share` is what cancellation leaves,
    and `arrival_mbit` arrives during the frame (Mbit).
    """
    fill_brought(
        cell, order, channel_gain, residual_sic_share, data_queue_mbit, offload, transmit_power_w, cpu_frequency_hz,
        time_share, rate_mbps, power_w,
    )  # fmt: skip
    objective = frame_objective(cell, data_queue_mbit, energy_queue, rate_mbps, power_w)
    advance_queues(cell, data_queue_mbit, energy_queue, rate_mbps, power_w, arrival_mbit)
    return objective


@kernel
def carry_out_as_assumed(
    cell: Cell,
    channel_gain: Floats,
    arrival_mbit: Floats,
    data_queue_mbit: Floats,
    energy_queue: Floats,
    offload: Bools,
    transmit_power_w: Floats,
    cpu_frequency_hz: Floats,
    time_share: Floats,
    rate_mbps: Floats,
    power_w: Floats,
) -> float:
    """As `carry_out`, where policies were told the true gains and cancellation leaves nothing."""
    return carry_out(
        cell, decoding_order(channel_gain), channel_gain, 0.0, arrival_mbit, data_queue_mbit, energy_queue,
        offload, transmit_power_w, cpu_frequency_hz, time_share, rate_mbps, power_w,
    )  # fmt: skip
