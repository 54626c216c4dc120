"""What comes of a frame's decision: what was promised, what the world delivers, and the queues after it."""

from __future__ import annotations

from quedge.model.cell import Cell
from quedge.model.compiled import Bools, Floats, Ints, inner_kernel, kernel
from quedge.model.objective import frame_objective
from quedge.model.queues import advance_queues
from quedge.model.terms import decoding_order
from quedge.model.uplink import fill_brought


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
