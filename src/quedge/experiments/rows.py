"""The numbers that a figure shows, one row each, and their CSV files: figures are drawn from these rows alone."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from quedge.experiments.presentation import (
    POLICY,
    Figure,
    Mark,
    Measure,
    ParetoFront,
    Ranking,
    Sweep,
    SweepsBeside,
    TimeSeries,
)  # fmt: skip
from quedge.experiments.records import SETTLED, Comparison, Records, trend_of
from quedge.simulation.estimates import estimate, paired_difference

OURS, PAPER = "quedge", "paper"
CI95, QUARTILES, NONE = "ci95", "quartiles", ""


class Row(NamedTuple):
    """One number.

    Attributes:
        x: its place on the horizontal axis, or the values of the table's keys; None where there is none.
        line: the line that it belongs to.
        measure: the measure's name.
        value: the number: the paper's, or our mean over seeds; of times, our median.
        low: lower end of its interval; NaN where there is none.
        high: upper end.
        interval: the kind of interval: `CI95`, `QUARTILES` or `NONE`.
        seeds: number of seeds; 0 for the paper's numbers.
        frames: number of frames of each run; 0 for the paper's numbers.
        source: `OURS` or `PAPER`.
        difference: mean over the seeds of the difference to the reference at the same setting; NaN where there is none.
        difference_low: lower end of its 95 % interval, paired over the seeds; NaN where there is none.
        difference_high: upper end.
        reference: the policy that `difference` is to.
        settled: whether a queue has settled; see `trend_of`.
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
    """The rows of a figure."""
    if isinstance(figure, SweepsBeside):
        return [row._replace(x=(sweep.x, row.x)) for sweep in figure.columns for row in figure_rows(sweep, records)]
    if isinstance(figure, TimeSeries):
        comparison = Comparison(records)
        rows = [row for record in records for row in _series_rows(figure, record, comparison)]
        return rows + paper_rows(figure.marks, figure.panels)
    x: str | None = None
    lines: Sequence[str] = (POLICY,)
    if isinstance(figure, Sweep):
        x, panels, lines = figure.x, figure.panels, figure.lines
        records = [record for record in records if _is_shown(figure, record)]
    elif isinstance(figure, ParetoFront):
        x, panels, lines = figure.points, (figure.x, figure.y), (figure.lines,)
    else:
        panels = figure.panels
    comparison = Comparison(records)
    rows = [
        row
        for record in records
        for row in measured_rows(record, record.variant[x] if x else None, _line(record, lines), panels, comparison)
    ]
    return rows + paper_rows(() if isinstance(figure, Ranking) else figure.marks, panels)


def _is_shown(figure: Sweep, record: Records) -> bool:
    """Whether a sweep shows a variant, which must have a place on its axis."""
    x = record.variant[figure.x]
    return figure.only.items() <= record.variant.items() and x is not None and not (figure.logarithmic and x <= 0.0)


def measured_rows(
    record: Records, x: Any, line: str, measures: Sequence[Measure], comparison: Comparison
) -> Iterator[Row]:
    """One row for each of the measures that a record has."""
    for measure in measures:
        values = record.values(measure.name)
        if not values:
            continue
        if measure.quartiles:
            yield Row(x, line, measure.name, *_quartiles(record, measure.name), len(values), record.frames, OURS)
            continue
        mean, low, high, seeds = estimate(values)
        row = Row(x, line, measure.name, mean, low, high, _interval(seeds), seeds, record.frames, OURS)
        row = row._replace(settled=trend_of(record, measure.name))
        if measure.better is not None and row.settled in ("", SETTLED):
            row = row._replace(best=comparison.is_best(record, measure.name, measure.better))
        yield _compared(row, record, comparison, partial(Records.by_seed, measure=measure.name))


def _series_rows(figure: TimeSeries, record: Records, comparison: Comparison) -> Iterator[Row]:
    """Each measure over time: means over the seeds at each place."""
    line = _line(record, (figure.lines,))
    for measure in figure.panels:
        name = f"{measure.name}_over_time"
        series = record.series(name)
        for point, at in enumerate(series[0].at if series else ()):
            mean, low, high, seeds = estimate([float(each.value[point]) for each in series])
            interval = _interval(seeds)
            row = Row(float(at), line, measure.name, mean, low, high, interval, seeds, record.frames, OURS)
            yield _compared(row, record, comparison, partial(Records.by_seed_at, measure=name, point=point))


def _compared(row: Row, record: Records, comparison: Comparison, values: Callable[[Records], dict[int, float]]) -> Row:
    """A row with its difference to the reference, where that is another record."""
    reference = comparison.reference_of(record)
    if reference is None or (found := paired_difference(values(record), values(reference))) is None:
        return row
    return row._replace(
        difference=found.mean, difference_low=found.low, difference_high=found.high, reference=reference.scheme
    )


def _quartiles(record: Records, measure: str) -> tuple[float, float, float, str]:
    """Median and quartiles of a time, and the kind of interval that they are.

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


def paper_rows(marks: Sequence[Mark], measures: Sequence[Measure]) -> list[Row]:
    """The paper's numbers for some measures."""
    names = {measure.name for measure in measures}
    return [
        Row(mark.x, mark.line, mark.measure, mark.value, math.nan, math.nan, NONE, 0, 0, PAPER)
        for mark in marks
        if mark.measure in names
    ]


def _line(record: Records, lines: Sequence[str]) -> str:
    """The name of a record's line: of one key its value, of several `key = value`, but for names, which stand alone."""
    parts = []
    for key in lines:
        value = record.scheme if key == POLICY else record.variant[key]
        named = len(lines) > 1 and not isinstance(value, str)
        parts.append(f"{key} = {label_of(value)}" if named else label_of(value))
    return ", ".join(parts)


def label_of(value: Any) -> str:
    """A key's value as a line's name; a dash where it is left out."""
    if value is None:
        return "-"
    return f"{value:.12g}" if isinstance(value, (int, float)) else str(value)


def figure_header(figure: Figure) -> tuple[str, ...]:
    """Names of the first columns of a figure's CSV."""
    if isinstance(figure, TimeSeries):
        return "frame", figure.lines
    if isinstance(figure, Sweep):
        return figure.x, " and ".join(figure.lines)
    if isinstance(figure, SweepsBeside):
        return "key", "value", " and ".join(figure.columns[0].lines)
    if isinstance(figure, ParetoFront):
        return figure.points, figure.lines
    return (POLICY,)


_COLUMNS = (
    "measure", "value", "low", "high", "interval", "seeds", "frames", "source", "difference", "difference_low",
    "difference_high", "reference", "settled",
)  # fmt: skip


def csv_text(header: Sequence[str], rows: Sequence[Row]) -> str:
    """Rows as CSV, with the place in columns of its own; a field is empty where there is no number.

    Args:
        header: names of the columns of the place, and of the line.
        rows: the rows.
    """
    keys = len(header) - 1
    lines = []
    for row in rows:
        place = list(row.x) if isinstance(row.x, tuple) else [row.x] * keys
        numbers = _texts(row.value, row.low, row.high)
        rest = [row.line, row.measure, *numbers, row.interval, row.seeds or "", row.frames or "", row.source]
        rest += [*_texts(row.difference, row.difference_low, row.difference_high), row.reference, row.settled]
        lines.append([*("" if each is None else each for each in place), *rest])
    return _csv([*header, *_COLUMNS], lines)


def _texts(*numbers: float) -> list[str]:
    return ["" if math.isnan(number) else repr(float(number)) for number in numbers]


def cells_text(records: Sequence[Records]) -> str:
    """Every number of every run as CSV, one row per run: its keys, policy, seed, frames, file and measures."""
    keys = list(dict.fromkeys(key for record in records for key in record.variant))
    about = [name for name in ("policy", "seed", "frames", "cell") if name not in keys]
    findings = [run.findings for record in records for run in record.runs]
    numbers = dict.fromkeys(name for found in findings for name, each in found.items() if isinstance(each, float))
    measures = [name for name in numbers if name not in (*about, *keys)]
    lines = []
    for record in records:
        place = [record.variant.get(key, "") for key in keys]
        for run in record.runs:
            told = {"policy": record.scheme, "seed": run.seed, "frames": record.frames, "cell": run.cell}
            measured = [run.findings.get(name, "") for name in measures]
            lines.append([*place, *(told[name] for name in about), *measured])
    return _csv([*keys, *about, *measures], lines)


def _csv(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return file.getvalue()
