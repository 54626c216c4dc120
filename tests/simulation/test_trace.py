from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

from quedge.errors import MissingExtraError
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal
from quedge.simulation.columns import columns_of, quantities_of, units_of
from quedge.simulation.measures import over_time, summarise
from quedge.simulation.run import simulate
from quedge.simulation.trace import Trace

TRACE = simulate(Scenario(devices=3), AllLocal(), frames=20, seed=4)
IMPERFECT = simulate(Scenario(devices=3, estimate_error=0.1), AllLocal(), frames=4)


def test_a_trace_is_shown_on_one_line() -> None:
    assert repr(TRACE) == "Trace(frames=20, devices=3, seed=4)"


def test_a_notebook_shows_means_of_the_second_half() -> None:
    shown = TRACE._repr_html_()
    assert repr(TRACE) in shown
    for name, values in over_time(TRACE).items():
        assert f"<tr><th>{name}</th><td>{values[10:].mean():.6g}</td></tr>" in shown


def test_a_trace_summarises_itself() -> None:
    for warmup in (0.5, 0.0):
        assert TRACE.summary(warmup) == summarise(TRACE, warmup)
    assert TRACE.summary() == TRACE.summary(0.5)
    with pytest.raises(ValueError, match=r"warmup: 1\.0 is not allowed"):
        TRACE.summary(1.0)


@pytest.mark.parametrize("trace", [TRACE, IMPERFECT], ids=["ideal", "imperfect"])
def test_every_quantity_with_a_unit_in_its_name_tells_it(trace: Trace) -> None:
    names = list(columns_of(quantities_of(trace), 0))
    told = units_of([*names, "policy_power_w"])
    without = {
        "frame", "device", "energy_queue", "offload", "time_share", "objective", "promised_objective", "upper_bound",
        "status",
    }  # fmt: skip
    assert set(names) - told.keys() == without & set(names)
    assert told["rate_mbps"] == "Mbit/s"
    assert told["cpu_frequency_hz"] == "Hz"
    assert told["decision_us"] == "µs"
    assert "policy_power_w" not in told


def test_a_data_frame_has_a_row_per_frame_and_device() -> None:
    pytest.importorskip("pandas")
    table = TRACE.to_pandas()
    assert len(table) == 60
    row = table[(table["frame"] == 7) & (table["device"] == 2)].iloc[0]
    assert row["data_queue_mbit"] == TRACE.data_queue_mbit[7, 2]
    assert row["objective"] == TRACE.objective[7]
    per_device = table.groupby("device")["power_w"].mean()
    np.testing.assert_allclose(per_device, TRACE.power_w.mean(axis=0))
    assert "channel_estimate" not in table
    assert "channel_estimate" in IMPERFECT.to_pandas()


def test_a_data_frame_tells_seed_scenario_and_units_as_json_can() -> None:
    pytest.importorskip("pandas")
    told = json.loads(json.dumps(TRACE.to_pandas().attrs))
    assert told["seed"] == 4
    assert told["units"]["power_w"] == "W"
    assert Scenario(**told["scenario"]) == TRACE.scenario


def test_without_pandas_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"Trace\.to_pandas needs pandas, .*: pip install 'quedge\[pandas\]'"):
        TRACE.to_pandas()


def test_a_dataset_has_frames_and_devices_units_and_the_scenario() -> None:
    pytest.importorskip("xarray")
    data = TRACE.to_xarray()
    assert dict(data.sizes) == {"frame": 20, "device": 3}
    np.testing.assert_array_equal(data["power_w"].sel(device=2), TRACE.power_w[:, 2])
    np.testing.assert_array_equal(data["objective"].sel(frame=7), TRACE.objective[7])
    assert data["objective"].dims == ("frame",)
    assert set(data.data_vars) == set(quantities_of(TRACE))
    assert {name: data[name].attrs["units"] for name in data if data[name].attrs} == units_of(list(data))
    kept = {key: value for key, value in data.attrs.items() if key != "seed"}
    assert data.attrs["seed"] == 4
    assert not any(value is None or isinstance(value, bool) for value in kept.values())
    switches = {key: bool(kept[key]) for key in kept if isinstance(getattr(TRACE.scenario, key), bool)}
    assert Scenario(**kept | switches) == TRACE.scenario


def test_without_xarray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"Trace\.to_xarray needs xarray, .*: pip install 'quedge\[xarray\]'"):
        TRACE.to_xarray()
