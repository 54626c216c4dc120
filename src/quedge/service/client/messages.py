"""Reports and answers as the clients write and read them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.controller.answer import ServedBy
from quedge.errors import not_allowed
from quedge.model.frame import Status
from quedge.service import quedge_pb2 as pb
from quedge.service.client.conversation import FreshStart, ReportRefused, ServiceUnavailable
from quedge.service.methods import DEVICE_VALUES, SERVED_BY, STATUSES

Numbers = Sequence[float] | NDArray[np.float64]
"""One number a device."""
Devices = Sequence[int] | NDArray[np.int64]
"""Numbers of devices, from 0."""

_MAX_INT64 = 2**63 - 1
_MAX_INT32 = 2**31 - 1


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
        frame=_integer("frame", frame, _MAX_INT64),
        devices=None if devices is None else [_integer("devices", each, _MAX_INT32) for each in devices],
        channel_gain=_numbers("channel_gain", channel_gain),
        arrived_mbit=_numbers("arrived_mbit", arrived_mbit),
        data_queue_mbit=None if data_queue_mbit is None else _numbers("data_queue_mbit", data_queue_mbit),
    )


def device_report(
    base_station: str, number: int, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None
) -> pb.DeviceReport:
    """The message of a device's report; arguments as in `DeviceStream.decide`, errors as of `frame_report`."""
    return pb.DeviceReport(
        base_station=_name(base_station),
        device=_integer("device", number, _MAX_INT32),
        channel_gain=_number("channel_gain", channel_gain),
        arrived_mbit=_number("arrived_mbit", arrived_mbit),
        data_queue_mbit=None if data_queue_mbit is None else _number("data_queue_mbit", data_queue_mbit),
    )


def gateway_report(
    base_station: str,
    devices: Devices,
    channel_gain: Numbers,
    arrived_mbit: Numbers,
    data_queue_mbit: Numbers | None,
) -> pb.GatewayReport:
    """The message of a gateway's report; arguments as in `GatewayStream.decide`, errors as of `frame_report`."""
    return pb.GatewayReport(
        base_station=_name(base_station),
        devices=[_integer("devices", each, _MAX_INT32) for each in devices],
        channel_gain=_numbers("channel_gain", channel_gain),
        arrived_mbit=_numbers("arrived_mbit", arrived_mbit),
        data_queue_mbit=None if data_queue_mbit is None else _numbers("data_queue_mbit", data_queue_mbit),
    )


def _name(base_station: str) -> str:
    try:
        base_station.encode()
    except (AttributeError, UnicodeEncodeError):
        raise not_allowed("base_station", base_station, "a text") from None
    return base_station


def _integer(name: str, value: Any, most: int) -> int:
    try:
        number = operator.index(value)
        if isinstance(value, bool) or not -most <= number <= most:
            raise TypeError
    except TypeError:
        raise not_allowed(name, value, "an integer") from None
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
        raise not_allowed(name, values, "a list with one number a device")
    return [float(value) for value in given]


_Decision = pb.FrameAnswer | pb.DeviceAnswer | pb.GatewayAnswer
_SERVED_BY = {told: served_by for served_by, told in SERVED_BY.items()}
_STATUSES = {told: status for status, told in STATUSES.items()}


@dataclass(frozen=True, eq=False)
class Decided:
    """A frame's answer.

    Attributes:
        frame: number of the frame.
        devices: numbers of the devices that it is for, rising; shape (devices,), like all arrays that follow.
        offload: true where a device offloads.
        transmit_power_w: transmit power (W).
        cpu_frequency_hz: CPU frequency (Hz).
        time_share: share of the frame in which a device transmits; None where offloaders transmit for the whole frame.
        rate_mbps: rate that follows (Mbit/s).
        power_w: power that follows (W).
        data_queue_mbit: data queue after the frame (Mbit).
        energy_queue: virtual energy queue after the frame.
        objective: objective (17) that follows.
        upper_bound: no decision reaches more; None where the policy has no bound.
        served_by: who decided.
        status: how the decision came about.
        repeated: whether this very report had been served before, and its answer is given once more.
        next_frame: the frame that is due now.
        incarnation: identity of the cell's state, which is another one where a state begins anew; empty where the
            service does not tell.
    """

    frame: int
    devices: NDArray[np.int64]
    offload: NDArray[np.bool_]
    transmit_power_w: NDArray[np.float64]
    cpu_frequency_hz: NDArray[np.float64]
    time_share: NDArray[np.float64] | None
    rate_mbps: NDArray[np.float64]
    power_w: NDArray[np.float64]
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]
    objective: float
    upper_bound: float | None
    served_by: ServedBy
    status: Status
    repeated: bool
    next_frame: int
    incarnation: str


@dataclass(frozen=True)
class DeviceDecided:
    """A frame's answer to one of its devices; attributes as in `Decided`, numbers in place of arrays."""

    frame: int
    offload: bool
    transmit_power_w: float
    cpu_frequency_hz: float
    time_share: float | None
    rate_mbps: float
    power_w: float
    data_queue_mbit: float
    energy_queue: float
    served_by: ServedBy
    status: Status
    incarnation: str


@dataclass(frozen=True, eq=False)
class GatewayDecided:
    """A frame's answer to a gateway, about the devices of its report, rising; attributes as in `Decided`."""

    frame: int
    devices: NDArray[np.int64]
    offload: NDArray[np.bool_]
    transmit_power_w: NDArray[np.float64]
    cpu_frequency_hz: NDArray[np.float64]
    time_share: NDArray[np.float64] | None
    rate_mbps: NDArray[np.float64]
    power_w: NDArray[np.float64]
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]
    served_by: ServedBy
    status: Status
    incarnation: str


@dataclass(frozen=True, eq=False)
class CellState:
    """Where a base station's cell stands.

    Attributes:
        next_frame: the frame that is due.
        data_queue_mbit: data queues of all devices (Mbit), shape (devices,).
        energy_queue: virtual energy queues of all devices, shape (devices,).
        policy: name of the service's policy.
        durability: what an acknowledged frame survives: "process", "power" or "none".
        incarnation: as of `Decided`.
    """

    next_frame: int
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]
    policy: str
    durability: str
    incarnation: str


def decided_of(answer: pb.FrameAnswer, target: str) -> Decided:
    """A frame's answer as callers get it.

    Raises:
        ReportRefused: the answer says so.
        ServiceUnavailable: it says what this version does not know; the message names the target.
    """
    _check_outcome(answer, answer.next_frame)
    served_by, status = _known(answer, target)
    return Decided(
        frame=answer.frame,
        **_arrays_of(answer),
        objective=answer.objective,
        upper_bound=answer.upper_bound if answer.HasField("upper_bound") else None,
        served_by=served_by,
        status=status,
        repeated=answer.outcome == pb.REPEATED,
        next_frame=answer.next_frame,
        incarnation=answer.incarnation,
    )


def gateway_decided_of(answer: pb.GatewayAnswer, target: str) -> GatewayDecided:
    """A gateway's answer as callers get it; raises as `decided_of`."""
    _check_outcome(answer, None)
    served_by, status = _known(answer, target)
    return GatewayDecided(
        frame=answer.frame,
        **_arrays_of(answer),
        served_by=served_by,
        status=status,
        incarnation=answer.incarnation,
    )


def _arrays_of(answer: pb.FrameAnswer | pb.GatewayAnswer) -> dict[str, Any]:
    """What is answered of several devices, by name."""
    return {
        "devices": np.array(answer.devices, dtype=np.int64),
        "offload": np.array(answer.offload, dtype=np.bool_),
        "time_share": np.array(answer.time_share) if answer.time_share else None,
        **{name: np.array(getattr(answer, name)) for name in DEVICE_VALUES},
    }


def device_decided_of(answer: pb.DeviceAnswer, target: str) -> DeviceDecided:
    """A device's answer as callers get it; raises as `decided_of`."""
    _check_outcome(answer, None)
    served_by, status = _known(answer, target)
    return DeviceDecided(
        frame=answer.frame,
        offload=answer.offload,
        time_share=answer.time_share if answer.HasField("time_share") else None,
        **{name: getattr(answer, name) for name in DEVICE_VALUES},
        served_by=served_by,
        status=status,
        incarnation=answer.incarnation,
    )


def state_of(reply: pb.StateReply) -> CellState | None:
    """Where a cell stands; None where the service does not know the base station yet."""
    if reply.outcome != pb.SERVED:
        return None
    return CellState(
        next_frame=reply.next_frame,
        data_queue_mbit=np.array(reply.data_queue_mbit),
        energy_queue=np.array(reply.energy_queue),
        policy=reply.policy,
        durability=reply.durability,
        incarnation=reply.incarnation,
    )


class KnownState:
    """Which state of its cell a client has met, by its incarnation."""

    def __init__(self) -> None:
        self._incarnation = ""

    def meet(self, incarnation: str) -> None:
        """An answer came from a state; the first one is remembered."""
        self._incarnation = self._incarnation or incarnation

    def check(self, state: CellState | None) -> None:
        """Know the state that is there now; a FreshStart where another one was known."""
        known, self._incarnation = self._incarnation, "" if state is None else state.incarnation
        if known and known != self._incarnation:
            raise FreshStart(known, self._incarnation, next_frame_of(state))


def next_frame_of(state: CellState | None) -> int:
    """The frame that is due where a cell stands."""
    return 0 if state is None else state.next_frame


def checkpoint_of(reply: pb.CheckpointReply) -> int:
    """The frame that is due where a kept cell stands; a ReportRefused where nothing was kept."""
    if reply.outcome != pb.SERVED:
        raise ReportRefused(_outcome_name(reply.outcome), "base_station", reply.message)
    return reply.next_frame


def _check_outcome(answer: _Decision, next_frame: int | None) -> None:
    if answer.outcome not in (pb.SERVED, pb.REPEATED):
        raise ReportRefused(_outcome_name(answer.outcome), answer.field, answer.message, next_frame)


def _outcome_name(outcome: Any) -> str:
    try:
        return str(pb.Outcome.Name(outcome))
    except ValueError:
        return f"OUTCOME_{outcome}"  # of a newer service


def _known(answer: _Decision, target: str) -> tuple[ServedBy, Status]:
    try:
        return _SERVED_BY[answer.served_by], _STATUSES[answer.status]
    except KeyError:
        raise ServiceUnavailable(f"{target}: the service answers as no version does that this one knows") from None
