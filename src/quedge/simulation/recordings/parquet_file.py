"""Recordings in Parquet, read by pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.model.extras import check_installed
from quedge.simulation.recordings.rows import placed, recorded_columns
from quedge.simulation.recordings.values import Values, first_line


def read_parquet(path: Path, wanted: Sequence[str]) -> Values:
    """Read a file with a row a frame and device; see `read_recording`."""
    check_installed("pyarrow", f"reading {path.name}", "pyarrow", "parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow.names
            table = file.read(columns=[name for name in found if name in ("frame", "device", *wanted)])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as Parquet: {first_line(error)}") from None
    recorded = recorded_columns(path, found, wanted)
    if table.num_rows == 0:
        raise ValueError(f"{path}: holds no rows; one row a frame and device is needed")
    frame, device = (_integers(path, name, table.column(name)) for name in ("frame", "device"))
    return placed(path, frame, device, {name: _numbers(path, name, table.column(name)) for name in recorded})


def _integers(path: Path, name: str, column: Any) -> NDArray[np.int64]:
    import pyarrow as pa

    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise ValueError(f"{path}: {name}: no value in row {row + 1}; every row needs one")
    if not pa.types.is_integer(column.type):
        raise ValueError(f"{path}: {name}: {_odd_value(column, int)} is not allowed; it must be an integer")
    try:
        numbers = np.asarray(column.cast(pa.int64()).to_numpy())
    except pa.ArrowInvalid:
        raise ValueError(f"{path}: {name}: a number above 2^63 is not allowed") from None
    if (numbers < 0).any():
        row = int(np.argmax(numbers < 0))
        raise ValueError(f"{path}: {name}: {numbers[row]} (row {row + 1}) is not allowed; it must be at least 0")
    return numbers


def _numbers(path: Path, name: str, column: Any) -> NDArray[np.float64]:
    import pyarrow as pa

    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise ValueError(f"{path}: {name}: {_odd_value(column, float)} is not allowed; it must be a number")
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())  # blanks become NaN


def _odd_value(column: Any, number: Callable[[str], object]) -> str:
    """The first value of a column that is no number, with its row; a file's type is guessed from all rows."""
    for row, value in enumerate(column.to_pylist()):
        if value is not None and not _reads_as(number, value):
            return f"{value!r} (row {row + 1})"
    return f"a column of type {column.type}"


def _reads_as(number: Callable[[str], object], value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    try:
        return isinstance(value, str) and number(value) is not None
    except ValueError:
        return False
