"""What is reported of a frame, checked once, and how a report is rejected."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.frame import ARRIVAL_MBIT, CHANNEL_GAIN, DATA_QUEUE_MBIT, Range
from quedge.model.kernels import Ints, kernel


class Reason(StrEnum):
    """Why a report was refused."""

    BAD_VALUE = "bad_value"
    """A value is no number, or lies outside what is allowed."""
    WRONG_LENGTH = "wrong_length"
    """A list does not have one value for each of the report's devices."""
    NO_DEVICES = "no_devices"
    """The report is about no device."""
    UNKNOWN_DEVICE = "unknown_device"
    """A device's number is not one of the scenario's."""
    REPEATED_DEVICE = "repeated_device"
    """A device stands in the report twice."""
    OLD_FRAME = "old_frame"
    """The frame has been served, or passed over, before."""
    FUTURE_FRAME = "future_frame"
    """A frame before it has not been served."""
    NOT_DURABLE = "not_durable"
    """The frame's record could not be written; the controller stands where it stood before it."""
    FAILED = "failed"
    """A mistake of the controller's own."""
    OVERLOADED = "overloaded"
    """Too many reports wait already."""


class ReportRejected(Exception):  # noqa: N818  (an answer like another, rather than a mistake)
    """A report that was not served; the controller's state is as it was.

    Attributes:
        reason: why.
        field: the report's field that is to blame.
    """

    def __init__(self, reason: Reason, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.reason = reason
        self.field = field

    @classmethod
    def not_allowed(cls, reason: Reason, field: str, value: object, allowed: str) -> ReportRejected:
        """The rejection of a value, in the words of `errors.not_allowed`."""
        return cls(reason, field, f"{value} is not allowed; it must be {allowed}")


MAX_FRAME = 2**62
NEXT_FRAME = -1
"""Stands for the number of the frame that is due, whichever it is."""

_HEADER = struct.Struct("<qI")


class Report(NamedTuple):
    """A frame as a base station sees it: the devices that reported, and what they reported.

    Attributes:
        frame: number of the frame.
        devices: numbers of the devices, rising; shape (devices,), like all that follow.
        channel_gain: power gain of each one's channel (W/W); 0 where it is out of coverage: it computes locally.
        arrived_mbit: data that arrived at each one since its last report (Mbit).
        data_queue_mbit: its data queue as it measured it, the arrivals included (Mbit); NaN where it did not.
    """

    frame: int
    devices: NDArray[np.int64]
    channel_gain: NDArray[np.float64]
    arrived_mbit: NDArray[np.float64]
    data_queue_mbit: NDArray[np.float64]

    def packed(self) -> bytes:
        """The report as bytes, which `unpacked` reads back exactly."""
        parts = (self.devices, self.channel_gain, self.arrived_mbit, self.data_queue_mbit)
        return _HEADER.pack(self.frame, self.devices.size) + b"".join(part.tobytes() for part in parts)

    @classmethod
    def unpacked(cls, data: bytes) -> Report:
        """A report that `packed` wrote; a ValueError where the bytes are none."""
        if len(data) < _HEADER.size:
            raise ValueError("report: cut short")
        frame, count = _HEADER.unpack_from(data)
        if len(data) != _HEADER.size + 32 * count:
            raise ValueError("report: cut short or too long")
        devices = np.frombuffer(data, np.int64, count, _HEADER.size)
        numbers = np.frombuffer(data, np.float64, 3 * count, _HEADER.size + 8 * count).reshape(3, count)
        return cls(frame, devices.copy(), *(row.copy() for row in numbers))


def checked_report(
    all_devices: int,
    frame: Any,
    channel_gain: Sequence[float],
    arrived_mbit: Sequence[float],
    data_queue_mbit: Sequence[float] = (),
    devices: Sequence[int] = (),
) -> Report:
    """A report from values that come from outside.

    Args:
        all_devices: number of the scenario's devices.
        frame: number of the frame.
        channel_gain: one value a reporting device, like the two that follow.
        arrived_mbit: as in `Report`.
        data_queue_mbit: as in `Report`; empty where nothing was measured.
        devices: numbers of the reporting devices, in any order; empty where all of them report, in order.

    Raises:
        ReportRejected: naming the field, the value and what is allowed.
    """
    if isinstance(frame, bool) or not isinstance(frame, int) or not 0 <= frame <= MAX_FRAME:
        raise ReportRejected.not_allowed(Reason.BAD_VALUE, "frame", repr(frame), "an integer from 0 to 2^62")
    if len(devices) == len(channel_gain) == len(arrived_mbit) == 0:
        raise ReportRejected(Reason.NO_DEVICES, "devices", "none is not allowed; a report is about at least one device")
    numbers, order = _checked_devices(devices, all_devices) if len(devices) > 0 else (np.arange(all_devices), None)
    if len(data_queue_mbit) > 0:
        measured = _checked("data_queue_mbit", data_queue_mbit, numbers.size, DATA_QUEUE_MBIT)
    else:
        measured = np.empty(numbers.size)
        measured.fill(np.nan)
    gain = _checked("channel_gain", channel_gain, numbers.size, CHANNEL_GAIN)
    arrived = _checked("arrived_mbit", arrived_mbit, numbers.size, ARRIVAL_MBIT)
    if order is None:
        return Report(frame, numbers, gain, arrived, measured)
    return Report(frame, numbers[order], gain[order], arrived[order], measured[order])


def _checked_devices(devices: Sequence[int], all_devices: int) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Numbers of devices as they stand there, and the order in which they rise; None where they do so already."""
    numbers = np.fromiter(devices, np.int64, len(devices))
    unknown = _first_unknown(numbers, all_devices)
    if unknown >= 0:
        bad = int(numbers[unknown])
        raise ReportRejected.not_allowed(Reason.UNKNOWN_DEVICE, "devices", bad, f"from 0 to {all_devices - 1}")
    if _is_rising(numbers):
        return numbers, None
    order = np.argsort(numbers)
    if not _is_rising(numbers[order]):
        raise ReportRejected(Reason.REPEATED_DEVICE, "devices", "a device stands there twice; once is allowed")
    return numbers, order


@kernel
def _first_unknown(numbers: Ints, all_devices: int) -> int:
    """Place of the first number that is no device's; -1 where all are."""
    for i in range(numbers.size):
        if not 0 <= numbers[i] < all_devices:
            return i
    return -1


@kernel
def _is_rising(numbers: Ints) -> bool:
    """Whether each number is larger than the one before it."""
    falls = 0
    for i in range(1, numbers.size):
        falls += numbers[i] <= numbers[i - 1]
    return falls == 0


def _checked(field: str, values: Sequence[float], count: int, allowed: Range) -> NDArray[np.float64]:
    if len(values) != count:
        raise ReportRejected(
            Reason.WRONG_LENGTH, field, f"{len(values)} values are not allowed; it must hold {count}, one a device"
        )
    array = np.fromiter(values, np.float64, count)
    place = allowed.first_excluded(array)
    if place >= 0:
        raise ReportRejected.not_allowed(Reason.BAD_VALUE, f"{field}[{place}]", array[place], allowed.allowed)
    return array
