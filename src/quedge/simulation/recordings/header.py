"""The beginning of a text file: which character separates its cells, what its columns are, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from quedge.simulation.recordings.axes import Names
from quedge.simulation.recordings.cells import Column, Kind, TextTable, kind_of_devices, kind_of_frames, split_rows
from quedge.simulation.recordings.layout import Layout
from quedge.simulation.recordings.rows import SUBCHANNEL, recorded_columns

LINE = re.compile(rb"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_DELIMITERS = (",", ";", "\t", "|", " ")
_BLANKS = re.compile(rb"[ \t]+")
_BLANKS_AT_ENDS = re.compile(rb"^ | (?=[\r\n]|\Z)", re.MULTILINE)
_REMARK = re.compile(rb"^#[^\r\n]*(?:\r\n?|\n|\Z)", re.MULTILINE)


def table_of(name: str, block: bytes, wanted: Sequence[str], layout: Layout) -> tuple[TextTable, int]:
    """How the file that begins with a block is written, and where in the block its rows begin.

    Raises:
        ValueError: no header, or one that lacks a column.
    """
    delimiter, begin = layout.delimiter, None
    for line in LINE.finditer(block):
        text = line[0].decode().strip()
        if text.lower().startswith("sep=") and len(text) == 5:
            delimiter = delimiter or text[-1]
        elif text and not (text.startswith("#") and not _is_header(text.lstrip("# "), delimiter, layout)):
            begin = line.start()
            break
    if begin is None:
        raise ValueError(f"{name}: cannot be read as CSV: it is empty")
    header_line = LINE.match(block, begin)
    assert header_line is not None
    text = header_line[0].decode()
    if text.lstrip().startswith("#"):
        begin += len(text) - len(text.lstrip("# "))  # a header that is written as a remark
        text = text.lstrip("# ")
    delimiter = delimiter or _delimiter_of(text, layout)
    header, length = _first_row(name, block[begin:], delimiter)
    names = recorded_columns(name, header, wanted, layout)
    start = begin + length
    kinds = _kinds(name, block[start:], delimiter, header, names)
    columns = {
        column: Column(called, header.index(called), kinds.get(column, Kind.NUMBER), column not in kinds)
        for column, called in names.items()
    }
    return TextTable(name, len(header), columns, delimiter, Names()), start


def _is_header(text: str, delimiter: str | None, layout: Layout) -> bool:
    """Whether a line names a column of frames and one of devices."""
    return any(_has_columns(text, each, layout) for each in ((delimiter,) if delimiter else _DELIMITERS))


def _has_columns(text: str, delimiter: str, layout: Layout) -> bool:
    cells = text.split() if delimiter == " " else text.split(delimiter)
    found = [cell.strip(' "\t\r\n') for cell in cells]
    return all(layout.name(column, found) in found for column in ("frame", "device"))


def _delimiter_of(text: str, layout: Layout) -> str:
    """The delimiter under which a header names frames and devices; a comma where none does."""
    return next((each for each in _DELIMITERS if _has_columns(text, each, layout)), ",")


def _first_row(name: str, block: bytes, delimiter: str) -> tuple[list[str], int]:
    """The cells of a block's first row, and the length of its lines."""
    length = 0

    def lines() -> Iterator[str]:
        nonlocal length
        for line in LINE.finditer(block):
            length = line.end()
            yield (_single_blanks(line[0]) if delimiter == " " else line[0]).decode()

    cells = next(split_rows(name, lines(), delimiter), [])
    return [cell.strip() for cell in cells], length


def _kinds(name: str, block: bytes, delimiter: str, header: Sequence[str], names: dict[str, str]) -> dict[str, Kind]:
    """As what frames and devices are read, by the first row that has both."""
    numbered = {SUBCHANNEL: Kind.INTEGER} if SUBCHANNEL in names else {}
    end = 0
    while line := LINE.match(block, end):
        end = line.end()
        if line[0].strip() and not line[0].startswith(b"#"):
            cells, _ = _first_row(name, block[line.start() : line.start() + (1 << 16)], delimiter)
            if len(cells) == len(header):
                place = {column: header.index(names[column]) for column in ("frame", "device")}
                return numbered | {
                    "frame": kind_of_frames(cells[place["frame"]]),
                    "device": kind_of_devices(cells[place["device"]]),
                }
            break
    return numbered | {"frame": Kind.INTEGER, "device": Kind.INTEGER}


def _single_blanks(block: bytes) -> bytes:
    return _BLANKS_AT_ENDS.sub(b"", _BLANKS.sub(b" ", block))


class Rewritten:
    """Blocks of rows as the readers take them: without lines of remarks, and with one blank where blanks separate."""

    def __init__(self, table: TextTable) -> None:
        """Blocks of a table."""
        self._delimiter = table.delimiter.encode()
        self._width = table.width

    def block(self, block: bytes) -> bytes:
        """A block, rewritten; one of plain rows as it is."""
        if b"#" in block:
            block = _REMARK.sub(self._kept, block)
        return _single_blanks(block) if self._delimiter == b" " else block

    def _kept(self, line: re.Match[bytes]) -> bytes:
        """A line that begins with #, where it is a row: it has as many cells as one."""
        return line[0] if line[0].count(self._delimiter) == self._width - 1 else b""
