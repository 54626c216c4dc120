"""V and ν belong to a frame of one second; the cell has those of its own frame."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.model.cell import cell_of
from quedge.model.scenario import PARAMETERS, Kind, Scenario
from quedge.model.security import SUITE_KEYS

WEIGHTS = st.floats(0.0, 1e9)


@given(v=WEIGHTS, nu=WEIGHTS)
def test_a_frame_of_a_second_has_the_scenario_s_v_and_nu_to_the_bit(v: float, nu: float) -> None:
    cell = cell_of(Scenario(v=v, nu=nu))
    assert (cell.v, cell.nu) == (v, nu)


@pytest.mark.parametrize(("frame_s", "v", "nu"), [(0.25, 5.0, 30.0), (0.01, 0.2, 6.0), (4.0, 80.0, 120.0)])
def test_a_frame_of_another_length_has_v_times_it_and_nu_times_its_root(frame_s: float, v: float, nu: float) -> None:
    scenario = Scenario(frame_s=frame_s)
    cell = cell_of(scenario)
    assert (cell.v, cell.nu) == pytest.approx((v, nu), rel=1e-15)
    assert (scenario.v, scenario.nu) == (20.0, 60.0)  # the scenario's keep their meaning
    assert math.isclose(cell.v * scenario.nu**2, scenario.v * cell.nu**2, rel_tol=1e-15)


OF_THE_WORLD = {
    "arrival_rate_mbps", "deadline_s", "estimate_error", "outage_probability", "rate_adaptation", "battery_j",
    "harvest_w",
    "cells", "cell_distance_m", "assumed_interference",
}  # fmt: skip
OF_THE_CELL = [
    name
    for name, parameter in PARAMETERS.items()
    if parameter.group not in ("channel", "server")
    and parameter.kind is not Kind.NAME
    and name not in {"devices", "subchannels", "group_size_max", *OF_THE_WORLD, *SUITE_KEYS}
]


@pytest.mark.parametrize("name", OF_THE_CELL)
def test_every_key_that_decisions_depend_on_changes_the_cell(name: str) -> None:
    parameter, value = PARAMETERS[name], float(Scenario().per_device(name)[0])
    other = (value + (parameter.low if value > parameter.low else parameter.high)) / 2.0
    if parameter.kind is Kind.INTEGER:
        other = int(other)
    cells = [cell_of(scenario) for scenario in (Scenario(), Scenario(**{name: other}))]
    assert any(np.any(one != changed) for one, changed in zip(*cells, strict=True))
