"""Frames from outside are checked, with errors that name the argument, the value and what is allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quedge.model.cell import cell_of
from quedge.model.frame import checked_frame
from quedge.model.scenario import Scenario

GOOD: dict[str, Any] = {"channel_gain": [1e-10, 2e-10], "data_queue_mbit": [0, 3.5], "energy_queue": (0.0, 1.0)}


def test_lists_become_arrays_of_floats() -> None:
    frame = checked_frame(cell_of(Scenario(devices=2)), **GOOD)
    for values, given in zip(frame[1:], GOOD.values(), strict=True):
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, given)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("channel_gain", [1e-10], r"channel_gain: shape \(1,\) is not allowed; it must be \(2,\)"),
        ("channel_gain", 1e-10, r"channel_gain: shape \(\) is not allowed"),
        (
            "channel_gain",
            [1e-10, -1e-12],
            r"channel_gain\[1\]: -1e-12 is not allowed; it must be at least 0 and at most 1e\+06",
        ),
        ("channel_gain", [-1e-10, 1e-10], r"channel_gain\[0\]: -1e-10 is not allowed"),
        ("channel_gain", [1e-10, np.nan], r"channel_gain\[1\]: nan is not allowed"),
        ("channel_gain", [np.inf, 1e-10], r"channel_gain\[0\]: inf is not allowed"),
        ("channel_gain", ["a", "b"], r"channel_gain: \['a', 'b'\] is not allowed; it must be a list of 2 numbers"),
        ("channel_gain", [[1.0], [2.0, 3.0]], r"channel_gain: .* is not allowed"),
        ("data_queue_mbit", [0.0, -1.0], r"data_queue_mbit\[1\]: -1.0 is not allowed; it must be .*at least 0"),
        ("data_queue_mbit", [[0.0, 1.0]], r"data_queue_mbit: shape \(1, 2\) is not allowed"),
        ("energy_queue", [np.nan, 0.0], r"energy_queue\[0\]: nan is not allowed"),
        ("energy_queue", None, r"energy_queue: "),
    ],
)
def test_bad_values_are_refused_with_argument_value_and_what_is_allowed(name: str, values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_frame(cell_of(Scenario(devices=2)), **(GOOD | {name: values}))
