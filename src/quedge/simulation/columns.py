"""The quantities of a trace in columns, one row per frame and device, as a table of pandas, and as arrays of xarray."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.errors import check_installed
from quedge.model.frame import Status
from quedge.simulation.trace import Trace

_STATUS = np.dtype(f"<U{max(len(status) for status in Status)}")
_UNITS = {
    "_mbit": "Mbit",
    "_mbps": "Mbit/s",
    "_us": "µs",
    "_us_p50": "µs",
    "_us_p99": "µs",
    "_frames": "frames",
    "_s": "s",
    "_hz": "Hz",
    "_w": "W",
    "_j": "J",
    "channel_gain": "W/W",
    "channel_estimate": "W/W",
}
"""Units by the end of a quantity's name; what has no such end is a number."""


def quantities_of(trace: Trace) -> dict[str, NDArray[Any]]:
    """By name, each of shape (frames, devices) or (frames,); gains also of shape (frames, devices, sub-channels)."""
    quantities: dict[str, NDArray[Any]] = {
        name: getattr(trace, name)
        for name in (
            "channel_gain", "arrival_mbit", "data_queue_mbit", "energy_queue", "offload", "transmit_power_w",
            "time_share", "cpu_frequency_hz", "rate_mbps", "power_w", "objective",
        )
    }  # fmt: skip
    for name in ("battery_j", "server_queue_mbit", "harvest_j"):
        if getattr(trace, name).size > 0:
            quantities[name] = getattr(trace, name)
    if trace.dropped_mbit is not None:
        quantities["dropped_mbit"] = trace.dropped_mbit
    if trace.promised_objective is not trace.objective:
        for name in ("channel_estimate", "promised_rate_mbps", "promised_objective"):
            quantities[name] = getattr(trace, name)
    if trace.subchannel is not None:
        quantities["offload_subchannel"] = trace.subchannel
    quantities["upper_bound"] = trace.upper_bound
    quantities["status"] = np.array([str(status) for status in trace.status], _STATUS)
    for name, values in trace.notes.items():
        quantities[f"policy_{name}"] = values
    quantities["decision_us"] = trace.decision_us
    return quantities


def columns_of(quantities: Mapping[str, NDArray[Any]], first_frame: int) -> dict[str, NDArray[Any]]:
    """Every quantity with one value per row; frame and device come first.

    Where sub-channels fade for themselves, a device has a row for each, and `subchannel` comes next.
    """
    frames, devices, *divided = quantities["channel_gain"].shape
    each = divided[0] if divided else 1
    columns: dict[str, NDArray[Any]] = {
        "frame": np.repeat(np.arange(first_frame, first_frame + frames, dtype=np.int32), devices * each),
        "device": np.tile(np.repeat(np.arange(devices, dtype=np.int32), each), frames),
    }
    if divided:
        columns["subchannel"] = np.tile(np.arange(each, dtype=np.int32), frames * devices)
    for name, values in quantities.items():
        columns[name] = np.repeat(values, devices * each if values.ndim == 1 else each if values.ndim == 2 else 1)
    return columns


def units_of(names: Sequence[str]) -> dict[str, str]:
    """The unit of each quantity that has one; a policy's own notes have none that is known."""
    known = [name for name in names if not name.startswith("policy_")]
    return {name: unit for name in known for end, unit in _UNITS.items() if name.endswith(end)}


def trace_frame(trace: Trace) -> Any:
    """A trace as a DataFrame of pandas; see `Trace.to_pandas`."""
    columns = columns_of(quantities_of(trace), 0)
    attributes = {"seed": trace.seed, "scenario": _scenario_of(trace), "units": units_of(list(columns))}
    return data_frame(columns, attributes, "Trace.to_pandas")


def trace_dataset(trace: Trace) -> Any:
    """A trace as a Dataset of xarray; see `Trace.to_xarray`."""
    check_installed("xarray", "Trace.to_xarray", "xarray", "xarray")
    import xarray

    quantities = quantities_of(trace)
    units = units_of(list(quantities))
    variables = {
        name: (("frame", "device")[: values.ndim], values, {"units": units[name]} if name in units else {})
        for name, values in quantities.items()
    }
    places = {"frame": np.arange(trace.frames), "device": np.arange(trace.scenario.devices)}
    attributes = {"seed": trace.seed} | {key: value for key, value in _scenario_of(trace).items() if value is not None}
    plain = {key: int(value) if isinstance(value, bool) else value for key, value in attributes.items()}
    return xarray.Dataset(variables, places, plain)


def _scenario_of(trace: Trace) -> dict[str, Any]:
    """The scenario's keys but `profiles`."""
    keys = [field.name for field in dataclasses.fields(trace.scenario) if field.name != "profiles"]
    return {key: getattr(trace.scenario, key) for key in keys}


def data_frame(columns: Mapping[str, Any], attributes: Mapping[str, Any], what: str) -> Any:
    """Columns as a DataFrame of pandas with `attrs`; `what` asks for it.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    check_installed("pandas", what, "pandas", "pandas")
    import pandas as pd

    frame = pd.DataFrame(dict(columns))
    frame.attrs.update(attributes)
    return frame
