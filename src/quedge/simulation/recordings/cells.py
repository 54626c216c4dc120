"""The cells of a text file one by one, for what the readers of whole columns refuse: what is odd, and what is wrong."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from quedge.simulation.recordings.rows import Integers, Numbers
from quedge.simulation.recordings.values import first_line

_ROWS = 1 << 16  # held as Python's objects at a time
_BLANK = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none"))
"""How programs write a missing value, in lower case."""

_Number = TypeVar("_Number", int, float)
Columns = dict[str, NDArray[Any]]
"""The columns that are read, by name; a number that is missing is NaN."""


class TextTable(NamedTuple):
    """How a text file writes a table.

    Attributes:
        path: the file.
        header: the names of all its columns.
        types: the columns that are read, and as what: `np.int64` (0 or more) or `np.float64`.
        delimiter: what stands between two cells.
    """

    path: Path
    header: list[str]
    types: Mapping[str, type[np.int64 | np.float64]]
    delimiter: str


def split_rows(path: Path, lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """The cells of each row that is not blank.

    Raises:
        ValueError: quotes that are not closed, or closed in the middle of a cell.
    """
    try:
        yield from filter(None, csv.reader(lines, strict=True, delimiter=delimiter))
    except csv.Error as error:
        raise ValueError(f"{path}: cannot be read as CSV: {first_line(error)}") from None


def read_cells(table: TextTable, lines: Iterable[str], row: int) -> Iterator[Columns]:
    """Read lines, the first of which is the table's row `row`, in parts of a bounded number of rows.

    Raises:
        ValueError: naming row, column and value.
    """
    rows = split_rows(table.path, lines, table.delimiter)
    while part := list(islice(rows, _ROWS)):
        for number, cells in enumerate(part, row):
            if len(cells) != len(table.header):
                raise ValueError(
                    f"{table.path}: row {number}: {len(cells)} values are not allowed; "
                    f"the header names {len(table.header)}"
                )
        columns: Columns = {}
        for name, kind in table.types.items():
            place = table.header.index(name)
            read = _integers if kind is np.int64 else _numbers
            columns[name] = read(f"{table.path}: {name}", [cells[place].strip() for cells in part], row)
        yield columns
        row += len(part)


def _integers(where: str, cells: Sequence[str], row: int) -> Integers:
    blank = next((number for number, cell in enumerate(cells, row) if cell.lower() in _BLANK), None)
    if blank is not None:
        raise ValueError(f"{where}: no value in row {blank}; every row needs one")
    integers = _read(where, cells, row, int, "an integer")
    for number, integer in enumerate(integers, row):
        if not 0 <= integer < 2**63:
            allowed = "at least 0" if integer < 0 else "below 2^63"
            raise ValueError(f"{where}: {integer} (row {number}) is not allowed; it must be {allowed}")
    return np.array(integers, dtype=np.int64)


def _numbers(where: str, cells: Sequence[str], row: int) -> Numbers:
    """The numbers, NaN where there is none."""
    filled = ["nan" if cell.lower() in _BLANK else cell for cell in cells]
    return np.array(_read(where, filled, row, float, "a number"))


def _read(where: str, cells: Sequence[str], row: int, parse: Callable[[str], _Number], kind: str) -> list[_Number]:
    """Parse cells; underscores between digits, which Python allows, are refused."""
    parsed: list[_Number] = []
    for number, cell in enumerate(cells, row):
        try:
            parsed.append(parse(cell.replace("_", "?")))
        except ValueError:
            raise ValueError(f"{where}: {cell!r} (row {number}) is not allowed; it must be {kind}") from None
    return parsed
