"""Recordings with one row per frame and device, in any order: CSV and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from quedge.errors import check_installed
from quedge.simulation.recordings.values import RANGES, Values, first_line, listed, refuse_bad_values

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]


def recorded_columns(path: Path, found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The wanted columns among those that a file holds, at least one.

    Raises:
        ValueError: none is there, `frame` or `device` is missing, or a name is there twice.
    """
    for name in ("frame", "device", *wanted):
        if found.count(name) > 1:
            raise ValueError(f"{path}: {name}: more than one column has this name")
    for name in ("frame", "device"):
        if name not in found:
            raise ValueError(f"{path}: {name}: no such column; the columns are {listed(found)}")
    recorded = [name for name in wanted if name in found]
    if not recorded:
        raise ValueError(f"{path}: {' or '.join(wanted)}: no such column; the columns are {listed(found)}")
    return recorded


def placed(path: Path, frame: Integers, device: Integers, recorded: Mapping[str, Numbers]) -> Values:
    """Columns with one row per frame and device, as arrays of shape (frames, devices); blanks are NaN.

    Numbers of frames and devices are 0 or more; the columns have the names of `RANGES`.

    Raises:
        ValueError: a gap, a missing or duplicate row, or a value that is not allowed.
    """
    order, frames, devices = _order(path, frame, device)
    values: Values = dict.fromkeys(RANGES)
    for name, column in recorded.items():
        array = column[order].reshape(frames, devices)
        refuse_bad_values(path, name, name, array, int(frame.min()), int(device.min()))
        values[name] = array
    return values


def _order(path: Path, frame: Integers, device: Integers) -> tuple[NDArray[np.intp], int, int]:
    """Row numbers by frame, then device, and the counts of both; refuses gaps and duplicates."""
    first = {}
    count = {}
    for name, column in (("frame", frame), ("device", device)):
        present = np.unique(column)
        gap = np.flatnonzero(np.diff(present) != 1)
        if gap.size:
            before, after = present[gap[0]], present[gap[0] + 1]
            raise ValueError(f"{path}: {name}: a gap after {before} is not allowed; the next one there is {after}")
        first[name], count[name] = int(present[0]), present.size
    devices = count["device"]
    place = (frame - first["frame"]) * devices + (device - first["device"])
    order = np.argsort(place, kind="stable")
    place = place[order]

    def where(index: int) -> str:
        return f"frame {first['frame'] + index // devices}, device {first['device'] + index % devices}"

    twice = np.flatnonzero(np.diff(place) == 0)
    if twice.size:
        raise ValueError(f"{path}: {where(int(place[twice[0]]))}: two rows are not allowed; there must be one")
    missing = np.flatnonzero(place != np.arange(place.size))
    if missing.size or place.size < count["frame"] * devices:
        index = int(missing[0]) if missing.size else place.size
        raise ValueError(f"{path}: {where(index)}: no row; there must be one per frame and device")
    return order, count["frame"], devices


_Number = TypeVar("_Number", int, float)

_BLANK = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none"))
"""How programs write a missing value, in lower case."""


def read_csv(path: Path, wanted: Sequence[str]) -> Values:
    """Read a CSV file; see `read_recording`."""
    found, rows = _cells(path)
    recorded = recorded_columns(path, found, wanted)
    if not rows:
        raise ValueError(f"{path}: holds no rows; one row per frame and device is needed")

    def column(name: str) -> list[str]:
        place = found.index(name)
        return [row[place].strip() for row in rows]

    frame, device = (_integers(path, name, column(name)) for name in ("frame", "device"))
    return placed(path, frame, device, {name: _numbers(path, name, column(name)) for name in recorded})


def _cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the rows below without blank lines."""
    try:
        text = str(path.read_bytes(), "utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not a text file in UTF-8") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read as CSV: {error.strerror or error}") from None
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise ValueError(f"{path}: cannot be read as CSV: {first_line(error)}") from None
    if not rows:
        raise ValueError(f"{path}: cannot be read as CSV: it is empty")
    found = [name.strip() for name in rows.pop(0)]
    for number, row in enumerate(rows, 1):
        if len(row) != len(found):
            raise ValueError(f"{path}: row {number}: {len(row)} values are not allowed; the header names {len(found)}")
    return found, rows


def _integers(path: Path, name: str, cells: Sequence[str]) -> Integers:
    blank = next((row for row, cell in enumerate(cells, 1) if cell.lower() in _BLANK), None)
    if blank is not None:
        raise ValueError(f"{path}: {name}: no value in row {blank}; every row needs one")
    numbers = _read(path, name, cells, int, "an integer")
    for row, number in enumerate(numbers, 1):
        if not 0 <= number < 2**63:
            allowed = "at least 0" if number < 0 else "below 2^63"
            raise ValueError(f"{path}: {name}: {number} (row {row}) is not allowed; it must be {allowed}")
    return np.array(numbers, dtype=np.int64)


def _numbers(path: Path, name: str, cells: Sequence[str]) -> Numbers:
    """The numbers, NaN where there is none."""
    filled = ["nan" if cell.lower() in _BLANK else cell for cell in cells]
    return np.array(_read(path, name, filled, float, "a number"))


def _read(path: Path, name: str, cells: Sequence[str], number: Callable[[str], _Number], kind: str) -> list[_Number]:
    """Parse cells; underscores between digits, which Python allows, are refused."""
    numbers: list[_Number] = []
    for row, cell in enumerate(cells, 1):
        try:
            numbers.append(number(cell.replace("_", "?")))
        except ValueError:
            raise ValueError(f"{path}: {name}: {cell!r} (row {row}) is not allowed; it must be {kind}") from None
    return numbers


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
    if table.num_rows == 0:
        raise ValueError(f"{path}: holds no rows; one row per frame and device is needed")
    frame, device = (_integer_column(path, name, table.column(name)) for name in ("frame", "device"))
    return placed(path, frame, device, {name: _number_column(path, name, table.column(name)) for name in recorded})


def _integer_column(path: Path, name: str, column: Any) -> NDArray[np.int64]:
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


def _number_column(path: Path, name: str, column: Any) -> NDArray[np.float64]:
    import pyarrow as pa

    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise ValueError(f"{path}: {name}: {_odd_value(column, float)} is not allowed; it must be a number")
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())  # blanks become NaN


def _odd_value(column: Any, number: Callable[[str], object]) -> str:
    """The first value of a column that is no number, with its row; writers choose a column's type by all rows."""
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
