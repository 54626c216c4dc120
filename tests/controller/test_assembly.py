"""Frames of devices that report for themselves: deadlines, silence, coming and going, and clocks that jump."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quedge.controller.assembly import Assembly, Member
from quedge.controller.report import NEXT_FRAME, Reason, Report, ReportRejected


class Devices(Assembly):
    """Four devices that report for themselves, each called by its number."""

    def __init__(self, deadline_s: float = 0.5) -> None:
        super().__init__(4, deadline_s)
        self._own = [Member("device") for _ in range(4)]

    def comes(self, device: int) -> None:
        self.join(self._own[device] if 0 <= device < 4 else Member("device"), (device,))

    def comes_again(self, device: int) -> None:
        before, self._own[device] = self._own[device], Member("device")
        try:
            self.comes(device)
        except ReportRejected:
            self._own[device] = before
            raise

    def says(
        self, device: int, now: float = 0.0, queue: float | None = None, gain: float = 1e-11, arrived: float = 1.0
    ) -> None:
        measured = () if queue is None else (queue,)
        self.add(self._own[device], (device,), (gain * (device + 1),), (arrived * device,), measured, now)

    def rests(self, device: int) -> None:
        self.rest(self._own[device])

    def goes(self, device: int) -> None:
        self.leave(self._own[device])


def assembly_of(*devices: int) -> Devices:
    """These devices are there, and the first frame has gone by."""
    assembly = Devices()
    for device in devices:
        assembly.comes(device)
    if devices:
        assembly.says(devices[0], now=-9.0)
        assert assembly.is_closed(-8.0)
        assembly.taken()
    return assembly


def test_a_frame_closes_when_all_who_are_there_have_reported() -> None:
    assembly = assembly_of(2, 0)
    assert not assembly.is_closed(0.0)
    assembly.says(2)
    assert not assembly.is_closed(0.1)
    assembly.says(0, queue=7.0)
    assert assembly.is_closed(0.1)
    report = assembly.taken()
    assert report.frame == NEXT_FRAME
    np.testing.assert_array_equal(report.devices, [0, 2])
    np.testing.assert_array_equal(report.channel_gain, [1e-11, 3e-11])
    np.testing.assert_array_equal(report.arrived_mbit, [0.0, 2.0])
    np.testing.assert_array_equal(report.data_queue_mbit, [7.0, np.nan])


def test_at_the_deadline_a_frame_closes_without_those_who_are_silent() -> None:
    assembly = assembly_of(0, 1)
    assert assembly.closes == math.inf
    assembly.says(1, now=10.0)
    assert assembly.closes == 10.5
    assert not assembly.is_closed(10.499)
    assert assembly.is_closed(10.5)
    assert assembly.taken().devices.tolist() == [1]
    assert assembly.closes == math.inf


def test_without_a_report_there_is_no_frame_however_late_it_is() -> None:
    assembly = assembly_of(0)
    assert not assembly.is_closed(1e9)
    assembly.goes(0)
    assert not assembly.is_closed(2e9)


def test_the_next_frame_has_a_deadline_of_its_own() -> None:
    assembly = assembly_of(0, 1)
    assembly.says(0, now=0.0)
    assert assembly.is_closed(0.7)
    assembly.taken()
    assembly.says(0, now=3.0)
    assert not assembly.is_closed(3.4)
    assert assembly.is_closed(3.5)


def test_who_joins_in_the_middle_of_a_frame_is_waited_for() -> None:
    assembly = assembly_of(0, 1)
    assembly.says(0)
    assembly.comes(3)
    assembly.says(1)
    assert not assembly.is_closed(0.1)
    assembly.says(3)
    assert assembly.is_closed(0.1)


def test_who_leaves_in_the_middle_of_a_frame_is_not_waited_for_and_its_report_stays() -> None:
    assembly = assembly_of(0, 1, 2)
    assembly.says(0)
    assembly.says(1)
    assembly.goes(1)
    assembly.goes(2)
    assert assembly.is_closed(0.1)
    assert assembly.taken().devices.tolist() == [0, 1]


def test_who_rests_is_not_waited_for_but_keeps_its_place() -> None:
    assembly = assembly_of(0, 1)
    assembly.says(0)
    assembly.rests(1)
    assert assembly.is_closed(0.1)
    with pytest.raises(ReportRejected, match="1 has a stream already"):
        assembly.comes_again(1)
    assembly.goes(1)
    assembly.comes_again(1)
    assert not assembly.is_closed(0.1)


@pytest.mark.parametrize("device", [-1, 4, 2**31])
def test_an_unknown_device_cannot_join(device: int) -> None:
    with pytest.raises(ReportRejected, match=f"device: {device} is not allowed; it must be from 0 to 3") as refused:
        assembly_of().comes(device)
    assert refused.value.reason is Reason.UNKNOWN_DEVICE


def test_a_second_stream_or_a_second_report_is_refused_and_the_first_stays() -> None:
    assembly = assembly_of(0, 1)
    with pytest.raises(ReportRejected, match="device: 0 has a stream already"):
        assembly.comes_again(0)
    assembly.says(0, queue=1.0)
    with pytest.raises(ReportRejected, match="device: 0 has reported in this frame") as refused:
        assembly.says(0, queue=2.0)
    assert refused.value.reason is Reason.REPEATED_DEVICE
    assembly.says(1)
    assert assembly.taken().data_queue_mbit[0] == 1.0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"gain": math.nan}, "channel_gain"),
        ({"gain": -1e-11}, "channel_gain"),
        ({"arrived": -1.0}, "arrived_mbit"),
        ({"arrived": math.inf}, "arrived_mbit"),
        ({"queue": math.nan}, "data_queue_mbit"),
    ],
)
def test_a_bad_value_is_refused_and_begins_no_frame(values: dict[str, float], field: str) -> None:
    assembly = assembly_of(1)
    with pytest.raises(ReportRejected, match=field) as refused:
        assembly.says(1, **values)
    assert refused.value.reason is Reason.BAD_VALUE
    assert not assembly.is_closed(1e9)


@pytest.mark.parametrize("jump_s", [-1e9, -10.0, -0.1])
def test_a_clock_that_is_put_back_delays_a_frame_by_no_more_than_its_deadline(jump_s: float) -> None:
    assembly = assembly_of(0, 1)
    assembly.says(0, now=100.0)
    assert not assembly.is_closed(100.0 + jump_s)
    assert assembly.closes == 100.0 + jump_s + 0.5
    assert assembly.is_closed(100.0 + jump_s + 0.5)


def test_a_clock_that_is_put_forward_closes_the_frame_and_the_next_one_waits_again() -> None:
    assembly = assembly_of(0, 1)
    assembly.says(0, now=100.0)
    assert assembly.is_closed(1e12)
    assembly.taken()
    assembly.says(0, now=1e12)
    assert not assembly.is_closed(1e12 + 0.25)


def test_who_comes_first_does_not_close_the_first_frame_alone() -> None:
    assembly = Devices()
    for device in (2, 0, 3):
        assembly.comes(device)
        assembly.says(device)
        assert not assembly.is_closed(0.1)
    assembly.comes(1)
    assembly.says(1)
    assert assembly.is_closed(0.1)
    assert assembly.taken().devices.tolist() == [0, 1, 2, 3]
    for device in range(4):
        assembly.goes(device)
    assembly.comes_again(1)
    assembly.says(1, now=7.0)
    assert not assembly.is_closed(7.4)  # nobody was there: it is a first frame again
    assert assembly.is_closed(7.5)


def test_the_first_frame_ends_at_its_deadline_and_the_next_ones_wait_only_for_who_is_there() -> None:
    assembly = Devices()
    assembly.comes(2)
    assembly.says(2)
    assert not assembly.is_closed(0.4)
    assert assembly.is_closed(0.5)
    assembly.taken()
    assembly.says(2, now=0.6)
    assert assembly.is_closed(0.6)


def gateway_says(assembly: Assembly, gateway: Member, *devices: int, queues: bool = False) -> Report:
    gains = [1e-11 * (device + 1) for device in devices]
    arrived = [float(device) for device in devices]
    return assembly.add(gateway, devices, gains, arrived, arrived if queues else (), 0.0)


def test_gateways_and_devices_make_up_a_frame_together() -> None:
    assembly = assembly_of(1)
    gateway = Member("devices")
    assembly.join(gateway)
    assert gateway_says(assembly, gateway, 3, 0, queues=True).devices.tolist() == [0, 3]
    assert not assembly.is_closed(0.1)
    assembly.says(1)
    assert assembly.is_closed(0.1)
    report = assembly.taken()
    np.testing.assert_array_equal(report.devices, [0, 1, 3])
    np.testing.assert_array_equal(report.channel_gain, [1e-11, 2e-11, 4e-11])
    np.testing.assert_array_equal(report.arrived_mbit, [0.0, 1.0, 3.0])
    np.testing.assert_array_equal(report.data_queue_mbit, [0.0, np.nan, 3.0])


def test_a_device_is_handed_over_where_its_gateway_names_it_no_more() -> None:
    assembly = assembly_of(1)
    east, west = Member("devices"), Member("devices")
    assembly.join(east)
    assembly.join(west)
    gateway_says(assembly, east, 2, 3)
    with pytest.raises(ReportRejected, match="devices: 1 has a stream already") as refused:
        gateway_says(assembly, west, 0, 1)
    assert refused.value.reason is Reason.REPEATED_DEVICE
    assembly.taken()
    with pytest.raises(ReportRejected, match="devices: 2 has a stream already"):
        gateway_says(assembly, west, 0, 2)
    gateway_says(assembly, east, 3)
    gateway_says(assembly, west, 2)
    with pytest.raises(ReportRejected, match="devices: the gateway has reported in this frame"):
        gateway_says(assembly, west, 0)
    with pytest.raises(ReportRejected, match="device: 3 has a stream already"):
        assembly.comes(3)
    assembly.leave(east)
    assembly.comes(3)
    with pytest.raises(ReportRejected, match="device: 3 has reported in this frame"):
        assembly.says(3)


@pytest.mark.parametrize(
    ("devices", "reason"),
    [((), Reason.NO_DEVICES), ((0, 4), Reason.UNKNOWN_DEVICE), ((2, 2), Reason.REPEATED_DEVICE)],
)
def test_a_group_that_is_none_is_refused_and_claims_nothing(devices: tuple[int, ...], reason: Reason) -> None:
    assembly = assembly_of(1)
    gateway = Member("devices")
    assembly.join(gateway)
    with pytest.raises(ReportRejected, match="devices") as refused:
        gateway_says(assembly, gateway, *devices)
    assert refused.value.reason is reason
    for device in (0, 2, 3):
        assembly.comes(device)
