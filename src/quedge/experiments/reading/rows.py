"""The numbers that a figure or table shows, one a row: what is drawn is read from these rows and from nowhere else."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from quedge.experiments.presentation import (
    POLICY,
    Column,
    Course,
    Figure,
    Front,
    Mark,
    Panel,
    Ranking,
    Sweep,
    SweepsBeside,
    Table,
)
from quedge.experiments.reading.estimates import SETTLED, Rivals, estimate, paired_difference, trend_of
from quedge.experiments.reading.records import Records

OURS, PAPER = "quedge", "paper"
CI95, QUARTILES, NONE = "ci95", "quartiles", ""


class Row(NamedTuple):
    """One number.

    Attributes:
        x: its place on the horizontal axis, or in the table; None where there is none.
        line: the line that it belongs to.
        measure: what it measures.
        value: the number; where it is ours, a mean over seeds, or a median of times.
        low: lower end of its interval; NaN where there is none.
        high: upper end.
        interval: what it is: `CI95`, `QUARTILES` or `NONE`.
        seeds: number of seeds; 0 where it is the paper's.
        frames: number of frames of each run; 0 where it is the paper's.
        source: whose it is, `OURS` or `PAPER`.
        difference: mean over the seeds of the difference to the reference at the same setting; NaN where there is none.
        difference_low: lower end of its 95 % interval, paired over the seeds; NaN where there is none.
        difference_high: upper end.
        reference: the policy that `difference` is to.
        settled: of a queue, whether it has; see `trend_of`.
        best: whether it is better than every other policy's; see `BOLD_RULE`.
    """

    x: Any
    line: str
    measure: str
    value: float
    low: float
    high: float
    interval: str
    seeds: int
    frames: int
    source: str
    difference: float = math.nan
    difference_low: float = math.nan
    difference_high: float = math.nan
    reference: str = ""
    settled: str = ""
    best: bool = False


def figure_rows(figure: Figure, records: Sequence[Records]) -> list[Row]:
    """What a figure shows."""
    if isinstance(figure, Course):
        rivals = Rivals(records)
        return [row for record in records for row in _course(figure, record, rivals)] + _paper(
            figure.marks, figure.panels
        )
    if isinstance(figure, SweepsBeside):
        return [row._replace(x=(sweep.x, row.x)) for sweep in figure.columns for row in figure_rows(sweep, records)]
    if isinstance(figure, Sweep):
        x, panels, lines = figure.x, figure.panels, figure.lines
        records = [record for record in records if _has_a_place(figure, record)]
    elif isinstance(figure, Ranking):
        x, panels, lines = None, figure.panels, (POLICY,)
    else:
        x, panels, lines = figure.points, (figure.x, figure.y), (figure.lines,)
    rivals = Rivals(records)
    rows = [
        row
        for record in records
        for row in _rows(record, None if x is None else record.variant[x], _line(record, lines), panels, rivals)
    ]
    return rows + _paper(() if isinstance(figure, Ranking) else figure.marks, panels)


def _has_a_place(figure: Sweep, record: Records) -> bool:
    """Whether a variant is one of those that a sweep shows, and can stand on its axis."""
    x = record.variant[figure.x]
    return figure.only.items() <= record.variant.items() and x is not None and not (figure.logarithmic and x <= 0.0)


def table_rows(table: Table, records: Sequence[Records]) -> list[Row]:
    """What a table shows; `x` holds the values of its keys."""
    rows = [row._replace(x=(row.x,)) for row in _paper(table.marks, table.columns)]
    rivals = Rivals(records)
    for record in records:
        place = tuple(record.variant[key] for key, _ in table.keys)
        rows += _rows(record, place, record.scheme, table.columns, rivals)
    order = {place: number for number, place in enumerate(_places(table, records))}
    return sorted(rows, key=lambda row: order[row.x])


def csv_text(header: Sequence[str], rows: Sequence[Row]) -> str:
    """Rows as CSV: the place in its own columns, then the rest; empty where there is no number.

    Args:
        header: names of the columns of the place, and of the line.
        rows: the rows.
    """
    keys = len(header) - 1
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*header, *_COLUMNS])
    for row in rows:
        place = list(row.x) if isinstance(row.x, tuple) else [row.x] * keys
        numbers = _texts(row.value, row.low, row.high)
        rest = [row.line, row.measure, *numbers, row.interval, row.seeds or "", row.frames or "", row.source]
        rest += [*_texts(row.difference, row.difference_low, row.difference_high), row.reference, row.settled]
        writer.writerow([*("" if each is None else each for each in place), *rest])
    return file.getvalue()


_COLUMNS = (
    "measure", "value", "low", "high", "interval", "seeds", "frames", "source", "difference", "difference_low",
    "difference_high", "reference", "settled",
)  # fmt: skip


def _texts(*numbers: float) -> list[str]:
    return ["" if math.isnan(number) else repr(float(number)) for number in numbers]


def cells_text(records: Sequence[Records]) -> str:
    """Every number of every cell as CSV, a row a cell: its keys, policy, seed, frames, file and measures."""
    keys = list(dict.fromkeys(key for record in records for key in record.variant))
    measures = list(
        dict.fromkeys(
            measure
            for record in records
            for run in record.runs
            for measure, found in run.findings.items()
            if isinstance(found, float) and measure not in (*_TOLD, *keys)
        )
    )
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*keys, *(name for name in _TOLD if name not in keys), *measures])
    for record in records:
        place = [record.variant.get(key, "") for key in keys]
        for run in record.runs:
            told = {"policy": record.scheme, "seed": run.seed, "frames": record.frames, "cell": run.cell}
            numbers = [run.findings.get(measure, "") for measure in measures]
            writer.writerow([*place, *(told[name] for name in _TOLD if name not in keys), *numbers])
    return file.getvalue()


_TOLD = ("policy", "seed", "frames", "cell")


def figure_header(figure: Figure) -> tuple[str, ...]:
    """Names of the first columns of a figure's CSV."""
    if isinstance(figure, Course):
        return "frame", figure.lines
    if isinstance(figure, Sweep):
        return figure.x, " and ".join(figure.lines)
    if isinstance(figure, SweepsBeside):
        return "key", "value", " and ".join(figure.columns[0].lines)
    if isinstance(figure, Front):
        return figure.points, figure.lines
    return (POLICY,)


def _line(record: Records, lines: Sequence[str]) -> str:
    if len(lines) == 1:
        return _part(record, lines[0])
    return ", ".join(_part(record, key, named=True) for key in lines)


def _part(record: Records, key: str, named: bool = False) -> str:
    """A policy, or a key's value; `named` with the key, but for names, which speak for themselves."""
    if key == POLICY:
        return record.scheme
    value = record.variant[key]
    return f"{key} = {label_of(value)}" if named and not isinstance(value, str) else label_of(value)


def label_of(value: Any) -> str:
    """A key's value as a line's name; a dash where it is left out."""
    if value is None:
        return "-"
    return f"{value:.12g}" if isinstance(value, (int, float)) else str(value)


def _rows(record: Records, x: Any, line: str, shown: Sequence[Panel | Column], rivals: Rivals) -> Iterator[Row]:
    """The measures of one record, as far as they were found."""
    for each in shown:
        values = record.values(each.measure)
        if not values:
            continue
        if each.quartiles:
            yield Row(x, line, each.measure, *_quartiles(record, each.measure), len(values), record.frames, OURS)
            continue
        mean, low, high, seeds = estimate(values)
        row = Row(x, line, each.measure, mean, low, high, _interval(seeds), seeds, record.frames, OURS)
        row = row._replace(settled=trend_of(record, each.measure))
        if isinstance(each, Column) and each.better is not None and row.settled in ("", SETTLED):
            row = row._replace(best=rivals.beaten_by(record, each.measure, each.better))
        yield _compared(row, record, rivals, partial(Records.by_seed, measure=each.measure))


def _course(figure: Course, record: Records, rivals: Rivals) -> Iterator[Row]:
    """The course of each measure, mean over the seeds at each place."""
    line = _line(record, (figure.lines,))
    for panel in figure.panels:
        name = f"{panel.measure}_over_time"
        courses = record.courses(name)
        for point, at in enumerate(courses[0].at if courses else ()):
            mean, low, high, seeds = estimate([float(course.value[point]) for course in courses])
            interval = _interval(seeds)
            row = Row(float(at), line, panel.measure, mean, low, high, interval, seeds, record.frames, OURS)
            yield _compared(row, record, rivals, partial(Records.by_seed_at, measure=name, point=point))


def _compared(row: Row, record: Records, rivals: Rivals, values: Callable[[Records], dict[int, float]]) -> Row:
    """A row with its difference to the reference, where that is another record."""
    reference = rivals.reference_of(record)
    if reference is None or (found := paired_difference(values(record), values(reference))) is None:
        return row
    return row._replace(
        difference=found.mean, difference_low=found.low, difference_high=found.high, reference=reference.scheme
    )


def _quartiles(record: Records, measure: str) -> tuple[float, float, float, str]:
    """Median and quartiles of a time, and what kind of interval they are.

    Where each run has its own quartiles, they are medians over the seeds, as the median is.
    """
    values = record.values(measure)
    stem = measure.removesuffix("_p50")
    low, high = record.values(f"{stem}_p25"), record.values(f"{stem}_p75")
    if low and high:
        return float(np.median(values)), float(np.median(low)), float(np.median(high)), QUARTILES
    if len(values) == 1:
        return values[0], math.nan, math.nan, NONE
    first, median, third = np.percentile(values, (25.0, 50.0, 75.0))
    return float(median), float(first), float(third), QUARTILES


def _interval(seeds: int) -> str:
    return CI95 if seeds > 1 else NONE


def _paper(marks: Sequence[Mark], shown: Sequence[Panel | Column]) -> list[Row]:
    """The paper's numbers of the measures that are shown."""
    measures = {each.measure for each in shown}
    return [
        Row(mark.x, mark.line, mark.measure, mark.value, math.nan, math.nan, NONE, 0, 0, PAPER)
        for mark in marks
        if mark.measure in measures
    ]


def _places(table: Table, records: Sequence[Records]) -> Iterator[tuple[Any, ...]]:
    """Every place of a table once: the order in which it lists them."""
    places: Mapping[tuple[Any, ...], None] = dict.fromkeys(
        [(mark.x,) for mark in table.marks]
        + [tuple(record.variant[key] for key, _ in table.keys) for record in records]
    )
    try:
        yield from sorted(places)
    except TypeError:  # values of a key that have no order, lists beside numbers for instance
        yield from places
