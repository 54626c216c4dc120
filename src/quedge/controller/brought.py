"""What a frame's decision brings, by the model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.carry_out import carry_out_as_assumed
from quedge.model.compiled import Bools, Floats, kernel
from quedge.model.frame import Decision, Frame
from quedge.model.packed import packed_frame, unpacked_cell
from quedge.model.ranges import ENERGY_QUEUE
from quedge.model.uplink import AT_ONCE

_HIGHEST_ENERGY_QUEUE = ENERGY_QUEUE.highest


class Brought(NamedTuple):
    """What a decision brings to the devices that it is for; arrays of shape (devices,), which must not be changed.

    Attributes:
        rate_mbps: rates r (Mbit/s).
        power_w: mean powers e (W).
        data_queue_mbit: data queues after the frame (Mbit); what arrives meanwhile is in the next report.
        energy_queue: virtual energy queues after it, at most the highest that books hold.
        objective: objective (17).
    """

    rate_mbps: NDArray[np.float64]
    power_w: NDArray[np.float64]
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]
    objective: float


def brought_by(frame: Frame, decision: Decision) -> Brought:
    """What a decision within its limits brings in a frame."""
    share = AT_ONCE if decision.time_share is None else decision.time_share
    chosen = decision.transmit_power_w, decision.cpu_frequency_hz, share
    return Brought(*_brought(*packed_frame(frame), decision.offload, *chosen))


@kernel
def _brought(
    numbers: Floats, each: Floats, channel_gain: Floats, data_queue_mbit: Floats, energy_queue: Floats,
    offload: Bools, transmit_power_w: Floats, cpu_frequency_hz: Floats, time_share: Floats,
) -> tuple[Floats, Floats, Floats, Floats, float]:  # fmt: skip
    cell, devices = unpacked_cell(numbers, each), channel_gain.size
    rate_mbps, power_w, nothing = np.empty(devices), np.empty(devices), np.zeros(devices)
    data_queue_mbit, energy_queue = data_queue_mbit.copy(), energy_queue.copy()
    objective = carry_out_as_assumed(
        cell, channel_gain, nothing, data_queue_mbit, energy_queue, offload, transmit_power_w, cpu_frequency_hz,
        time_share, rate_mbps, power_w,
    )  # fmt: skip
    for i in range(devices):
        energy_queue[i] = min(energy_queue[i], _HIGHEST_ENERGY_QUEUE)
    return rate_mbps, power_w, data_queue_mbit, energy_queue, objective
