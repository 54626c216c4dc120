"""Tables for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from quedge.experiments.presentation import Column, Table
from quedge.experiments.reading.estimates import BOLD_RULE, SETTLED_RULE
from quedge.experiments.reading.rows import PAPER, QUARTILES, Row, label_of


class TableText(NamedTuple):
    """A table as texts.

    Attributes:
        heading: a text a column.
        lines: a line a place and policy, a text a column.
        bold: line and column of each text that is the best, see `BOLD_RULE`.
    """

    heading: list[str]
    lines: list[list[str]]
    bold: list[tuple[int, int]]


def text_of(table: Table, rows: Sequence[Row]) -> TableText:
    """A table's texts.

    An interval is given as ± half of it, the 95 % confidence interval over the seeds; or where the column is of times,
    by the quartiles in brackets. A queue is followed by whether it has settled.
    """
    queues = {row.measure for row in rows if row.settled}
    heading = [*(name for _, name in table.keys), "policy"]
    for column in table.columns:
        heading += [column.heading, "settled"] if column.measure in queues else [column.heading]
    places: dict[tuple[Any, str, str], dict[str, Row]] = {}
    for row in rows:
        places.setdefault((row.x, row.source, row.line), {})[row.measure] = row
    lines: list[list[str]] = []
    bold: list[tuple[int, int]] = []
    for (place, source, name), numbers in places.items():
        shown = name if source != PAPER else (f"{table.paper_name}: {name}" if name else table.paper_name)
        line = [*(label_of(each) for each in place), shown]
        for column in table.columns:
            row_here = numbers.get(column.measure)
            if row_here is not None and row_here.best:
                bold.append((len(lines), len(line)))
            line.append(number_text(column, row_here))
            if column.measure in queues:
                line.append((row_here.settled if row_here is not None else "") or "-")
        lines.append(line)
    return TableText(heading, lines, bold)


def markdown_of(table: Table, rows: Sequence[Row], notes: Sequence[str] = ()) -> str:
    """A table in Markdown, and below it what a reader must know of it.

    Args:
        table: the table.
        rows: its numbers.
        notes: sentences about these runs.
    """
    heading, lines, bold = text_of(table, rows)
    for line, column in bold:
        lines[line][column] = f"**{lines[line][column]}**"
    keys = len(table.keys) + 1
    ruler = ["---"] * keys + ["---" if name == "settled" else "---:" for name in heading[keys:]]
    grid = "".join(f"| {' | '.join(line)} |\n" for line in [heading, ruler, *lines])
    rules = [BOLD_RULE] * bool(bold) + [SETTLED_RULE] * any(row.settled for row in rows)
    return grid + "".join(f"\n{note}\n" for note in [*notes, *rules])


def number_text(column: Column, row: Row | None) -> str:
    """A number with its interval; a dash where there is none."""
    if row is None:
        return "-"
    text, low, high = (f"{number:,.{column.digits}f}" for number in (row.value, row.low, row.high))
    if math.isnan(row.high):
        return text
    if row.interval == QUARTILES:
        return f"{text} ({low} to {high})"
    return f"{text} ± {row.high - row.value:,.{column.digits}f}"
