"""Measures over the frames of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from quedge.experiments.figures import style
from quedge.experiments.presentation import TimeSeries
from quedge.experiments.rows import OURS, PAPER, Row


def draw_time_series(figure: TimeSeries, rows: Sequence[Row]) -> Any:
    """One panel per measure; bands are 95 % confidence intervals over the seeds.

    The paper's means belong to no frame and stand outside the right edge.
    """
    height = 0.8 + (3.4 if len(figure.panels) == 1 else 2.3 * len(figure.panels))
    drawn = style.new_figure(7.4, height)
    axes = drawn.subplots(len(figure.panels), 1, squeeze=False, sharex=True)[:, 0]
    names = style.lines_of(rows)
    styles, legend = style.styles_of(names, (figure.lines,)), style.Legend()
    last = max((row.x for row in rows if row.source == OURS), default=1.0)
    for axis, panel in zip(axes, figure.panels, strict=True):
        own = [row for row in rows if row.measure == panel.name]
        for name in names:
            line = [row for row in own if row.line == name and row.source == OURS]
            if line:
                legend.add(style.shown_name((figure.lines,), name, line, rows), _draw_line(axis, line, styles[name]))
            for row in (row for row in own if row.line == name and row.source == PAPER):
                _draw_mean(axis, row.value, styles[name])
                legend.add_paper(style.PAPER_MEAN)
        axis.set_ylabel(style.in_figure(panel.label))
        axis.set_xlim(0, last)
        style.style_axes(axis)
        style.scale_panel(axis, panel, np.array([row.value for row in own]))
    axes[-1].set_xlabel("frame")
    style.write_thousands(axes[-1].xaxis)
    drawn.align_ylabels()
    legend.place(drawn)
    return drawn


def _draw_line(axis: Any, line: Sequence[Row], line_style: style.LineStyle) -> Any:
    x, value, low, high = (np.array([getattr(row, end) for row in line]) for end in ("x", "value", "low", "high"))
    if np.isfinite(high).any():
        axis.fill_between(x, low, high, color=line_style.color, alpha=0.16, linewidth=0.0)
    return axis.plot(x, value, marker="o" if len(line) == 1 else None, **line_style.look)[0]


def _draw_mean(axis: Any, value: float, line_style: style.LineStyle) -> None:
    axis.plot(
        1.006, value, transform=axis.get_yaxis_transform(), color=line_style.color, linestyle="none",
        marker=style.MEAN_MARKER, markersize=8.0, clip_on=False, zorder=5,
    )  # fmt: skip
