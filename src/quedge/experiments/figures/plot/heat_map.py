"""A measure over two keys."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed, one_of
from quedge.experiments.figures import style
from quedge.experiments.figures.plot.panel import label_of, panel
from quedge.experiments.presentation import POLICY
from quedge.experiments.symbols import SYMBOLS, axis_label, value_text

_DARK = 0.55  # of the colour map's range: below it letters are white


def heat_map(
    table: str | Path | Mapping[str, Sequence[Any]], x: str, y: str, measure: str, policy: str | None = None, *,
    ax: Any = None,
) -> Any:  # fmt: skip
    """Draw a measure over two keys as coloured cells with their numbers: means over all rows of a cell, as over seeds.

    Args:
        table: what `quedge sweep` found, its file `sweep-cells.csv`; or columns by name, as a DataFrame of pandas has
            them. A cell without numbers stays white.
        x: the column along the horizontal axis, such as a key of the scenario.
        y: the column along the vertical axis.
        measure: the column that is shown.
        policy: rows of this one only; may be left out where the table has one policy.
        ax: axes to draw on; new ones without.

    Returns:
        Matplotlib's axes.

    Raises:
        ValueError: the table lacks a column, the measure is none of numbers, or it lacks the policy, which must be said
            where it has several.
        OSError: the file cannot be read.
        MissingExtraError: Matplotlib is not installed.

    Example:
        >>> found = {"devices": [5, 5, 10, 10], "v": [20, 50, 20, 50], "queue": [3.1, 4.0, 6.2, 7.9]}
        >>> ax = quedge.plot.heat_map(found, "devices", "v", "queue")
    """
    columns = _columns_of(table, (x, y, measure))
    shown = _rows_of(columns, policy)
    across, down = ([columns[key][row] for row in shown] for key in (x, y))
    values = _numbers(measure, [columns[measure][row] for row in shown])
    xs, ys = (sorted(set(key), key=lambda each: (isinstance(each, str), each)) for key in (across, down))
    means = np.full((len(ys), len(xs)), np.nan)
    for row, down_value in enumerate(ys):
        for column, across_value in enumerate(xs):
            of = [i for i in range(len(shown)) if (across[i], down[i]) == (across_value, down_value)]
            if np.isfinite(values[of]).any():
                means[row, column] = np.nanmean(values[of])
    with panel(ax, height=2.6) as axes:
        _draw(axes, means)
        axes.set_xticks(range(len(xs)), [value_text(value) for value in xs])
        axes.set_yticks(range(len(ys)), [value_text(value) for value in ys])
        axes.set_xlabel(_key_label(x))
        axes.set_ylabel(_key_label(y))
        axes.set_title(label_of(measure) + (f", {policy}" if policy else ""))
    return axes


def _columns_of(table: Any, needed: Sequence[str]) -> dict[str, list[Any]]:
    """The columns of a table; numbers in a file are read as such."""
    if isinstance(table, str | Path):
        with Path(table).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {name: [_number_or_text(row[name]) for row in rows] for name in (rows[0] if rows else {})}
    else:
        columns = {str(name): list(table[name]) for name in table}
    for name in needed:
        if name not in columns:
            raise not_allowed("column", name, one_of(columns))
    return columns


def _number_or_text(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _numbers(measure: str, values: Sequence[Any]) -> NDArray[np.float64]:
    """A measure's numbers; NaN where a run has none."""
    try:
        return np.array([np.nan if value == "" else value for value in values], dtype=np.float64)
    except (TypeError, ValueError):
        raise not_allowed("measure", measure, "a column of numbers") from None


def _rows_of(columns: Mapping[str, Sequence[Any]], policy: str | None) -> list[int]:
    """The rows of a policy."""
    rows = range(len(next(iter(columns.values()))))
    policies = list(dict.fromkeys(columns.get(POLICY, ())))
    if policy is None and len(policies) <= 1:
        return list(rows)
    if policy not in policies:
        raise not_allowed("policy", policy, one_of(policies))
    return [row for row in rows if columns[POLICY][row] == policy]


def _key_label(key: str) -> str:
    return style.in_figure(axis_label(key)) if key in SYMBOLS else key


def _draw(axes: Any, means: NDArray[np.float64]) -> None:
    """Cells from dark to light by value, which grey keeps, with their numbers."""
    edges = (np.arange(size + 1) - 0.5 for size in reversed(means.shape))
    mesh = axes.pcolormesh(*edges, means, cmap="viridis", edgecolor="white", linewidth=0.5)
    for (row, column), value in np.ndenumerate(means):
        if np.isfinite(value):
            color = "white" if mesh.norm(value) < _DARK else "black"
            axes.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=6.5, color=color)
