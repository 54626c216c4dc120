"""Recordings in Parquet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.errors import check_installed
from quedge.simulation.recordings.axes import TIME, Axis, Names, times
from quedge.simulation.recordings.layout import Layout
from quedge.simulation.recordings.rows import SUBCHANNEL, Integers, Numbers, Rows, recorded_columns, whole_numbers
from quedge.simulation.recordings.values import first_line


def read_parquet(path: Path, wanted: Sequence[str], layout: Layout) -> Rows:
    """Read a Parquet file; see `read_recording`."""
    check_installed("pyarrow", f"reading {path.name}", "pyarrow", "parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow.names
            read = {layout.name(column, found) for column in ("frame", "device", *wanted)} | {SUBCHANNEL}
            table = file.read(columns=[name for name in found if name in read])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as Parquet: {first_line(error)}") from None
    names = recorded_columns(str(path), found, wanted, layout)
    columns = {column: table.column(name) for column, name in names.items()}
    frame = _frame_column(path, names["frame"], columns.pop("frame"))
    device, named = _device_column(path, names["device"], columns.pop("device"))
    subchannel = columns.pop(SUBCHANNEL, None)
    recorded = {column: _number_column(path, names[column], values) for column, values in columns.items()}
    numbers = None if subchannel is None else _integer_column(path, SUBCHANNEL, subchannel)
    return Rows(frame, device, named, recorded, numbers)


def _refuse_blanks(path: Path, name: str, column: Any) -> None:
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise ValueError(f"{path}: {name}: no value in row {row + 1}; every row needs one")


def _frame_column(path: Path, name: str, column: Any) -> NDArray[Any]:
    """Whole numbers, or time stamps."""
    import pyarrow as pa

    _refuse_blanks(path, name, column)
    if pa.types.is_floating(column.type) and np.isfinite(column.to_numpy()).all():
        return np.asarray(column.to_numpy(), dtype=np.float64)
    if pa.types.is_timestamp(column.type):
        return np.asarray(column.to_numpy().astype(TIME))
    if _is_text(column.type):
        try:
            return times(column.to_pylist())
        except ValueError:
            pass  # refused with the value that is none
    return _integer_column(path, name, column)


def _device_column(path: Path, name: str, column: Any) -> tuple[Integers, Axis | None]:
    """Whole numbers, or places among names."""
    import pyarrow as pa

    _refuse_blanks(path, name, column)
    if _is_text(column.type):
        names = Names()
        encoded = column.cast(pa.string()).dictionary_encode().combine_chunks()
        return names.numbers(encoded.dictionary.to_pylist())[encoded.indices.to_numpy()], names.axis
    if pa.types.is_floating(column.type):
        return whole_numbers(f"{path}: {name}", column.to_numpy().astype(np.float64)), None
    return _integer_column(path, name, column), None


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _integer_column(path: Path, name: str, column: Any) -> Integers:
    import pyarrow as pa

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
