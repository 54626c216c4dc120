"""Measures over the frames of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from quedge.experiments.drawing.legend import Legend, lines_of, shown_name
from quedge.experiments.drawing.style import dress, new_figure, scale_panel, styles_of
from quedge.experiments.presentation import Course
from quedge.experiments.reading.rows import OURS, PAPER, Row


def draw_course(figure: Course, rows: Sequence[Row]) -> Any:
    """A panel a measure; bands are 95 % confidence intervals over the seeds; the paper's marks at the right edge."""
    height = 0.8 + (3.4 if len(figure.panels) == 1 else 2.3 * len(figure.panels))
    drawn = new_figure(7.4, height)
    axes = drawn.subplots(len(figure.panels), 1, squeeze=False, sharex=True)[:, 0]
    names = lines_of(rows)
    styles, legend = styles_of(names), Legend()
    last = max((row.x for row in rows if row.source == OURS), default=1.0)
    for axis, panel in zip(axes, figure.panels, strict=True):
        own = [row for row in rows if row.measure == panel.measure]
        for name in names:
            style = styles[name]
            line = [row for row in own if row.line == name and row.source == OURS]
            if line:
                x, value, low, high = (np.array([getattr(row, end) for row in line]) for end in _DRAWN)
                if np.isfinite(high).any():
                    axis.fill_between(x, low, high, color=style.color, alpha=0.16, linewidth=0.0)
                shape = {"color": style.color, "linestyle": style.dashes, "linewidth": style.width}
                marker = "o" if len(line) == 1 else None
                (artist,) = axis.plot(x, value, marker=marker, **shape)
                legend.add(shown_name((figure.lines,), name, line, rows), artist)
            for row in (row for row in own if row.line == name and row.source == PAPER):
                axis.plot(
                    last, row.value, color=style.color, linestyle="none", marker="x", markersize=9.0,
                    markeredgewidth=2.0, clip_on=False, zorder=5,
                )  # fmt: skip
                legend.add_paper()
        axis.set_ylabel(panel.label)
        axis.set_xlim(0, last)
        dress(axis)
        scale_panel(axis, panel, np.array([row.value for row in own]))
    axes[-1].set_xlabel("frame")
    drawn.align_ylabels()
    legend.place(drawn)
    return drawn


_DRAWN = ("x", "value", "low", "high")
