"""A run's trace as a file: one row per frame and device, or one array per quantity."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from quedge.errors import check_installed, not_allowed, one_of
from quedge.simulation.trace import Trace

_Quantities = Mapping[str, NDArray[Any]]


def check_format(name: str) -> None:
    """Refuse a format that is unknown or cannot be written with what is installed.

    Raises:
        ValueError: it is unknown.
        MissingExtraError: it is Parquet, and pyarrow is not installed.
    """
    if name not in FORMATS:
        raise not_allowed("--traces", name, one_of(FORMATS))
    if name == "parquet":
        check_installed("pyarrow", "--traces parquet", "pyarrow", "parquet")


def write_trace(trace: Trace, file: IO[bytes], kind: str) -> None:
    """Write a trace; `read_recording` reads its channel gains and arrivals back.

    A CSV or Parquet file has one row per frame and device; what belongs to a frame stands in each of its rows. A NumPy
    archive has an array of shape (frames, devices) or (frames,) for each quantity. What the policy was
    told and promised is there where the world is not as it assumes. Numbers are written exactly.

    Args:
        trace: the trace.
        file: where to.
        kind: one of `FORMATS`.
    """
    FORMATS[kind](_quantities(trace), file)


def _quantities(trace: Trace) -> dict[str, NDArray[Any]]:
    """By name, each of shape (frames, devices) or (frames,)."""
    quantities: dict[str, NDArray[Any]] = {
        name: getattr(trace, name)
        for name in (
            "channel_gain", "arrival_mbit", "data_queue_mbit", "energy_queue", "offload", "transmit_power_w",
            "time_share", "cpu_frequency_hz", "rate_mbps", "power_w", "objective",
        )
    }  # fmt: skip
    if trace.promised_objective is not trace.objective:
        for name in ("channel_estimate", "promised_rate_mbps", "promised_objective"):
            quantities[name] = getattr(trace, name)
    quantities["upper_bound"] = trace.upper_bound
    quantities["status"] = np.array([str(status) for status in trace.status])
    for name, values in trace.notes.items():
        quantities[f"policy_{name}"] = values
    quantities["decision_us"] = trace.decision_us
    return quantities


def _columns(quantities: _Quantities) -> dict[str, NDArray[Any]]:
    """Every quantity with one value per row; frame and device come first."""
    frames, devices = quantities["channel_gain"].shape
    columns: dict[str, NDArray[Any]] = {
        "frame": np.repeat(np.arange(frames, dtype=np.int32), devices),
        "device": np.tile(np.arange(devices, dtype=np.int32), frames),
    }
    for name, values in quantities.items():
        columns[name] = values.reshape(-1) if values.ndim == 2 else np.repeat(values, devices)
    return columns


def _write_csv(quantities: _Quantities, file: IO[bytes]) -> None:
    """A decision is 1 or 0, and what a policy does not tell, such as a bound, is left blank rather than NaN."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    columns = _columns(quantities)
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(columns)
    rows.writerows(zip(*(_cells(column) for column in columns.values()), strict=True))
    text.detach()  # flushed, and the file is the caller's


def _cells(column: NDArray[Any]) -> list[Any]:
    cells: list[Any] = (column.astype(np.int8) if column.dtype.kind == "b" else column).tolist()
    return ["" if cell != cell else cell for cell in cells] if column.dtype.kind == "f" else cells


def _write_npz(quantities: _Quantities, file: IO[bytes]) -> None:
    arrays: dict[str, Any] = dict(quantities)
    np.savez_compressed(file, **arrays)


def _write_parquet(quantities: _Quantities, file: IO[bytes]) -> None:
    """What a policy does not tell is null rather than NaN."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: pa.array(column, from_pandas=True) for name, column in _columns(quantities).items()}
    pq.write_table(pa.table(columns), file, compression="zstd")


FORMATS: dict[str, Callable[[_Quantities, IO[bytes]], None]] = {
    "csv": _write_csv,
    "npz": _write_npz,
    "parquet": _write_parquet,
}
"""What a trace's file may be, by the ending of its name."""
