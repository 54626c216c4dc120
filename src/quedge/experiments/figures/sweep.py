"""Measures against a key of the scenario, or one panel each for all policies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.figures import style
from quedge.experiments.presentation import POLICY, Measure, Ranking, Sweep, SweepsBeside
from quedge.experiments.rows import OURS, PAPER, Row
from quedge.experiments.symbols import axis_label


def draw_sweep(figure: Sweep, rows: Sequence[Row]) -> Any:
    """One panel per measure; error bars are 95 % confidence intervals over the seeds, bands quartiles."""
    columns = len(figure.panels) if len(figure.panels) <= 3 else math.ceil(len(figure.panels) / 2)
    lines = math.ceil(len(figure.panels) / columns)
    drawn = style.new_figure(0.4 + 4.1 * columns, 0.7 + 3.1 * lines)
    axes = drawn.subplots(lines, columns, squeeze=False).ravel()
    styles, legend = style.styles_of(style.lines_of(rows), figure.lines), style.Legend()
    for axis, panel in zip(axes, figure.panels, strict=False):
        own = [row for row in rows if row.measure == panel.name]
        _draw_panel(axis, figure, panel, own, rows, styles, legend)
        axis.set_xlabel(style.in_figure(axis_label(figure.x)))
        axis.set_ylabel(style.in_figure(panel.label))
        style.scale_panel(axis, panel, np.array([row.value for row in own]))
    for axis in axes[len(figure.panels) :]:
        axis.set_visible(False)
    legend.place(drawn)
    return drawn


def draw_sweeps_beside(figure: SweepsBeside, rows: Sequence[Row]) -> Any:
    """One column per key and one row per measure, with a common vertical axis."""
    columns, lines = len(figure.columns), len(figure.columns[0].panels)
    drawn = style.new_figure(0.8 + 2.7 * columns, 0.9 + 2.1 * lines)
    axes = drawn.subplots(lines, columns, squeeze=False, sharex="col", sharey="row")
    styles, legend = style.styles_of(style.lines_of(rows), figure.columns[0].lines), style.Legend()
    for column, sweep in enumerate(figure.columns):
        here = [row._replace(x=row.x[1]) for row in rows if row.x[0] == sweep.x]
        for axis, panel in zip(axes[:, column], sweep.panels, strict=True):
            own = [row for row in here if row.measure == panel.name]
            _draw_panel(axis, sweep, panel, own, rows, styles, legend)
        axes[-1, column].set_xlabel(style.in_figure(axis_label(sweep.x)))
    for line, panel in zip(axes, figure.columns[0].panels, strict=True):
        line[0].set_ylabel(style.in_figure(panel.label))
        for axis in line[:-1]:
            style.scale_panel(axis, panel._replace(level=None), _values(panel, rows))
            if panel.level is not None:
                style.mark_level(axis, panel.level._replace(name=""))
        style.scale_panel(line[-1], panel, _values(panel, rows))
    legend.place(drawn)
    return drawn


def _values(panel: Measure, rows: Sequence[Row]) -> NDArray[np.float64]:
    return np.array([row.value for row in rows if row.measure == panel.name])


def _draw_panel(
    axis: Any,
    figure: Sweep,
    panel: Measure,
    own: Sequence[Row],
    rows: Sequence[Row],
    styles: Mapping[str, style.LineStyle],
    legend: style.Legend,
) -> None:
    """A panel's lines, from `own`, its share of the figure's `rows`."""
    for name in style.lines_of(own):
        line = [row for row in own if row.line == name]
        ours = sorted((row for row in line if row.source == OURS), key=lambda row: row.x)
        points = sorted((row for row in line if row.source == PAPER and row.x is not None), key=lambda row: row.x)
        if ours:
            legend.add(style.shown_name(figure.lines, name, ours, rows), _draw_line(axis, ours, styles[name], panel))
        if points:
            _draw_points(axis, points, styles[name])
            legend.add_paper(style.PAPER_POINT)
        for row in (row for row in line if row.source == PAPER and row.x is None):
            axis.axhline(row.value, color=styles[name].color, linestyle=style.LEVEL_DASHES, linewidth=1.6, zorder=1.5)
            legend.add_paper(style.PAPER_LEVEL)
    if figure.logarithmic:
        style.scale_key(axis, [row.x for row in own if row.x is not None])
    style.style_axes(axis)


def _draw_line(axis: Any, line: Sequence[Row], line_style: style.LineStyle, panel: Measure) -> Any:
    x, value = [row.x for row in line], np.array([row.value for row in line])
    low, high = (np.array([getattr(row, end) for row in line]) for end in ("low", "high"))
    look = {**line_style.look, "marker": line_style.marker, "markersize": line_style.marker_size}
    if panel.quartiles:
        axis.fill_between(x, low, high, color=line_style.color, alpha=0.18, linewidth=0.0)
        return axis.plot(x, value, **look)[0]
    if panel.scale in ("linear", "log", "queue"):
        low = np.maximum(low, 0.0)  # these measures cannot be negative
    if np.isfinite(high).any():
        return axis.errorbar(x, value, (value - low, high - value), capsize=2.5, elinewidth=1.0, **look)
    return axis.plot(x, value, **look)[0]


def _draw_points(axis: Any, points: Sequence[Row], line_style: style.LineStyle) -> None:
    """The paper's points, joined by a thin line where they are many."""
    axis.plot(
        [row.x for row in points], [row.value for row in points],
        color=line_style.color, linestyle=(0, (1, 2)), linewidth=0.8, marker="x", markersize=8.0, markeredgewidth=1.8,
        zorder=4,
    )  # fmt: skip


def draw_ranking(figure: Ranking, rows: Sequence[Row]) -> Any:
    """One point per policy and one panel per measure; error bars are 95 % confidence intervals over the seeds."""
    names = style.lines_of(rows)
    drawn = style.new_figure(1.6 + 3.1 * max(len(figure.panels), 1.5), 1.1 + 0.36 * len(names))
    axes = drawn.subplots(1, len(figure.panels), squeeze=False, sharey=True)[0]
    styles, height = style.styles_of(names), {name: -place for place, name in enumerate(names)}
    for axis, panel in zip(axes, figure.panels, strict=True):
        for row in (row for row in rows if row.measure == panel.name):
            line_style = styles[row.line]
            known = np.isfinite(row.high)
            spread = [[row.value - row.low], [row.high - row.value]] if known else None
            axis.errorbar(
                row.value, height[row.line], xerr=spread, color=line_style.color, marker=line_style.marker,
                markersize=6, capsize=3, linestyle="none",
            )  # fmt: skip
        axis.set_xlabel(style.in_figure(panel.label))
        style.style_axes(axis)
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.margins(x=0.12, y=0.12)
        if panel.scale in ("linear", "queue"):
            axis.set_xlim(left=0.0)
        elif panel.scale == "log":
            axis.set_xscale("log")
        if panel.level is not None:
            style.mark_level_on_x(axis, panel.level)
    shown = [style.shown_name((POLICY,), name, [row for row in rows if row.line == name], rows) for name in names]
    axes[0].set_yticks([height[name] for name in names], shown)
    return drawn
