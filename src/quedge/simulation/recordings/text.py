"""Recordings in text: CSV files, read block by block into columns by pyarrow or, where that is missing, by NumPy."""

from __future__ import annotations

import codecs
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from quedge.simulation.recordings.cells import Columns, TextTable, read_cells, split_rows
from quedge.simulation.recordings.rows import placed, recorded_columns
from quedge.simulation.recordings.values import Values

_BLOCK_BYTES = 4 << 20
_LINE = re.compile(rb"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")

_Reader = Callable[[bytes, TextTable], Columns | None]
"""Reads rows into columns; None where it finds anything that `read_cells` may read otherwise or refuse."""


def read_csv(path: Path, wanted: Sequence[str]) -> Values:
    """Read a CSV file; see `read_recording`."""
    try:
        with path.open("rb") as file:
            columns = _columns(path, file, wanted)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read as CSV: {error.strerror or error}") from None
    return placed(path, columns.pop("frame"), columns.pop("device"), columns)


def _columns(path: Path, file: BinaryIO, wanted: Sequence[str]) -> Columns:
    blocks = _blocks(path, file)
    first = next((block for block in blocks if block.strip(b"\r\n")), b"")
    table, start = _table(path, first, wanted)
    read = _fast_reader()
    parts: list[Columns] = []
    row = 1
    blocks = chain([first[start:]], blocks)
    for block in blocks:
        if _ends_with_a_row(block, table.delimiter):
            columns = read(block, table)
            found = [columns] if columns else read_cells(table, _lines([block]), row)
        else:
            found = read_cells(table, _lines(chain([block], blocks)), row)
        for part in found:
            parts.append(part)
            row += part["frame"].size
    return {
        name: np.concatenate([np.empty(0, dtype=kind), *(part.pop(name) for part in parts)])
        for name, kind in table.types.items()
    }


def _blocks(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """The file in blocks of whole lines, without the mark that some programs put at its start."""
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    while block := file.read(_BLOCK_BYTES) + file.readline():
        if not block.isascii():
            try:
                block.decode()
            except UnicodeDecodeError:
                raise ValueError(f"{path}: is not a text file in UTF-8") from None
        yield block


def _lines(blocks: Iterable[bytes]) -> Iterator[str]:
    for block in blocks:
        yield from (line[0].decode() for line in _LINE.finditer(block))


def _table(path: Path, block: bytes, wanted: Sequence[str]) -> tuple[TextTable, int]:
    """How the file that begins with a block is written, and where in the block its rows begin.

    Raises:
        ValueError: no header, or one that lacks a column.
    """
    start = 0

    def lines() -> Iterator[str]:
        nonlocal start
        for line in _LINE.finditer(block):
            start = line.end()
            yield line[0].decode()

    delimiter = ","
    cells = next(split_rows(path, lines(), delimiter), None)
    if cells is None:
        raise ValueError(f"{path}: cannot be read as CSV: it is empty")
    header = [name.strip() for name in cells]
    recorded = recorded_columns(path, header, wanted)
    types = {"frame": np.int64, "device": np.int64} | dict.fromkeys(recorded, np.float64)
    return TextTable(path, header, types, delimiter), start


def _ends_with_a_row(block: bytes, delimiter: str) -> bool:
    """Whether all quotes enclose whole cells within their lines, so that every line is a row."""
    if b'"' not in block:
        return True
    cells = re.finditer(rf'"(?<![^{delimiter}\r\n]")[^"\r\n]*"(?![^{delimiter}\r\n])'.encode(), block)
    return block.count(b'"') == 2 * sum(1 for _ in cells)


def _fast_reader() -> _Reader:
    try:
        import pyarrow.csv  # noqa: F401
    except ModuleNotFoundError:
        return _by_numpy
    return _by_pyarrow


def _by_pyarrow(block: bytes, table: TextTable) -> Columns | None:
    import pyarrow as pa
    from pyarrow import csv

    if b"x" in block or b"X" in block or block.startswith(codecs.BOM_UTF8):  # 0x1 is an integer to pyarrow
        return _by_numpy(block, table)
    types = {str(table.header.index(name)): pa.from_numpy_dtype(kind) for name, kind in table.types.items()}
    try:
        columns = csv.read_csv(
            pa.BufferReader(block),
            read_options=csv.ReadOptions(column_names=[str(place) for place in range(len(table.header))]),
            parse_options=csv.ParseOptions(delimiter=table.delimiter),
            convert_options=csv.ConvertOptions(include_columns=list(types), column_types=types, null_values=[]),
        ).columns
    except pa.ArrowException:
        return None
    return _if_plain(table, (column.to_numpy() for column in columns))


def _by_numpy(block: bytes, table: TextTable) -> Columns | None:
    types = [np.dtype(table.types.get(name, "U1")) for name in table.header]
    try:
        with warnings.catch_warnings(action="error"):  # such as of 1.5, which is no integer
            rows = np.loadtxt(
                io.BytesIO(block),
                dtype=np.dtype([(str(place), kind) for place, kind in enumerate(types)]),
                delimiter=table.delimiter,
                comments=None,
                quotechar='"',
                ndmin=1,
                encoding="utf-8",
            )
    except (ValueError, Warning):
        return None
    return _if_plain(table, (rows[str(table.header.index(name))].copy() for name in table.types))


def _if_plain(table: TextTable, columns: Iterable[NDArray[Any]]) -> Columns | None:
    """The columns of the table, if no integer is negative and every number is one."""
    named = dict(zip(table.types, columns, strict=True))
    odd = (column < 0 if column.dtype.kind == "i" else np.isnan(column) for column in named.values())
    return None if any(each.any() for each in odd) else named
