"""The cells of a text file one by one, for what the readers of whole columns refuse: what is odd, and what is wrong."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from quedge.simulation.recordings.axes import Names, times
from quedge.simulation.recordings.rows import Integers, Numbers
from quedge.simulation.recordings.values import first_line

_ROWS = 1 << 16  # held as Python's objects at a time
_BLANK = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none"))
"""How programs write a missing value, in lower case."""

_Value = TypeVar("_Value")
Columns = dict[str, NDArray[Any]]
"""The columns that are read, by name; a number that is missing is NaN."""


class Kind(StrEnum):
    """As what a column is read."""

    INTEGER = "integer"
    """Whole numbers, 0 or more; 3.0 is one."""
    NUMBER = "number"
    """Any number; one that is missing is NaN."""
    TIME = "time"
    """Date and time, as nanoseconds since 1970."""
    NAME = "name"
    """A text, as its number among the table's names."""


class Column(NamedTuple):
    """A column that is read.

    Attributes:
        name: its name in the file.
        place: its place in a row.
        kind: as what it is read.
        may_be_blank: whether a cell may have no value.
    """

    name: str
    place: int
    kind: Kind
    may_be_blank: bool = False


class TextTable(NamedTuple):
    """How a text file writes a table.

    Attributes:
        name: the file's name.
        width: number of cells of a row.
        columns: the columns that are read, by quedge's names.
        delimiter: what stands between two cells.
        names: the names that have been read.
    """

    name: str
    width: int
    columns: Mapping[str, Column]
    delimiter: str
    names: Names


def split_rows(name: str, lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """The cells of each row that is not blank.

    Raises:
        ValueError: quotes that are not closed, or closed in the middle of a cell.
    """
    try:
        yield from filter(None, csv.reader(lines, strict=True, delimiter=delimiter))
    except csv.Error as error:
        raise ValueError(f"{name}: cannot be read as CSV: {first_line(error)}") from None


def read_cells(table: TextTable, lines: Iterable[str], row: int) -> Iterator[Columns]:
    """Read lines, the first of which is the table's row `row`, in parts of a bounded number of rows.

    Raises:
        ValueError: naming row, column and value.
    """
    rows = split_rows(table.name, lines, table.delimiter)
    while part := list(islice(rows, _ROWS)):
        for number, cells in enumerate(part, row):
            if len(cells) != table.width:
                decimals = " (numbers with a decimal comma need another delimiter)" if len(cells) > table.width else ""
                raise ValueError(
                    f"{table.name}: row {number}: {len(cells)} values are not allowed; "
                    f"the header names {table.width}{decimals}"
                )
        columns: Columns = {}
        for name, column in table.columns.items():
            cells_of = [cells[column.place].strip() for cells in part]
            columns[name] = _read_column(table, column, cells_of, row)
        yield columns
        row += len(part)


def _read_column(table: TextTable, column: Column, cells: Sequence[str], row: int) -> NDArray[Any]:
    where = f"{table.name}: {column.name}"
    if not column.may_be_blank:
        blank = next((number for number, cell in enumerate(cells, row) if is_blank(cell)), None)
        if blank is not None:
            raise ValueError(f"{where}: no value in row {blank}; every row needs one")
    if column.kind is Kind.NAME:
        return table.names.numbers(cells)
    if column.kind is Kind.TIME:
        return np.concatenate(_read(where, cells, row, lambda cell: times([cell]), _TIME))
    if table.delimiter != ",":
        cells = [cell.replace(",", ".") for cell in cells]  # a decimal comma
    return _integers(where, cells, row) if column.kind is Kind.INTEGER else _numbers(where, cells, row)


def is_blank(cell: str) -> bool:
    """Whether a cell has no value."""
    return cell.lower() in _BLANK


def kind_of_frames(cell: str) -> Kind:
    """As what frames are read, by the first of them."""
    for kind, read in ((Kind.INTEGER, int), (Kind.NUMBER, float), (Kind.TIME, lambda text: times([text]))):
        try:
            read(cell)
        except ValueError:
            continue
        return kind
    return Kind.INTEGER  # as which it is refused


def kind_of_devices(cell: str) -> Kind:
    """As what devices are read, by the first of them."""
    try:
        int(cell)
    except ValueError:
        pass
    else:
        return Kind.INTEGER
    try:
        float(cell)
    except ValueError:
        return Kind.INTEGER if is_blank(cell) else Kind.NAME
    return Kind.NUMBER


_TIME = "a date and time, such as 2026-01-31T12:00:00"


def _integer(cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        number = float(cell)
        if not number.is_integer():
            raise
        return int(number)


def _integers(where: str, cells: Sequence[str], row: int) -> Integers:
    integers = _read(where, cells, row, _integer, "an integer")
    for number, integer in enumerate(integers, row):
        if not 0 <= integer < 2**63:
            allowed = "at least 0" if integer < 0 else "below 2^63"
            raise ValueError(f"{where}: {integer} (row {number}) is not allowed; it must be {allowed}")
    return np.array(integers, dtype=np.int64)


def _numbers(where: str, cells: Sequence[str], row: int) -> Numbers:
    """The numbers, NaN where there is none."""
    filled = ["nan" if is_blank(cell) else cell for cell in cells]
    return np.array(_read(where, filled, row, float, "a number"))


def _read(where: str, cells: Sequence[str], row: int, parse: Callable[[str], _Value], kind: str) -> list[_Value]:
    """Parse cells; underscores between digits, which Python allows, are refused."""
    parsed: list[_Value] = []
    for number, cell in enumerate(cells, row):
        try:
            parsed.append(parse(cell.replace("_", "?")))
        except (ValueError, OverflowError):
            raise ValueError(f"{where}: {cell!r} (row {number}) is not allowed; it must be {kind}") from None
    return parsed
