"""Frames in a row in one compiled call: decision, outcome and queues without Python, and without its lock."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quedge.model.frame import Allocation, unpacked_frame
from quedge.model.kernels import Bools, Bytes, Floats, call_at, unlocked_kernel
from quedge.model.uplink import Reception, decoding_order, fill_outcome, step
from quedge.policy.compiled import NOTES, OBJECTIVE, STATUS, UPPER_BOUND
from quedge.policy.policy import is_within_limits


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
        each: and those of its devices.
        residual_sic_share: share of a decoded signal's power that cancellation leaves.
        channel_gain: true power gains (W/W), shape (frames, devices).
        channel_estimate: power gains as they are estimated (W/W), shape (frames, devices).
        arrival_mbit: data that arrives during each frame (Mbit), shape (frames, devices).
    """

    numbers: Floats
    each: Floats
    residual_sic_share: float
    channel_gain: Floats
    channel_estimate: Floats
    arrival_mbit: Floats


class Records(NamedTuple):
    """What is recorded, as in a `Trace`: a row a frame. A status stands by its place in `STATUSES`.

    In an ideal world the promised rates and objectives are the very arrays of those that are reached.
    """

    data_queue_mbit: Floats
    energy_queue: Floats
    offload: Bools
    transmit_power_w: Floats
    time_share: Floats
    cpu_frequency_hz: Floats
    rate_mbps: Floats
    power_w: Floats
    objective: Floats
    promised_rate_mbps: Floats
    promised_objective: Floats
    upper_bound: Floats
    status: Bytes
    notes: Floats


def new_records(frames: int, devices: int, ideal: bool) -> Records:
    """Room for what is recorded, without notes."""
    shape = frames, devices
    rate, objective = np.empty(shape), np.empty(frames)
    return Records(
        data_queue_mbit=np.empty(shape),
        energy_queue=np.empty(shape),
        offload=np.zeros(shape, np.bool_),
        transmit_power_w=np.empty(shape),
        time_share=np.empty(shape),
        cpu_frequency_hz=np.empty(shape),
        rate_mbps=rate,
        power_w=np.empty(shape),
        objective=objective,
        promised_rate_mbps=rate if ideal else np.empty(shape),
        promised_objective=objective if ideal else np.empty(frames),
        upper_bound=np.full(frames, np.nan),
        status=np.zeros(frames, np.uint8),
        notes=np.empty((frames, 0)),
    )


@unlocked_kernel
def run_block(
    decider: Decider, around: Surroundings, data_queue_mbit: Floats, energy_queue: Floats, ideal: bool, records: Records
) -> int:
    """Run frames in a row; the queues, shape (devices,), are advanced in place, and `records` filled in.

    Returns:
        The number of frames run. It is less than all where a decision is beyond a limit, which is then only recorded.
    """
    frames, devices = around.channel_gain.shape
    powers, told = np.empty((4, devices)), np.empty(NOTES + records.notes.shape[1])
    no_shares, unused_power = np.empty(0), np.empty(devices)
    for t in range(frames):
        estimate, offload = around.channel_estimate[t], records.offload[t]
        transmit, frequency = records.transmit_power_w[t], records.cpu_frequency_hz[t]
        packed = around.numbers, around.each, estimate, data_queue_mbit, energy_queue
        asked = packed, decider.own, decider.drawn[t], offload, powers, told
        call_at(decider.address, asked)  # type: ignore[call-arg]  # numba itself passes the context
        for i in range(devices):
            records.data_queue_mbit[t, i], records.energy_queue[t, i] = data_queue_mbit[i], energy_queue[i]
            transmit[i], frequency[i], records.time_share[t, i] = powers[0, i], powers[1, i], offload[i]
        for note in range(told.size - NOTES):
            records.notes[t, note] = told[NOTES + note]
        records.objective[t], records.upper_bound[t], records.status[t] = (
            told[OBJECTIVE],
            told[UPPER_BOUND],
            told[STATUS],
        )
        frame = unpacked_frame(*packed)
        cell = frame.cell
        if not is_within_limits(
            cell.max_transmit_power_w, cell.max_frequency_hz, offload, transmit, frequency, no_shares
        ):
            return int(t)
        allocation = Allocation(offload, transmit, frequency, no_shares)
        order = decoding_order(estimate)
        if not ideal:
            promised, rate = Reception(order, estimate, 0.0), records.promised_rate_mbps[t]
            records.promised_objective[t] = fill_outcome(frame, promised, allocation, rate, unused_power)
        reception = Reception(order, around.channel_gain[t], around.residual_sic_share)
        arrived, rate, power = around.arrival_mbit[t], records.rate_mbps[t], records.power_w[t]
        records.objective[t] = step(frame, reception, allocation, arrived, rate, power)
    return int(frames)
