"""Tables for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from quedge.experiments.presentation import Column, Table
from quedge.experiments.reading.rows import PAPER, Row, label_of


def grid_of(table: Table, rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """A table's heading and its lines, as texts: a line a place and policy.

    An interval is given as ± half of it, the 95 % confidence interval over the seeds or, where the column says so, the
    standard deviation.
    """
    heading = [*(name for _, name in table.keys), "policy", *(column.heading for column in table.columns)]
    lines: dict[tuple[Any, str, str], dict[str, Row]] = {}
    for row in rows:
        lines.setdefault((row.x, row.source, row.line), {})[row.measure] = row
    grid = []
    for (place, source, line), numbers in lines.items():
        name = line if source != PAPER else (f"{table.paper_name}: {line}" if line else table.paper_name)
        cells = [number_text(column, numbers.get(column.measure)) for column in table.columns]
        grid.append([*(label_of(each) for each in place), name, *cells])
    return heading, grid


def markdown_of(table: Table, rows: Sequence[Row]) -> str:
    """A table in Markdown."""
    heading, grid = grid_of(table, rows)
    ruler = ["---"] * (len(table.keys) + 1) + ["---:"] * len(table.columns)
    return "".join(f"| {' | '.join(line)} |\n" for line in [heading, ruler, *grid])


def number_text(column: Column, row: Row | None) -> str:
    """A number with its interval; a dash where there is none."""
    if row is None:
        return "-"
    text = f"{row.value:,.{column.digits}f}"
    if math.isnan(row.high):
        return text
    return f"{text} ± {row.high - row.value:,.{column.digits}f}"
