"""Frames in a row in one compiled call: decision, outcome and queues without Python, and without its lock."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from quedge.model.conditions import Conditions, Facilities, advance_conditions, fill_frame_cell
from quedge.model.frame import LOCAL, Allocation, Frame, PackedAllocation, unpacked_frame
from quedge.model.kernels import Bools, Bytes, Floats, Ints, call_at, inner_kernel, kernel, unlocked_kernel
from quedge.model.uplink import (
    Reception,
    advance_queues,
    decoding_order,
    deliver_fixed_rates,
    fill_disturbed_outcome,
    fill_interference,
    fill_outcome,
    own_gains,
    step,
)
from quedge.policy.compiled import NOTES, OBJECTIVE, STATUS, UPPER_BOUND
from quedge.policy.policy import is_well_grouped, is_within_limits


class Decider(NamedTuple):
    """Who decides: a kernel as in `Compiled`.

    Attributes:
        address: where the kernel lies.
        own: its own numbers.
        drawn: random numbers, as many a frame as it takes, shape (frames, random numbers).
    """

    address: int
    own: Floats
    drawn: Floats


class Surroundings(NamedTuple):
    """What no decision changes.

    Attributes:
        numbers: the cell as in a `PackedFrame`: its numbers.
        each: and those of its devices; where conditions vary, those of the frame, changed in place.
        usual_each: those that the scenario gives.
        facilities: the fields of its `Facilities`.
        residual_sic_share: share of a decoded signal's power that cancellation leaves.
        knows_disturbance: whether the policy plans with that share, and with margins.
        fixed_rates: whether what the channel does not carry is lost.
        channel_gain: true power gains (W/W), shape (frames, devices), or with one a device and sub-channel in a row.
        channel_estimate: power gains as they are estimated (W/W), of the same shape.
        arrival_mbit: data that arrives during each frame (Mbit), shape (frames, devices).
        harvest_j: energy that is harvested during each frame (J), shape (frames, devices), or (frames, 0).
    """

    numbers: Floats
    each: Floats
    usual_each: Floats
    facilities: tuple[Floats, float, Floats, Floats]
    residual_sic_share: float
    knows_disturbance: bool
    fixed_rates: bool
    channel_gain: Floats
    channel_estimate: Floats
    arrival_mbit: Floats
    harvest_j: Floats


class Records(NamedTuple):
    """What is recorded, as in a `Trace`: a row a frame. A status stands by its place in `STATUSES`.

    In an ideal world the promised rates and objectives are the very arrays of those that are reached. Of batteries and
    the edge server's queues there are none where the scenario has none, of sub-channels where there is one.
    """

    data_queue_mbit: Floats
    energy_queue: Floats
    battery_j: Floats
    server_queue_mbit: Floats
    offload: Bools
    transmit_power_w: Floats
    time_share: Floats
    cpu_frequency_hz: Floats
    rate_mbps: Floats
    power_w: Floats
    objective: Floats
    promised_rate_mbps: Floats
    promised_objective: Floats
    subchannel: Ints
    upper_bound: Floats
    status: Bytes
    notes: Floats


Packed = tuple[Any, ...]
"""The fields of a named tuple above, which as such takes Python many times as long to pass."""
State = tuple[Floats, Floats, Floats, Floats]
"""Data queues (Mbit), virtual energy queues, and the fields of `Conditions`."""


def new_records(frames: int, devices: int, ideal: bool, conditions: Conditions, is_divided: bool = False) -> Records:
    """Room for what is recorded, without notes; `is_divided` where there are several sub-channels."""
    shape = frames, devices
    rate, objective = np.empty(shape), np.empty(frames)
    return Records(
        data_queue_mbit=np.empty(shape),
        energy_queue=np.empty(shape),
        battery_j=np.empty((frames, conditions.battery_j.size)),
        server_queue_mbit=np.empty((frames, conditions.server_queue_mbit.size)),
        offload=np.zeros(shape, np.bool_),
        transmit_power_w=np.empty(shape),
        time_share=np.empty(shape),
        cpu_frequency_hz=np.empty(shape),
        rate_mbps=rate,
        power_w=np.empty(shape),
        objective=objective,
        promised_rate_mbps=rate if ideal else np.empty(shape),
        promised_objective=objective if ideal else np.empty(frames),
        subchannel=np.full((frames, devices if is_divided else 0), LOCAL),
        upper_bound=np.full(frames, np.nan),
        status=np.zeros(frames, np.uint8),
        notes=np.empty((frames, 0)),
    )


@inner_kernel
def frame_at(t: int, around: Surroundings, state: State) -> Frame:
    """Frame t as policies see it; where conditions vary, its cell is filled in."""
    data_queue_mbit, energy_queue, battery_j, server_queue_mbit = state
    estimate = around.channel_estimate[t]
    if battery_j.size > 0 or server_queue_mbit.size > 0:
        usual = unpacked_frame(around.numbers, around.usual_each, estimate, data_queue_mbit, energy_queue).cell
        cell = unpacked_frame(around.numbers, around.each, estimate, data_queue_mbit, energy_queue).cell
        fill_frame_cell(usual, Conditions(battery_j, server_queue_mbit), estimate, data_queue_mbit, cell)
    return unpacked_frame(around.numbers, around.each, estimate, data_queue_mbit, energy_queue)


@kernel
def fill_cell(t: int, around: Packed, state: State) -> None:
    """Fill in the cell of frame t, `each`, where conditions vary."""
    frame_at(t, Surroundings(*around), state)


@inner_kernel
def _fill_promise(
    around: Surroundings, frame: Frame, planned: Reception, decided: Allocation, rate_mbps: Floats, power_w: Floats
) -> float:
    """Fill in the rates and powers by which a policy decides; returns the objective (17)."""
    estimate = planned.channel_gain
    if not around.knows_disturbance or decided.subchannel.size > 0:
        return fill_outcome(frame, planned, decided, rate_mbps, power_w)
    disturbing = Reception(planned.order, estimate * frame.cell.interference_margin, around.residual_sic_share)
    if decided.time_share.size == 0:
        fill_interference(disturbing, decided.offload, decided.transmit_power_w, rate_mbps)
    return fill_disturbed_outcome(frame, estimate, decided, rate_mbps, rate_mbps, power_w)


@inner_kernel
def carry_out(t: int, around: Surroundings, state: State, ideal: bool, decided: Allocation, records: Records) -> bool:
    """Carry out what is decided in frame t: record it, reach what it brings, and advance the state in place.

    The cell is that of the frame already.

    Returns:
        False where a decision is beyond a limit, which is then only recorded.
    """
    data_queue_mbit, energy_queue, battery_j, server_queue_mbit = state
    estimate = around.channel_estimate[t]
    for i in range(battery_j.size):
        records.battery_j[t, i] = battery_j[i]
    for i in range(server_queue_mbit.size):
        records.server_queue_mbit[t, i] = server_queue_mbit[i]
    has_shares = decided.time_share.size > 0
    for i in range(data_queue_mbit.size):
        records.data_queue_mbit[t, i], records.energy_queue[t, i] = data_queue_mbit[i], energy_queue[i]
        records.offload[t, i] = decided.offload[i]
        records.transmit_power_w[t, i] = decided.transmit_power_w[i]
        records.cpu_frequency_hz[t, i] = decided.cpu_frequency_hz[i]
        records.time_share[t, i] = decided.time_share[i] if has_shares else 1.0 * decided.offload[i]
    for i in range(decided.subchannel.size if records.subchannel.shape[1] > 0 else 0):
        records.subchannel[t, i] = decided.subchannel[i]
    frame = unpacked_frame(around.numbers, around.each, estimate, data_queue_mbit, energy_queue)
    limits = frame.cell.max_transmit_power_w, frame.cell.max_frequency_hz, frame.cell.is_partial
    if not is_within_limits(
        *limits, decided.offload, decided.transmit_power_w, decided.cpu_frequency_hz, decided.time_share
    ):
        return False
    if not is_well_grouped(frame.cell.subchannels, frame.cell.group_size_max, decided.offload, decided.subchannel):
        return False
    estimate, true = own_gains(estimate, decided.subchannel), own_gains(around.channel_gain[t], decided.subchannel)
    order = decoding_order(estimate)
    rate, power = records.rate_mbps[t], records.power_w[t]
    if not ideal:
        planned = Reception(order, estimate, 0.0)
        promised_rate = records.promised_rate_mbps[t]  # power is overwritten below
        records.promised_objective[t] = _fill_promise(around, frame, planned, decided, promised_rate, power)
    reception = Reception(order, true, around.residual_sic_share)
    if around.fixed_rates and not ideal:
        for i in range(rate.size):
            rate[i] = records.promised_rate_mbps[t, i]
        records.objective[t] = deliver_fixed_rates(frame, reception, decided, rate, power)
        advance_queues(frame.cell, data_queue_mbit, energy_queue, rate, power, around.arrival_mbit[t])
    else:
        records.objective[t] = step(frame, reception, decided, around.arrival_mbit[t], rate, power)
    if battery_j.size > 0 or server_queue_mbit.size > 0:
        here, harvest = Conditions(battery_j, server_queue_mbit), around.harvest_j[t]
        advance_conditions(frame.cell, Facilities(*around.facilities), here, harvest, decided.offload, rate, power)
    return True


@kernel
def run_frame(t: int, around: Packed, state: State, ideal: bool, decided: PackedAllocation, records: Packed) -> bool:
    """As `carry_out`, for Python."""
    return carry_out(t, Surroundings(*around), state, ideal, Allocation(*decided), Records(*records))


@unlocked_kernel
def run_block(decided_by: Packed, met: Packed, state: State, ideal: bool, filled: Packed) -> int:
    """Run frames in a row; the state is advanced in place.

    Args:
        decided_by: fields of a `Decider`.
        met: fields of `Surroundings`, of these frames.
        state: at the start of the first.
        ideal: whether what is promised is what is reached.
        filled: fields of `Records`, of these frames; filled in.

    Returns:
        The number of frames run. It is less than all where a decision is beyond a limit, which is then only recorded.
    """
    decider, around, records = Decider(*decided_by), Surroundings(*met), Records(*filled)
    frames, devices = around.arrival_mbit.shape
    subchannel = np.empty(records.subchannel.shape[1], np.int64)
    offload, powers = np.empty(devices, np.bool_), np.empty((5 if subchannel.size > 0 else 4, devices))
    told, no_shares = np.empty(NOTES + records.notes.shape[1]), np.empty(0)
    decided = Allocation(offload, powers[0], powers[1], no_shares, subchannel)
    for t in range(frames):
        frame_at(t, around, state)
        packed = around.numbers, around.each, around.channel_estimate[t], state[0], state[1]
        asked = packed, decider.own, decider.drawn[t], offload, powers, told
        call_at(decider.address, asked)  # type: ignore[call-arg]  # numba itself passes the context
        for note in range(told.size - NOTES):
            records.notes[t, note] = told[NOTES + note]
        records.objective[t], records.upper_bound[t] = told[OBJECTIVE], told[UPPER_BOUND]
        records.status[t] = told[STATUS]
        for i in range(subchannel.size):
            subchannel[i] = int(powers[4, i])
        if not carry_out(t, around, state, ideal, decided, records):
            return int(t)
    return int(frames)
