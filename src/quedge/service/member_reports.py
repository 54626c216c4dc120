"""The kinds of streams whose reports are joined to frames: of a device, and of a gateway for a group of devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quedge.controller.engine import Served
from quedge.controller.report import Reason, ReportRejected
from quedge.service import packed_pb2 as packed
from quedge.service import quedge_pb2 as pb
from quedge.service.methods import DEVICE_VALUES, SERVED_BY, STATUSES
from quedge.service.translate import EVERY, lists_of

Values = tuple[Sequence[int], Sequence[float], Sequence[float], Sequence[float]]
"""Devices, channel gains, arrivals and measured queues, which may be none."""


class MemberReports(Protocol):
    """A kind of streams whose reports are joined to frames."""

    @property
    def answer(self) -> Any:
        """The type of the answers."""
        ...

    @property
    def field(self) -> str:
        """Name of the reports' field with the devices."""
        ...

    def own_devices(self, first: Any) -> Sequence[int]:
        """The devices that nobody else may speak for as long as a stream lasts that begins with this report."""
        ...

    def check_same(self, report: Any, first: Any) -> None:
        """Refuse what a stream's later report may not say otherwise than its first one, by a ReportRejected."""
        ...

    def values(self, report: Any) -> Values:
        """What a report says."""
        ...

    def answer_of(self, served: Served, devices: NDArray[np.int64]) -> Any:
        """The part of a frame's answer that is about some devices, which stand in it."""
        ...


class DeviceReports:
    """See `MemberReports`: of one device."""

    field, answer = "device", pb.DeviceAnswer

    def own_devices(self, first: pb.DeviceReport) -> Sequence[int]:
        """See `MemberReports.own_devices`."""
        return (first.device,)

    def check_same(self, report: pb.DeviceReport, first: pb.DeviceReport) -> None:
        """See `MemberReports.check_same`."""
        _check_same("device", report, first, "device's")
        _check_same("base_station", report, first, "device's")

    def values(self, report: pb.DeviceReport) -> Values:
        """See `MemberReports.values`."""
        measured = (report.data_queue_mbit,) if report.HasField("data_queue_mbit") else ()
        gain = (report.channel_gain,) if report.HasField("channel_gain") else ()  # one that is left out is no gain of 0
        return (report.device,), gain, (report.arrived_mbit,), measured

    def answer_of(self, served: Served, devices: NDArray[np.int64]) -> pb.DeviceAnswer:
        """See `MemberReports.answer_of`."""
        answer = served.answer
        place = int(answer.devices.searchsorted(devices[0]))
        values: dict[str, Any] = {name: getattr(answer, name).item(place) for name in DEVICE_VALUES}
        return pb.DeviceAnswer(
            frame=answer.frame,
            outcome=pb.SERVED,
            served_by=SERVED_BY[answer.served_by],
            status=STATUSES[answer.status],
            offload=bool(answer.offload[place]),
            time_share=float(answer.time_share[place]) if answer.is_tdma else None,
            incarnation=served.incarnation,
            **values,
        )


class GatewayReports:
    """See `MemberReports`: of a gateway, whose group may be another one in each report."""

    field, answer = "devices", pb.GatewayAnswer

    def own_devices(self, first: pb.GatewayReport) -> Sequence[int]:
        """See `MemberReports.own_devices`."""
        return ()

    def check_same(self, report: pb.GatewayReport, first: pb.GatewayReport) -> None:
        """See `MemberReports.check_same`."""
        _check_same("base_station", report, first, "gateway's")

    def values(self, report: pb.GatewayReport) -> Values:
        """See `MemberReports.values`."""
        return list(report.devices), report.channel_gain, report.arrived_mbit, report.data_queue_mbit

    def answer_of(self, served: Served, devices: NDArray[np.int64]) -> packed.GatewayAnswer:
        """See `MemberReports.answer_of`; on the wire it is a GatewayAnswer of the contract."""
        answer = served.answer
        whole = devices.size == answer.devices.size
        places = EVERY if whole else np.searchsorted(answer.devices, devices)
        return packed.GatewayAnswer(outcome=pb.SERVED, incarnation=served.incarnation, **lists_of(answer, places))


def _check_same(field: str, report: Any, first: Any, whose: str) -> None:
    given, due = getattr(report, field), getattr(first, field)
    if given != due:
        allowed = f"{due!r}, since a stream is one {whose}"
        raise ReportRejected.not_allowed(Reason.BAD_VALUE, field, f"{given!r:.80}", allowed)
