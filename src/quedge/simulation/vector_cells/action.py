"""Actions of an agent from outside, and how they become powers and frequencies."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.greedy import greedy_level
from quedge.model.cell import Cell, refuse_partial
from quedge.model.frame import Decision, Frame
from quedge.model.kernels import Bools, Floats, Floats32, inner_kernel
from quedge.model.terms import Terms, fill_device_terms, transmit_power
from quedge.model.uplink import best_local_frequency, frequency_beside, frequency_level, offloading_outcome


class Actions(StrEnum):
    """What an action decides."""

    OFFLOAD = "offload"
    """Who offloads, 0 or 1 per device; `NomaGreedy` allocates powers and frequencies.

    A device out of coverage, at a gain of 0, computes locally whatever an action of any kind says.
    """
    MULTIDISCRETE = "multidiscrete"
    """The same, for libraries that know MultiDiscrete spaces and no MultiBinary ones."""
    POWERS = "powers"
    """Who offloads, and with which power or frequency: two numbers per device, each from −1 to 1.

    Devices whose first number is above 0 offload. The second numbers, all behind the first ones, give the share of the
    transmit power limit (if offloading) or CPU frequency limit, from none at −1 to all at 1. Out of coverage it is the
    CPU frequency's.
    """

    def width(self, devices: int) -> int:
        """Numbers of an action."""
        return 2 * devices if self is Actions.POWERS else devices


def checked_actions(kind: Actions, actions: Any, cells: int, devices: int) -> NDArray[np.float32]:
    """One action per cell, shape (cells, width), as the kernels take them.

    Raises:
        ValueError: naming the shape or value, and what is allowed.
    """
    given = np.asarray(actions)
    shape = (cells, kind.width(devices))
    if given.shape != shape or given.dtype.kind not in "biuf":
        raise ValueError(f"actions: shape {given.shape} of {given.dtype} is not allowed; it must be numbers of {shape}")
    if kind is Actions.POWERS:
        bad, allowed = ~((given >= -1.0) & (given <= 1.0)), "a number from -1 to 1"
    else:
        bad, allowed = (given != 0) & (given != 1), "0 or 1"
    if bad.any():
        raise ValueError(f"actions: {given[bad][0]} is not allowed; it must be {allowed}")
    return np.ascontiguousarray(given, dtype=np.float32)


def powers_action(cell: Cell, decision: Decision) -> NDArray[np.float32]:
    """The action of kind `POWERS` for a decision without time shares, in single precision, for demonstrations."""
    refuse_partial(cell.is_partial > 0.0, f"actions {Actions.POWERS.value!r}")
    offload = np.asarray(decision.offload, dtype=np.bool_)
    used = np.where(offload, decision.transmit_power_w, decision.cpu_frequency_hz)
    limit = np.where(offload, cell.max_transmit_power_w, cell.max_frequency_hz)
    share = np.divide(used, limit, out=np.zeros(offload.size), where=limit > 0.0)
    return np.concatenate((np.where(offload, 1.0, -1.0), 2.0 * np.clip(share, 0.0, 1.0) - 1.0)).astype(np.float32)


@inner_kernel
def powers_of_choice(
    terms: Terms, frame: Frame, action: Floats32, offload: Bools, transmit_power_w: Floats, cpu_frequency_hz: Floats
) -> None:
    """Fill in offloading decision, transmit power (W) and CPU frequency (Hz) of an action that says who offloads.

    `terms` holds the order of the devices, and is filled where one offloads.
    """
    before = 1.0
    for k in range(action.size):  # as in `NomaGreedy`, without rates, which the world computes
        i = terms.device[k]
        offload[i] = action[i] > 0.0 and frame.channel_gain[i] > 0.0
        transmit_power_w[i] = cpu_frequency_hz[i] = 0.0
        if offload[i]:
            fill_device_terms(frame.cell, k, frame.channel_gain, frame.data_queue_mbit, frame.energy_queue, terms)
            after = greedy_level(terms, k, before)
            transmit_power_w[i] = transmit_power(frame.cell, i, frame.channel_gain[i], before, after)
            if frame.cell.is_partial > 0.0:
                cpu_frequency_hz[i] = frequency_of_level(frame, i, before, after)
            before = after
        else:
            cpu_frequency_hz[i] = best_local_frequency(frame.cell, i, frame.data_queue_mbit[i], frame.energy_queue[i])


@inner_kernel
def frequency_of_level(frame: Frame, i: int, before: float, after: float) -> float:
    """CPU frequency (Hz) of an offloader that lifts the level, where offloading is partial."""
    uplink_rate = frame.cell.uplink_mbps[i] * math.log(after / before) / math.log(2.0)
    queue = frame.data_queue_mbit[i]
    sent, _ = offloading_outcome(frame.cell, i, uplink_rate, 0.0, queue)
    return float(frequency_beside(frame.cell, i, sent, queue, frame.energy_queue[i]))


@inner_kernel
def powers_of_shares(
    frame: Frame, action: Floats32, offload: Bools, transmit_power_w: Floats, cpu_frequency_hz: Floats
) -> None:
    """Fill in offloading decision, transmit power (W) and CPU frequency (Hz) of an action of kind `POWERS`."""
    cell, n = frame.cell, offload.size
    for i in range(n):
        offload[i] = action[i] > 0.0 and frame.channel_gain[i] > 0.0
        transmit_power_w[i] = cpu_frequency_hz[i] = 0.0
        share = 0.5 * (np.float64(action[n + i]) + 1.0)
        if offload[i]:
            transmit_power_w[i] = share * cell.max_transmit_power_w[i]
        else:
            cpu_frequency_hz[i] = frequency_level(cell, i, share * cell.max_frequency_hz[i])
