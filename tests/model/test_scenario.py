"""Scenario: the paper's defaults, and errors that name key, value and what is allowed."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest

from quedge.model.cell import cell_of, path_gain
from quedge.model.scenario import PARAMETERS, Kind, Scenario
from quedge.model.security import SUITE_KEYS


def test_the_defaults_are_the_paper_s() -> None:
    cell = cell_of(Scenario())
    assert cell.devices == 10
    assert (cell.frame_s, cell.v, cell.nu) == (1.0, 20.0, 60.0)
    np.testing.assert_array_equal(cell.weight, [1.5, 1.0] * 5)  # 1.5 for the 1st, 3rd, ... device
    golden = {
        "power_budget_w": 0.08,
        "cycles_per_mbit": 1e8,  # 100 cycles a bit
        "energy_coefficient": 1e-26,
        "max_frequency_hz": 0.3e9,
        "uplink_mbps": 2.0 / 1.1,  # η W / v_u = 1 · 2 MHz / 1.1
        "max_transmit_power_w": 0.1,
        "circuit_power_w": 0.0,
    }
    for name, value in golden.items():
        np.testing.assert_allclose(getattr(cell, name), np.full(10, value), rtol=1e-12)
    assert cell.noise_w == pytest.approx(7.962143411e-15)  # 2e6 Hz · 10^(−174/10) mW/Hz · 1e-3
    np.testing.assert_allclose(Scenario().per_device("distance_m"), np.linspace(120.0, 255.0, 10))
    np.testing.assert_array_equal(Scenario().per_device("arrival_rate_mbps"), np.full(10, 3.0))


def test_path_gain_at_120_m_as_laid_by_hand() -> None:
    # wavelength 299792458 / 915e6 = 0.327642 m; 3 · (0.327642 / (4π · 120))³ = 3.0771e-11
    assert path_gain(Scenario())[0] == pytest.approx(3.0 * (0.32764203 / (4.0 * math.pi * 120.0)) ** 3, rel=1e-6)
    assert path_gain(Scenario())[0] == pytest.approx(3.0771e-11, rel=1e-3)
    assert (np.diff(path_gain(Scenario())) < 0.0).all()  # farther is weaker


def test_a_scalar_stands_for_every_device_and_a_list_gives_one_value_each() -> None:
    np.testing.assert_array_equal(Scenario(devices=3, pqc_power_w=0.5).per_device("pqc_power_w"), [0.5] * 3)
    np.testing.assert_array_equal(Scenario(devices=3, weight=[1, 2, 3]).per_device("weight"), [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(Scenario(devices=2, weight=np.array([4.0, 5.0])).per_device("weight"), [4.0, 5.0])


def test_replacing_a_key_checks_it_again() -> None:
    assert dataclasses.replace(Scenario(), v=5).v == 5.0
    with pytest.raises(ValueError, match="v: -1 is not allowed"):
        dataclasses.replace(Scenario(), v=-1)


def test_scenarios_with_equal_values_are_equal() -> None:
    assert Scenario(devices=2, weight=[1, 2]) == Scenario(devices=2, weight=np.array([1.0, 2.0]))
    assert hash(Scenario(devices=2, weight=[1, 2])) == hash(Scenario(devices=2, weight=np.array([1.0, 2.0])))
    assert Scenario(v=20.0) != Scenario(v=21.0)
    assert Scenario() != "a scenario"


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("devices", 0, "at least 1"),
        ("devices", 2.5, "an integer"),
        ("devices", True, "an integer"),
        ("frame_s", 0.0, "at least 1e-09 and at most 1e\\+06"),
        ("frame_s", [1.0, 1.0], "a number"),
        ("v", -3.0, "at least 0"),
        ("v", math.nan, "at least 0"),
        ("nu", math.inf, "at most 1e\\+09"),
        ("nu", "60", "a number"),
        ("overhead", 0.9, "at least 1"),
        ("payload_factor", 0.0, "at least 1e-06 and at most 1"),
        ("payload_factor", 1.2, "at most 1"),
        ("line_of_sight_share", 1.5, "at most 1"),
        ("bandwidth_hz", None, "a number"),
        ("max_transmit_power_w", True, "a number or a list"),
        ("pqc_power_w", {"a": 1}, "a number or a list"),
        ("doppler_hz", -0.1, "at least 0 and at most 1e\\+06"),
        ("doppler_hz", math.inf, "at most 1e\\+06"),
        ("shadowing_db", -1.0, "at least 0 and at most 30"),
        ("shadowing_db", 31.0, "at most 30"),
        ("shadowing_decorrelation_s", -1.0, "at least 0"),
        ("estimate_error", 1.1, "at least 0 and at most 1"),
        ("estimate_error", math.nan, "at least 0 and at most 1"),
        ("residual_sic_share", -0.1, "at least 0 and at most 1"),
        ("residual_sic_share", [0.1] * 10, "a number, at least 0"),
    ],
)
def test_a_bad_value_is_refused_with_key_value_and_what_is_allowed(key: str, value: Any, allowed: str) -> None:
    with pytest.raises(ValueError, match=rf"^{key}: {re.escape(repr(value))} is not allowed; it must be .*{allowed}"):
        Scenario(**{key: value})


def test_a_list_of_the_wrong_length_is_refused_with_both_lengths() -> None:
    with pytest.raises(ValueError, match=r"^weight: a list of 2 values is not allowed; .* 10 devices"):
        Scenario(weight=[1.0, 2.0])


@pytest.mark.parametrize("value", [-1.0, math.nan, "x", None, True])
def test_a_bad_entry_of_a_list_is_refused_with_its_position(value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^weight\[1\]: {value!r} is not allowed; it must be a number, .*at least 0"):
        Scenario(devices=2, weight=[1.0, value])


def test_what_makes_a_channel_correlated_or_imperfect_is_off_by_default() -> None:
    scenario = Scenario()
    assert (scenario.doppler_hz, scenario.shadowing_db) == (None, 0.0)
    assert (scenario.estimate_error, scenario.residual_sic_share) == (0.0, 0.0)


def test_a_key_that_is_left_out_has_no_values() -> None:
    with pytest.raises(ValueError, match=r"^name: 'doppler_hz' is not allowed; the scenario does not give it"):
        Scenario().per_device("doppler_hz")
    np.testing.assert_array_equal(Scenario(devices=2, doppler_hz=0.0).per_device("doppler_hz"), [0.0, 0.0])


def test_every_key_says_what_it_means() -> None:
    for name, parameter in PARAMETERS.items():
        assert parameter.meaning, name
        assert parameter.group, name
    endings = {"_s": "s", "_hz": "Hz", "_w": "W", "_m": "m", "_mbps": "Mbit/s", "_dbm_per_hz": "dBm/Hz"}
    for name, parameter in PARAMETERS.items():
        for ending, unit in endings.items():
            if name.endswith(ending) and not (ending == "_hz" and name.endswith("_dbm_per_hz")):
                assert parameter.unit == unit, name


RANGES = {
    "outage_probability": (1e-9, 0.999), "cells": (1, 1000), "cell_distance_m": (1e-3, 1e9),
    "devices": (1, 100_000), "frame_s": (1e-9, 1e6), "v": (0.0, 1e9), "nu": (0.0, 1e9), "queue_exponent": (0.1, 2.0),
    "weight": (0.0, 1e6), "power_budget_w": (1e-12, 1e6), "arrival_rate_mbps": (0.0, 1e9), "deadline_s": (0.0, 1e9),
    "frequency_levels": (0, 1000), "idle_power_w": (0.0, 1e6), "battery_j": (1e-12, 1e12), "harvest_w": (0.0, 1e6),
    "server_frequency_hz": (1e-3, 1e18), "server_cycles_per_bit": (1e-3, 1e9), "result_ratio": (0.0, 1e6),
    "downlink_mbps": (1e-9, 1e9), "cycles_per_bit": (1e-3, 1e9),
    "energy_coefficient": (1e-40, 1e-10), "max_frequency_hz": (0.0, 1e12),
    "bandwidth_hz": (1.0, 1e12), "overhead": (1.0, 1e6), "max_transmit_power_w": (0.0, 1e6),
    "noise_density_dbm_per_hz": (-300.0, 100.0), "estimate_error": (0.0, 1.0), "residual_sic_share": (0.0, 1.0),
    "payload_factor": (1e-6, 1.0), "pqc_power_w": (0.0, 1e6), "pqc_energy_j_per_bit": (0.0, 1.0),
    "pqc_overhead_bits": (0.0, 1e12), "pqc_max_rate_mbps": (0.0, 1e9), "distance_m": (1e-3, 1e9),
    "antenna_gain": (1e-9, 1e9), "carrier_frequency_hz": (1.0, 1e15), "path_loss_exponent": (0.0, 10.0),
    "line_of_sight_share": (0.0, 1.0), "doppler_hz": (0.0, 1e6), "shadowing_db": (0.0, 30.0),
    "shadowing_decorrelation_s": (0.0, 1e9), "subchannels": (1, 1_000), "group_size_max": (1, 100_000),
}  # fmt: skip
"""What every key takes, of those that need no suite: a file that is valid stays so."""


OF_SERVER = ("server_cycles_per_bit", "result_ratio", "downlink_mbps")
NEEDED = {"harvest_w": {"battery_j": 2.0}, "cell_distance_m": {"cells": 2}}
NEEDED |= {key: {"server_frequency_hz": 2e9} for key in OF_SERVER}
"""What a key means nothing without."""


@pytest.mark.parametrize("key", NEEDED)
def test_a_key_that_means_nothing_without_another_is_refused_by_name(key: str) -> None:
    (needed,) = NEEDED[key]
    with pytest.raises(ValueError, match=rf"^{key}: 2.0 is not allowed without (several )?{needed}"):
        Scenario(**{key: 2.0})


def beside(key: str) -> dict[str, Any]:
    """What must stand beside a key, whatever its value."""
    return {"devices": 1000} if key == "cells" else NEEDED.get(key, {})


def test_cells_have_as_many_devices_each_and_near_and_far_ones() -> None:
    with pytest.raises(ValueError, match=r"^cells: 3 is not allowed; it must divide the 10 devices"):
        Scenario(cells=3)
    with pytest.raises(
        ValueError, match=r"^assumed_interference: 'none' is not allowed; it must be one of last, worst"
    ):
        Scenario(cells=2, assumed_interference="none")
    three = Scenario(devices=6, cells=3, arrival_rate_mbps=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    np.testing.assert_array_equal(three.per_device("distance_m"), [120.0, 255.0] * 3)
    second = three.cell(1)
    assert (second.devices, second.cells, second.arrival_rate_mbps) == (2, 1, (3.0, 4.0))
    np.testing.assert_array_equal(second.per_device("weight"), [1.5, 1.0])


@pytest.mark.parametrize("key", RANGES)
def test_both_ends_of_a_range_are_allowed_and_nothing_beyond(key: str) -> None:
    low, high = RANGES[key]
    for allowed in (low, high):
        scenario = Scenario(**{key: allowed}, **beside(key))
        assert getattr(scenario, key) == allowed
        cell = cell_of(scenario)._replace(available_power_w=np.zeros(1))  # without a battery it is infinite
        assert all(np.isfinite(values).all() for values in cell)  # nothing overflows
    whole = PARAMETERS[key].kind is Kind.INTEGER
    beyond = (low - 1, high + 1) if whole else (np.nextafter(low, -np.inf), np.nextafter(high, np.inf))
    for refused in beyond:
        with pytest.raises(ValueError, match=rf"^{key}: .* is not allowed; it must be .*at least .* and at most"):
            Scenario(**{key: refused}, **beside(key))


def test_the_ranges_are_those_of_all_keys_that_need_no_suite() -> None:
    numbers = {name for name, parameter in PARAMETERS.items() if parameter.kind in (Kind.NUMBER, Kind.INTEGER)}
    assert set(RANGES) == numbers - set(SUITE_KEYS)
