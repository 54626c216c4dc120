"""Recordings in text: CSV files, read block by block into columns by pyarrow or, where that is missing, by NumPy."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from quedge.simulation.recordings.axes import TIME, Names, times
from quedge.simulation.recordings.cells import Columns, Kind, TextTable, is_blank, read_cells
from quedge.simulation.recordings.header import LINE, Rewritten, table_of
from quedge.simulation.recordings.layout import Layout
from quedge.simulation.recordings.rows import SUBCHANNEL, Rows, whole_numbers

_BLOCK_BYTES = 4 << 20
_GZIP = b"\x1f\x8b"
STANDARD_INPUT = Path("-")

_Reader = Callable[[bytes, TextTable], Columns | None]
"""Reads rows into columns; None where it finds anything that `read_cells` may read otherwise or refuse."""

_TYPES: dict[Kind, Any] = {Kind.INTEGER: np.int64, Kind.NUMBER: np.float64, Kind.TIME: TIME, Kind.NAME: np.int64}


def read_csv(path: Path, wanted: Sequence[str], layout: Layout) -> Rows:
    """Read a CSV file, or standard input, plain or compressed by gzip; see `read_recording`."""
    name = "standard input" if path == STANDARD_INPUT else str(path)
    try:
        with _opened(path) as file:
            columns, names = _columns(name, file, wanted, layout)
    except EOFError:
        raise ValueError(f"{name}: cannot be read as CSV: its compressed data ends too early") from None
    except (OSError, zlib.error) as error:
        raise ValueError(f"{name}: cannot be read as CSV: {getattr(error, 'strerror', None) or error}") from None
    frame, device = columns.pop("frame"), columns.pop("device")
    subchannel = columns.pop(SUBCHANNEL, None)
    return Rows(frame, whole_numbers(f"{name}: device", device), names, columns, subchannel)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """What a file holds, unpacked where it is compressed."""
    with io.BytesIO(sys.stdin.buffer.read()) if path == STANDARD_INPUT else path.open("rb") as file:
        is_compressed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if is_compressed:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast(BinaryIO, unpacked)
        else:
            yield file


def _columns(name: str, file: BinaryIO, wanted: Sequence[str], layout: Layout) -> tuple[Columns, Any]:
    blocks = _blocks(name, file)
    first = next((block for block in blocks if block.strip(b"\r\n")), b"")
    table, start = table_of(name, first, wanted, layout)
    rewritten = Rewritten(table)
    read = _fast_reader()
    parts: list[Columns] = []
    row = 1
    blocks = map(rewritten.block, chain([first[start:]], blocks))
    for block in blocks:
        if _ends_with_a_row(block, table.delimiter):
            columns = read(block, table)
            found = [columns] if columns else read_cells(table, _lines([block]), row)
        else:
            found = read_cells(table, _lines(chain([block], blocks)), row)
        for part in found:
            parts.append(part)
            row += part["frame"].size
    joined = {
        name: np.concatenate([np.empty(0, dtype=_TYPES[column.kind]), *(part.pop(name) for part in parts)])
        for name, column in table.columns.items()
    }
    return joined, table.names.axis if table.columns["device"].kind is Kind.NAME else None


def _blocks(name: str, file: BinaryIO) -> Iterator[bytes]:
    """The file in blocks of whole lines, without the mark that some programs put at its start."""
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    while block := file.read(_BLOCK_BYTES) + file.readline():
        if not block.isascii():
            try:
                block.decode()
            except UnicodeDecodeError:
                raise ValueError(f"{name}: is not a text file in UTF-8") from None
        yield block


def _lines(blocks: Iterable[bytes]) -> Iterator[str]:
    for block in blocks:
        yield from (line[0].decode() for line in LINE.finditer(block))


def _ends_with_a_row(block: bytes, delimiter: str) -> bool:
    """Whether all quotes enclose whole cells within their lines, so that every line is a row."""
    if b'"' not in block:
        return True
    mark = re.escape(delimiter)
    cells = re.finditer(rf'"(?<![^{mark}\r\n]")[^"\r\n]*"(?![^{mark}\r\n])'.encode(), block)
    return block.count(b'"') == 2 * sum(1 for _ in cells)


def _fast_reader() -> _Reader:
    try:
        import pyarrow.csv  # noqa: F401
    except ModuleNotFoundError:
        return _by_numpy
    return _by_pyarrow


_HEXADECIMAL = re.compile(rb"0[xX]")


def _by_pyarrow(block: bytes, table: TextTable) -> Columns | None:
    import pyarrow as pa
    from pyarrow import csv

    has_x = b"x" in block or b"X" in block
    if (has_x and _HEXADECIMAL.search(block)) or block.startswith(codecs.BOM_UTF8):  # 0x1 is an integer to pyarrow
        return _by_numpy(block, table)
    arrow = {Kind.INTEGER: pa.int64(), Kind.NUMBER: pa.float64(), Kind.TIME: pa.string(), Kind.NAME: pa.string()}
    types = {str(column.place): arrow[column.kind] for column in table.columns.values()}
    try:
        columns = csv.read_csv(
            pa.BufferReader(block),
            read_options=csv.ReadOptions(column_names=[str(place) for place in range(table.width)]),
            parse_options=csv.ParseOptions(delimiter=table.delimiter),
            convert_options=csv.ConvertOptions(
                include_columns=list(types),
                column_types=types,
                null_values=[],
                decimal_point="," if table.delimiter != "," and b"," in block else ".",
            ),
        ).columns
        read = [
            _by_texts(each, column.kind, table.names) if column.kind in (Kind.TIME, Kind.NAME) else each.to_numpy()
            for each, column in zip(columns, table.columns.values(), strict=True)
        ]
    except (pa.ArrowException, ValueError):
        return None
    return _if_plain(table, read)


def _by_texts(column: Any, kind: Kind, names: Names) -> NDArray[Any]:
    """Names or times of a column of pyarrow's texts; a ValueError where one is blank or none."""
    encoded = column.dictionary_encode().combine_chunks()
    texts = [text.strip() for text in encoded.dictionary.to_pylist()]
    if any(is_blank(text) for text in texts):
        raise ValueError("a text is blank")
    values = names.numbers(texts) if kind is Kind.NAME else times(texts)
    return np.asarray(values[encoded.indices.to_numpy()])


def _by_numpy(block: bytes, table: TextTable) -> Columns | None:
    """As `_by_pyarrow`; a block with names or times is left to `read_cells`."""
    kinds = {column.place: column.kind for column in table.columns.values()}
    if Kind.NAME in kinds.values() or Kind.TIME in kinds.values():
        return None
    types = [np.dtype(_TYPES[kinds[place]] if place in kinds else "U1") for place in range(table.width)]
    if table.delimiter != ",":
        block = block.replace(b",", b".")
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
    return _if_plain(table, (rows[str(column.place)].copy() for column in table.columns.values()))


def _if_plain(table: TextTable, columns: Iterable[NDArray[Any]]) -> Columns | None:
    """The columns of the table, if no integer is negative and every number is one."""
    named = dict(zip(table.columns, columns, strict=True))
    odd = (
        column < 0 if column.dtype.kind == "i" else np.isnan(column)
        for name, column in named.items()
        if table.columns[name].kind in (Kind.INTEGER, Kind.NUMBER)
    )
    return None if any(each.any() for each in odd) else named
