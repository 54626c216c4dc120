"""From what a caller reports to the contract's messages; whether it is right is for the service to say."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.interfaces.service import quedge_pb2 as pb
from quedge.interfaces.service.asking.failures import ReportRefused

Numbers = Sequence[float] | NDArray[np.float64]
"""One number a device."""
Devices = Sequence[int] | NDArray[np.int64]
"""Numbers of devices, from 0."""

_MOST_INT64 = 2**63 - 1
_MOST_INT32 = 2**31 - 1


def frame_report(
    base_station: str,
    frame: int,
    channel_gain: Numbers,
    arrived_mbit: Numbers,
    data_queue_mbit: Numbers | None,
    devices: Devices | None,
) -> pb.FrameReport:
    """The message of a report; arguments as in `Client.decide`.

    Raises:
        ReportRefused: it is about no device; the contract has no such message.
        ValueError: an argument that no message can hold.
    """
    if devices is not None and len(devices) == 0:
        raise ReportRefused("NO_DEVICES", "devices", "devices: none is not allowed; a report is about at least one")
    return pb.FrameReport(
        base_station=_name(base_station),
        frame=_integer("frame", frame, _MOST_INT64),
        devices=None if devices is None else [_integer("devices", each, _MOST_INT32) for each in devices],
        channel_gain=_numbers("channel_gain", channel_gain),
        arrived_mbit=_numbers("arrived_mbit", arrived_mbit),
        data_queue_mbit=None if data_queue_mbit is None else _numbers("data_queue_mbit", data_queue_mbit),
    )


def device_report(
    base_station: str, number: int, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None
) -> pb.DeviceReport:
    """The message of a device's report; arguments as in `DeviceStream.decide`.

    Raises:
        ValueError: an argument that no message can hold.
    """
    return pb.DeviceReport(
        base_station=_name(base_station),
        device=_integer("device", number, _MOST_INT32),
        channel_gain=_number("channel_gain", channel_gain),
        arrived_mbit=_number("arrived_mbit", arrived_mbit),
        data_queue_mbit=None if data_queue_mbit is None else _number("data_queue_mbit", data_queue_mbit),
    )


def _name(base_station: str) -> str:
    try:
        base_station.encode()
    except (AttributeError, UnicodeEncodeError):
        raise ValueError(f"base_station: {base_station!r} is not allowed; it must be a text") from None
    return base_station


def _integer(name: str, value: Any, most: int) -> int:
    try:
        number = operator.index(value)
        if isinstance(value, bool) or not -most <= number <= most:
            raise TypeError
    except TypeError:
        raise ValueError(f"{name}: {value!r} is not allowed; it must be an integer") from None
    return number


def _number(name: str, value: Any) -> float:
    if type(value) is float:  # the usual case, for thousands of devices a second
        return value
    (number,) = _numbers(name, [value])
    return number


def _numbers(name: str, values: Any) -> list[float]:
    try:
        given = np.asarray(values)
    except ValueError:
        given = np.empty((0, 0))
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iuf"):
        raise ValueError(f"{name}: {values!r} is not allowed; it must be a list with one number a device")
    return [float(value) for value in given]
