"""Frames of devices that report for themselves: deadlines, silence, coming and going, and clocks that jump."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quedge.controller.assembly import Assembly
from quedge.controller.report import NEXT_FRAME, Reason, ReportRejected


def assembly_of(*devices: int, deadline_s: float = 0.5) -> Assembly:
    assembly = Assembly(4, deadline_s)
    for device in devices:
        assembly.join(device)
    return assembly


def add(assembly: Assembly, device: int, now: float = 0.0, queue: float | None = None) -> None:
    assembly.add(device, 1e-11 * (device + 1), float(device), queue, now)


def test_a_frame_closes_when_all_who_are_there_have_reported() -> None:
    assembly = assembly_of(2, 0)
    assert not assembly.is_closed(0.0)
    add(assembly, 2)
    assert not assembly.is_closed(0.1)
    add(assembly, 0, queue=7.0)
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
    add(assembly, 1, now=10.0)
    assert assembly.closes == 10.5
    assert not assembly.is_closed(10.499)
    assert assembly.is_closed(10.5)
    assert assembly.taken().devices.tolist() == [1]
    assert assembly.closes == math.inf


def test_without_a_report_there_is_no_frame_however_late_it_is() -> None:
    assembly = assembly_of(0)
    assert not assembly.is_closed(1e9)
    assembly.leave(0)
    assert not assembly.is_closed(2e9)


def test_the_next_frame_has_a_deadline_of_its_own() -> None:
    assembly = assembly_of(0, 1)
    add(assembly, 0, now=0.0)
    assert assembly.is_closed(0.7)
    assembly.taken()
    add(assembly, 0, now=3.0)
    assert not assembly.is_closed(3.4)
    assert assembly.is_closed(3.5)


def test_who_joins_in_the_middle_of_a_frame_is_waited_for() -> None:
    assembly = assembly_of(0, 1)
    add(assembly, 0)
    assembly.join(3)
    add(assembly, 1)
    assert not assembly.is_closed(0.1)
    add(assembly, 3)
    assert assembly.is_closed(0.1)


def test_who_leaves_in_the_middle_of_a_frame_is_not_waited_for_and_its_report_stays() -> None:
    assembly = assembly_of(0, 1, 2)
    add(assembly, 0)
    add(assembly, 1)
    assembly.leave(1)
    assembly.leave(2)
    assert assembly.is_closed(0.1)
    assert assembly.taken().devices.tolist() == [0, 1]


def test_who_rests_is_not_waited_for_but_keeps_its_place() -> None:
    assembly = assembly_of(0, 1)
    add(assembly, 0)
    assembly.rest(1)
    assert assembly.is_closed(0.1)
    with pytest.raises(ReportRejected, match="1 has a stream already"):
        assembly.join(1)
    assembly.leave(1)
    assembly.join(1)
    assert not assembly.is_closed(0.1)


@pytest.mark.parametrize("device", [-1, 4, 2**31])
def test_an_unknown_device_cannot_join(device: int) -> None:
    with pytest.raises(ReportRejected, match=f"device: {device} is not allowed; it must be from 0 to 3") as refused:
        assembly_of().join(device)
    assert refused.value.reason is Reason.UNKNOWN_DEVICE


def test_a_second_stream_or_a_second_report_is_refused_and_the_first_stays() -> None:
    assembly = assembly_of(0, 1)
    with pytest.raises(ReportRejected, match="device: 0 has a stream already"):
        assembly.join(0)
    add(assembly, 0, queue=1.0)
    with pytest.raises(ReportRejected, match="device: 0 has reported in this frame") as refused:
        add(assembly, 0, queue=2.0)
    assert refused.value.reason is Reason.REPEATED_DEVICE
    add(assembly, 1)
    assert assembly.taken().data_queue_mbit[0] == 1.0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ((math.nan, 0.0, None), "channel_gain"),
        ((0.0, 0.0, None), "channel_gain"),
        ((1e-11, -1.0, None), "arrived_mbit"),
        ((1e-11, math.inf, None), "arrived_mbit"),
        ((1e-11, 0.0, math.nan), "data_queue_mbit"),
    ],
)
def test_a_bad_value_is_refused_and_begins_no_frame(values: tuple[float, float, float | None], field: str) -> None:
    assembly = assembly_of(0)
    with pytest.raises(ReportRejected, match=field) as refused:
        assembly.add(0, *values, now=0.0)
    assert refused.value.reason is Reason.BAD_VALUE
    assert not assembly.is_closed(1e9)


@pytest.mark.parametrize("jump_s", [-1e9, -10.0, -0.1])
def test_a_clock_that_is_put_back_delays_a_frame_by_no_more_than_its_deadline(jump_s: float) -> None:
    assembly = assembly_of(0, 1)
    add(assembly, 0, now=100.0)
    assert not assembly.is_closed(100.0 + jump_s)
    assert assembly.closes == 100.0 + jump_s + 0.5
    assert assembly.is_closed(100.0 + jump_s + 0.5)


def test_a_clock_that_is_put_forward_closes_the_frame_and_the_next_one_waits_again() -> None:
    assembly = assembly_of(0, 1)
    add(assembly, 0, now=100.0)
    assert assembly.is_closed(1e12)
    assembly.taken()
    add(assembly, 0, now=1e12)
    assert not assembly.is_closed(1e12 + 0.25)
