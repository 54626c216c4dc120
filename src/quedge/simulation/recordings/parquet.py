"""Recordings in Parquet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from quedge.errors import check_installed
from quedge.simulation.recordings.rows import Integers, Numbers, placed, recorded_columns
from quedge.simulation.recordings.values import Values, first_line


def read_parquet(path: Path, wanted: Sequence[str]) -> Values:
    """Read a Parquet file; see `read_recording`."""
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
    frame, device = (_integer_column(path, name, table.column(name)) for name in ("frame", "device"))
    return placed(path, frame, device, {name: _number_column(path, name, table.column(name)) for name in recorded})


def _integer_column(path: Path, name: str, column: Any) -> Integers:
    import pyarrow as pa

    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise ValueError(f"{path}: {name}: no value in row {row + 1}; every row needs one")
    if not pa.types.is_integer(column.type):
        raise ValueError(f"{path}: {name}: {_odd_value(column, int)} is not allowed; it must be an integer")
    numbers = column.to_numpy()
    if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < 2**63:
        row = int(np.argmax((numbers < 0) | (numbers >= 2**63)))
        allowed = "at least 0" if numbers[row] < 0 else "below 2^63"
        raise ValueError(f"{path}: {name}: {numbers[row]} (row {row + 1}) is not allowed; it must be {allowed}")
    return np.asarray(numbers, dtype=np.int64)


def _number_column(path: Path, name: str, column: Any) -> Numbers:
    import pyarrow as pa

    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise ValueError(f"{path}: {name}: {_odd_value(column, float)} is not allowed; it must be a number")
    return np.asarray(column.to_numpy(), dtype=np.float64)  # blanks become NaN


def _odd_value(column: Any, number: Callable[[str], object]) -> str:
    """The first value of a column that is no number, with its row; writers choose a column's type by all rows."""
    for row, scalar in enumerate(column, 1):
        value = scalar.as_py()
        if value is not None and not _reads_as(number, value):
            return f"{value!r} (row {row})"
    return f"a column of type {column.type}"


def _reads_as(number: Callable[[str], object], value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    try:
        return isinstance(value, str) and number(value) is not None
    except ValueError:
        return False
