"""Tables: their rows, their texts, and Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from quedge.experiments.presentation import Measure, Table
from quedge.experiments.records import BOLD_RULE, SETTLED_RULE, Comparison, Records
from quedge.experiments.rows import PAPER, QUARTILES, Row, label_of, measured_rows, paper_rows


def table_rows(table: Table, records: Sequence[Records]) -> list[Row]:
    """The rows of a table, the paper's first; `x` holds the values of its keys."""
    rows = [row._replace(x=(row.x,)) for row in paper_rows(table.marks, table.columns)]
    comparison = Comparison(records)
    for record in records:
        place = tuple(record.variant[key] for key, _ in table.keys)
        rows += measured_rows(record, place, record.scheme, table.columns, comparison)
    marks = [(mark.x,) for mark in table.marks]
    places = dict.fromkeys([*marks, *(tuple(record.variant[key] for key, _ in table.keys) for record in records)])
    try:
        order = {place: number for number, place in enumerate(sorted(places))}
    except TypeError:  # values without an order, such as lists beside numbers
        order = {place: number for number, place in enumerate(places)}
    return sorted(rows, key=lambda row: order[row.x])


class TableText(NamedTuple):
    """A table as texts.

    Attributes:
        heading: one text per column.
        lines: one line per place and policy, one text per column.
        bold: line and column of each text that is the best, see `BOLD_RULE`.
    """

    heading: list[str]
    lines: list[list[str]]
    bold: list[tuple[int, int]]


def text_of(table: Table, rows: Sequence[Row]) -> TableText:
    """A table's texts.

    Means have half of their 95 % confidence interval over the seeds behind ±, times their quartiles in brackets. A
    column `settled` follows each queue.
    """
    queues = {row.measure for row in rows if row.settled}
    heading = [*(name for _, name in table.keys), "policy"]
    for column in table.columns:
        heading += [column.heading or column.label] + ["settled"] * (column.name in queues)
    places: dict[tuple[Any, str, str], dict[str, Row]] = {}
    for row in rows:
        places.setdefault((row.x, row.source, row.line), {})[row.measure] = row
    lines: list[list[str]] = []
    bold: list[tuple[int, int]] = []
    for (place, source, name), numbers in places.items():
        shown = name if source != PAPER else (f"{table.paper_name}: {name}" if name else table.paper_name)
        line = [*(label_of(each) for each in place), shown]
        for column in table.columns:
            number = numbers.get(column.name)
            if number is not None and number.best:
                bold.append((len(lines), len(line)))
            line.append(number_text(column, number))
            if column.name in queues:
                line.append((number.settled if number is not None else "") or "-")
        lines.append(line)
    return TableText(heading, lines, bold)


def markdown_of(table: Table, rows: Sequence[Row], notes: Sequence[str] = ()) -> str:
    """A table in Markdown, with notes on these runs below."""
    heading, lines, bold = text_of(table, rows)
    for line, column in bold:
        lines[line][column] = f"**{lines[line][column]}**"
    keys = len(table.keys) + 1
    ruler = ["---"] * keys + ["---" if name == "settled" else "---:" for name in heading[keys:]]
    grid = "".join(f"| {' | '.join(line)} |\n" for line in [heading, ruler, *lines])
    rules = [BOLD_RULE] * bool(bold) + [SETTLED_RULE] * any(row.settled for row in rows)
    return grid + "".join(f"\n{note}\n" for note in [*notes, *rules])


def number_text(column: Measure, row: Row | None) -> str:
    """A number with its interval; a dash where there is none, or one that means nothing."""
    if row is None or row.value < column.least:
        return "-"
    text, low, high = (f"{number:,.{column.digits}f}" for number in (row.value, row.low, row.high))
    if math.isnan(row.high):
        return text
    if row.interval == QUARTILES:
        return f"{text} ({low} to {high})"
    return f"{text} ± {row.high - row.value:,.{column.digits}f}"
