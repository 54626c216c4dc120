"""Reports: what is refused and why, the order of devices, and bytes that come back as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.controller.report import MAX_FRAME, NEXT_FRAME, Reason, Report, ReportRejected, checked_report

GOOD: dict[str, Any] = {"frame": 3, "channel_gain": [1e-11, 2e-11, 3e-11], "arrived_mbit": [0.0, 1.0, 2.0]}
NAN, INF = float("nan"), float("inf")


def assert_equal(report: Report, other: Report) -> None:
    assert report.frame == other.frame
    for values, others in zip(report[1:], other[1:], strict=True):
        np.testing.assert_array_equal(values, others)
        assert values.dtype == others.dtype


@pytest.mark.parametrize(
    ("changes", "reason", "message"),
    [
        ({"frame": -1}, Reason.BAD_VALUE, r"frame: -1 is not allowed; it must be an integer from 0"),
        ({"frame": 2**62 + 1}, Reason.BAD_VALUE, r"frame: 4611686018427387905 is not allowed"),
        ({"frame": 1.0}, Reason.BAD_VALUE, r"frame: 1.0 is not allowed"),
        ({"frame": True}, Reason.BAD_VALUE, r"frame: True is not allowed"),
        (
            {"channel_gain": [1e-11, NAN, 1e-11]},
            Reason.BAD_VALUE,
            r"channel_gain\[1\]: nan is not allowed; .*at least 0",
        ),
        ({"channel_gain": [INF, 1e-11, 1e-11]}, Reason.BAD_VALUE, r"channel_gain\[0\]: inf is not allowed"),
        ({"channel_gain": [1e-11, 1e-11, -1.0]}, Reason.BAD_VALUE, r"channel_gain\[2\]: -1.0 is not allowed"),
        ({"channel_gain": [1e-11, 1e-11, 2e6]}, Reason.BAD_VALUE, r"channel_gain\[2\]: 2000000.0 .*at most 1e\+06"),
        ({"channel_gain": [1e-11]}, Reason.WRONG_LENGTH, r"channel_gain: 1 values are not allowed; it must hold 3"),
        ({"channel_gain": []}, Reason.WRONG_LENGTH, r"channel_gain: 0 values"),
        ({"arrived_mbit": [0.0, -1e-9, 0.0]}, Reason.BAD_VALUE, r"arrived_mbit\[1\]: -1e-09 is not allowed; .*least 0"),
        ({"arrived_mbit": [0.0] * 4}, Reason.WRONG_LENGTH, r"arrived_mbit: 4 values"),
        ({"data_queue_mbit": [0.0, 0.0, 2e12]}, Reason.BAD_VALUE, r"data_queue_mbit\[2\]: 2000000000000.0"),
        ({"data_queue_mbit": [NAN] * 3}, Reason.BAD_VALUE, r"data_queue_mbit\[0\]: nan"),
        ({"data_queue_mbit": [0.0]}, Reason.WRONG_LENGTH, r"data_queue_mbit: 1 values"),
        ({"devices": [0, 1, 3]}, Reason.UNKNOWN_DEVICE, r"devices: 3 is not allowed; it must be from 0 to 2"),
        ({"devices": [-1, 1, 0]}, Reason.UNKNOWN_DEVICE, r"devices: -1 is not allowed"),
        ({"devices": [1, 0, 1]}, Reason.REPEATED_DEVICE, r"devices: a device stands there twice"),
        ({"devices": [1, 0]}, Reason.WRONG_LENGTH, r"channel_gain: 3 values are not allowed; it must hold 2"),
        ({"channel_gain": [], "arrived_mbit": []}, Reason.NO_DEVICES, r"devices: none is not allowed"),
    ],
)
def test_a_bad_report_is_refused_with_field_value_and_what_is_allowed(
    changes: dict[str, Any], reason: Reason, message: str
) -> None:
    with pytest.raises(ReportRejected, match=message) as refused:
        checked_report(3, **{**GOOD, **changes})
    assert refused.value.reason is reason
    assert str(refused.value).startswith(refused.value.field)


def test_values_at_their_limits_are_taken() -> None:
    report = checked_report(2, MAX_FRAME, [5e-324, 1e6], [0.0, 1e12], [1e12, 0.0])
    np.testing.assert_array_equal(report.channel_gain, [5e-324, 1e6])


def test_devices_come_in_rising_order_each_with_its_values() -> None:
    report = checked_report(5, 0, [3.0, 1.0, 2.0], [30.0, 10.0, 20.0], [0.3, 0.1, 0.2], devices=[4, 0, 2])
    np.testing.assert_array_equal(report.devices, [0, 2, 4])
    np.testing.assert_array_equal(report.channel_gain, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(report.arrived_mbit, [10.0, 20.0, 30.0])
    np.testing.assert_array_equal(report.data_queue_mbit, [0.1, 0.2, 0.3])


def test_all_devices_in_order_and_no_list_of_devices_are_the_same_report() -> None:
    assert_equal(checked_report(3, **GOOD), checked_report(3, **GOOD, devices=[0, 1, 2]))


def test_a_report_keeps_numbers_of_its_own() -> None:
    gain = np.array([1e-11, 2e-11])
    report = checked_report(2, 0, gain, [0.0, 0.0])  # type: ignore[arg-type]
    gain[:] = 1.0
    np.testing.assert_array_equal(report.channel_gain, [1e-11, 2e-11])


@st.composite
def reports(draw: st.DrawFn) -> Report:
    devices = draw(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=6, unique=True))
    number = st.floats(0.0, 1e6, exclude_min=True)
    gain, arrived, measured = (draw(st.lists(number, min_size=len(devices), max_size=len(devices))) for _ in range(3))
    measured = [draw(st.sampled_from((value, NAN))) for value in measured]
    frame = draw(st.sampled_from((NEXT_FRAME, MAX_FRAME)) | st.integers(0, 1000))
    return Report(frame, np.array(sorted(devices)), *(np.array(values) for values in (gain, arrived, measured)))


@given(reports())
def test_packed_and_unpacked_a_report_is_the_same(report: Report) -> None:
    assert_equal(Report.unpacked(report.packed()), report)
    assert Report.unpacked(report.packed()).packed() == report.packed()


@given(reports(), st.data())
def test_bytes_cut_short_or_too_long_are_refused(report: Report, data: st.DataObject) -> None:
    whole = report.packed()
    cut = data.draw(st.integers(0, len(whole) - 1))
    for wrong in (whole[:cut], whole + b"\0", whole + whole):
        with pytest.raises(ValueError, match="report: cut short"):
            Report.unpacked(wrong)
