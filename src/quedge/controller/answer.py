"""What the controller answers: the decision of a frame, and what follows from it."""

from __future__ import annotations

import math
import struct
from enum import StrEnum
from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.controller.report import Report
from quedge.model.frame import (
    ENERGY_QUEUE,
    Allocation,
    Decision,
    Frame,
    PackedAllocation,
    PackedFrame,
    Status,
    packed_frame,
    unpacked_frame,
)
from quedge.model.kernels import Floats, kernel
from quedge.model.uplink import Reception, decoding_order, step

_HIGHEST_ENERGY_QUEUE = ENERGY_QUEUE.highest
_STATUSES = tuple(Status)

_HEADER = struct.Struct("<qIBBBdd")


class ServedBy(StrEnum):
    """Who made a decision."""

    POLICY = "policy"
    """The policy that was asked for."""
    LATE = "late"
    """Best-single, since the report had waited too long."""
    POLICY_FAILED = "policy_failed"
    """Best-single, since the policy raised or decided what is not allowed."""


_SERVED_BY = tuple(ServedBy)


class Answer(NamedTuple):
    """A served frame; its arrays must not be changed: the cell's queues may be the same.

    What is decided, and what follows from it, has the names that `Decision` gives it.

    Attributes:
        frame: number of the frame.
        served_by: who decided.
        status: how the decision came about.
        devices: numbers of the devices that it is for, rising; shape (devices,), like all that follow.
        time_share: share of the frame in which a device transmits; of NOMA 1 for an offloader.
        data_queue_mbit: data queue after the frame (Mbit).
        energy_queue: virtual energy queue after the frame.
        upper_bound: no decision reaches more; NaN where the policy has no bound.
        is_tdma: whether devices transmit one after the other (time division).
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
    is_tdma: bool

    def packed(self) -> bytes:
        """The answer as bytes, which `unpacked` reads back exactly."""
        served, status = _SERVED_BY.index(self.served_by), _STATUSES.index(self.status)
        head = _HEADER.pack(
            self.frame, self.devices.size, served, status, self.is_tdma, self.objective, self.upper_bound
        )
        return head + b"".join(values.tobytes() for values in self[3:12])

    @classmethod
    def unpacked(cls, data: bytes) -> Answer:
        """An answer that `packed` wrote; a ValueError where the bytes are none."""
        if len(data) < _HEADER.size:
            raise ValueError("answer: cut short")
        frame, count, served, status, is_tdma, objective, upper_bound = _HEADER.unpack_from(data)
        if len(data) != _HEADER.size + 65 * count or served >= len(_SERVED_BY) or status >= len(_STATUSES):
            raise ValueError("answer: cut short, too long or unknown")
        at = _HEADER.size
        devices = np.frombuffer(data, np.int64, count, at)
        offload = np.frombuffer(data, np.uint8, count, at + 8 * count)
        if max(is_tdma, offload.max(initial=0)) > 1:
            raise ValueError("answer: neither yes nor no")
        decided = offload.view(np.bool_)
        power, frequency, share, rate, drawn, queue, energy = np.frombuffer(data[at + 9 * count :]).reshape(7, count)
        return cls(
            frame, _SERVED_BY[served], _STATUSES[status], devices, decided, power, frequency, share, rate,
            drawn, queue, energy, objective, upper_bound, bool(is_tdma),
        )  # fmt: skip


def answer_of(report: Report, frame: Frame, decision: Decision, served_by: ServedBy) -> Answer:
    """The answer to a report, with what follows from the decision; what arrives meanwhile is in the next report.

    The frame is that of the devices that reported; the decision is within its limits, in arrays of its own.
    """
    share = decision.time_share
    chosen = decision.offload, decision.transmit_power_w, decision.cpu_frequency_hz
    rate, power, queue, energy, objective = _outcome(packed_frame(frame), (*decision.allocation,))
    return Answer(
        report.frame, served_by, decision.status, report.devices, *chosen,
        decision.offload.astype(np.float64) if share is None else share, rate, power, queue, energy, objective,
        bound_of(decision), share is not None,
    )  # fmt: skip


@kernel
def _outcome(packed: PackedFrame, decided: PackedAllocation) -> tuple[Floats, Floats, Floats, Floats, float]:
    cell, channel_gain, data_queue_mbit, energy_queue = unpacked_frame(*packed)
    devices = channel_gain.size
    rate_mbps, power_w, no_arrivals = np.empty(devices), np.empty(devices), np.zeros(devices)
    data_queue_mbit, energy_queue = data_queue_mbit.copy(), energy_queue.copy()
    frame = Frame(cell, channel_gain, data_queue_mbit, energy_queue)
    reception = Reception(decoding_order(channel_gain), channel_gain, 0.0)
    objective = step(frame, reception, Allocation(*decided), no_arrivals, rate_mbps, power_w)
    for i in range(devices):
        energy_queue[i] = min(energy_queue[i], _HIGHEST_ENERGY_QUEUE)
    return rate_mbps, power_w, data_queue_mbit, energy_queue, objective


def bound_of(decision: Decision) -> float:
    """The decision's upper bound, NaN where it has none."""
    return math.nan if decision.upper_bound is None else float(decision.upper_bound)


def certified_gap(answer: Answer) -> float | None:
    """How far an answer's objective may be from the best one, relative to it; None where the policy has no bound."""
    if math.isnan(answer.upper_bound):
        return None
    above = max(answer.upper_bound - answer.objective, 0.0)
    if above == 0.0:
        return 0.0
    return above / abs(answer.objective) if answer.objective != 0.0 else math.inf


MAX_CHARACTERS = 200


class DecisionInfo(NamedTuple):
    """What is said of a decision.

    Attributes:
        candidates: K, the number of candidates that the policy tried; None where it tells none.
        failure: why the policy's decision was not taken: what it raised, or what it decided that is not allowed; empty
            where it was.
    """

    candidates: float | None = None
    failure: str = ""


NO_INFO = DecisionInfo()


def info_of(decision: Decision) -> DecisionInfo:
    """What a policy tells of its decision in the notes, however it fills them."""
    try:
        told = decision.notes.get("candidates")
        return DecisionInfo(candidates=float(told)) if isinstance(told, Real) else NO_INFO
    except Exception:  # notes are an extra: no decision fails for them
        return NO_INFO


def info_of_failure(error: BaseException) -> DecisionInfo:
    """Why a policy failed: kind and message of what it raised, on one line, cut after 200 characters."""
    try:
        message = str(error)
    except Exception:
        message = ""
    told = f"{type(error).__name__}: {message}" if message else type(error).__name__
    shown = "".join(character if character.isprintable() else " " for character in told[:MAX_CHARACTERS])
    return DecisionInfo(failure=shown)
