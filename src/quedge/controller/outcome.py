"""What a frame's decision brings, and what the controller answers."""

from __future__ import annotations

import math
import struct
from enum import StrEnum
from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.frame import ENERGY_QUEUE, Allocation, Decision, Frame, Status, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.uplink import Reception, decoding_order, step

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
    return Brought(*_brought(*packed_frame(frame), *decision.allocation))


@kernel
def _brought(
    numbers: Floats, each: Floats, channel_gain: Floats, data_queue_mbit: Floats, energy_queue: Floats,
    offload: Bools, transmit_power_w: Floats, cpu_frequency_hz: Floats, time_share: Floats,
) -> tuple[Floats, Floats, Floats, Floats, float]:  # fmt: skip
    cell = unpacked_frame(numbers, each, channel_gain, data_queue_mbit, energy_queue).cell
    devices = channel_gain.size
    rate_mbps, power_w, no_arrivals = np.empty(devices), np.empty(devices), np.zeros(devices)
    data_queue_mbit, energy_queue = data_queue_mbit.copy(), energy_queue.copy()
    frame = Frame(cell, channel_gain, data_queue_mbit, energy_queue)
    allocation = Allocation(offload, transmit_power_w, cpu_frequency_hz, time_share)
    reception = Reception(decoding_order(channel_gain), channel_gain, 0.0)
    objective = step(frame, reception, allocation, no_arrivals, rate_mbps, power_w)
    for i in range(devices):
        energy_queue[i] = min(energy_queue[i], _HIGHEST_ENERGY_QUEUE)
    return rate_mbps, power_w, data_queue_mbit, energy_queue, objective


_HEADER = struct.Struct("<qIBBBdd")


class ServedBy(StrEnum):
    """Who made a decision."""

    POLICY = "policy"
    """The policy that was asked for."""
    LATE = "late"
    """Best-single, since the report had waited too long."""
    POLICY_FAILED = "policy_failed"
    """Best-single, since the policy raised or decided what is not allowed."""


class Answer(NamedTuple):
    """A served frame; its arrays must not be changed: the books may hold the same.

    Attributes:
        frame: number of the frame.
        served_by: who decided.
        status: how the decision came about.
        devices: numbers of the devices that it is for, rising; shape (devices,), like all that follow.
        offload: true where a device offloads.
        transmit_power_w: transmit power (W).
        cpu_frequency_hz: CPU frequency (Hz).
        time_share: share of the frame in which a device transmits; of NOMA 1 for an offloader.
        rate_mbps: rate that follows (Mbit/s).
        power_w: power that follows (W).
        data_queue_mbit: data queue after the frame (Mbit).
        energy_queue: virtual energy queue after the frame.
        objective: objective (17) that follows.
        upper_bound: no decision reaches more; NaN where the policy has no bound.
        in_turn: whether devices transmit one after the other (time division).
    """

    frame: int
    served_by: ServedBy
    status: Status
    devices: NDArray[np.int64]
    offload: NDArray[np.bool_]
    transmit_power_w: NDArray[np.float64]
    cpu_frequency_hz: NDArray[np.float64]
    time_share: NDArray[np.float64]
    rate_mbps: NDArray[np.float64]
    power_w: NDArray[np.float64]
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]
    objective: float
    upper_bound: float
    in_turn: bool

    def packed(self) -> bytes:
        """The answer as bytes, which `unpacked` reads back exactly."""
        served, status = list(ServedBy).index(self.served_by), list(Status).index(self.status)
        head = _HEADER.pack(
            self.frame, self.devices.size, served, status, self.in_turn, self.objective, self.upper_bound
        )
        return head + b"".join(part.tobytes() for part in (self.devices, self.offload, *self._numbers()))

    def _numbers(self) -> tuple[NDArray[np.float64], ...]:
        return (
            self.transmit_power_w, self.cpu_frequency_hz, self.time_share, self.rate_mbps, self.power_w,
            self.data_queue_mbit, self.energy_queue,
        )  # fmt: skip


def unpacked(data: bytes) -> Answer:
    """An answer that `Answer.packed` wrote.

    Raises:
        ValueError: the bytes are none.
    """
    if len(data) < _HEADER.size:
        raise ValueError("answer: cut short")
    frame, count, served, status, in_turn, objective, upper_bound = _HEADER.unpack_from(data)
    if len(data) != _HEADER.size + 65 * count or served >= len(ServedBy) or status >= len(Status):
        raise ValueError("answer: cut short, too long or unknown")
    at = _HEADER.size
    devices = np.frombuffer(data, np.int64, count, at)
    offload = np.frombuffer(data, np.bool_, count, at + 8 * count)
    power, frequency, share, rate, drawn, queue, energy = np.frombuffer(data[at + 9 * count :]).reshape(7, count)
    return Answer(
        frame, list(ServedBy)[served], list(Status)[status], devices, offload, power, frequency, share, rate, drawn,
        queue, energy, objective, upper_bound, bool(in_turn),
    )  # fmt: skip


def bound_of(decision: Decision) -> float:
    """The decision's upper bound, NaN where it has none."""
    return math.nan if decision.upper_bound is None else float(decision.upper_bound)


MOST_CHARACTERS = 200


class Remark(NamedTuple):
    """What is said of a decision.

    Attributes:
        candidates: K, the number of candidates that the policy tried; None where it tells none.
        failure: why the policy's decision was not taken: what it raised, or what it decided that is not allowed; empty
            where it was.
    """

    candidates: float | None = None
    failure: str = ""


NO_REMARK = Remark()


def remark_on(decision: Decision) -> Remark:
    """What a policy tells of its decision in the notes, however it fills them."""
    try:
        told = decision.notes.get("candidates")
        return Remark(candidates=float(told)) if isinstance(told, Real) else NO_REMARK
    except Exception:  # notes are an extra: no decision fails for them
        return NO_REMARK


def remark_on_failure(error: BaseException) -> Remark:
    """Why a policy failed: kind and message of what it raised, on one line, cut after 200 characters."""
    try:
        message = str(error)
    except Exception:
        message = ""
    told = f"{type(error).__name__}: {message}" if message else type(error).__name__
    shown = "".join(character if character.isprintable() else " " for character in told[:MOST_CHARACTERS])
    return Remark(failure=shown)
