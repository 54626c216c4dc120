"""Recordings as comma-separated text, read without any library."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from quedge.simulation.recordings.rows import Integers, Numbers, placed, recorded_columns
from quedge.simulation.recordings.values import Values, first_line

_Number = TypeVar("_Number", int, float)

_BLANK = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none"))
"""How programs write that there is no value, in small letters."""


def read_csv(path: Path, wanted: Sequence[str]) -> Values:
    """Read a file with a header and a row a frame and device; see `read_recording`."""
    found, rows = _cells(path)
    recorded = recorded_columns(path, found, wanted)
    if not rows:
        raise ValueError(f"{path}: holds no rows; one row a frame and device is needed")

    def column(name: str) -> list[str]:
        place = found.index(name)
        return [row[place].strip() for row in rows]

    frame, device = (_integers(path, name, column(name)) for name in ("frame", "device"))
    return placed(path, frame, device, {name: _numbers(path, name, column(name)) for name in recorded})


def _cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the rows below; blank lines are none."""
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
    """What cells say; Python would also read digits that are grouped by underscores."""
    numbers: list[_Number] = []
    for row, cell in enumerate(cells, 1):
        try:
            numbers.append(number(cell.replace("_", "?")))
        except ValueError:
            raise ValueError(f"{path}: {name}: {cell!r} (row {row}) is not allowed; it must be {kind}") from None
    return numbers
