"""Measures of each policy, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from quedge.experiments.drawing.legend import lines_of, shown_name
from quedge.experiments.drawing.style import in_figure, mark_level_on_x, new_figure, style_axes, styles_of
from quedge.experiments.presentation import POLICY, Ranking
from quedge.experiments.reading.rows import Row


def draw_ranking(figure: Ranking, rows: Sequence[Row]) -> Any:
    """A point a policy, a panel a measure; error bars are 95 % confidence intervals over the seeds."""
    names = lines_of(rows)
    drawn = new_figure(1.6 + 3.1 * max(len(figure.panels), 1.5), 1.1 + 0.36 * len(names))
    axes = drawn.subplots(1, len(figure.panels), squeeze=False, sharey=True)[0]
    styles, height = styles_of(names), {name: -place for place, name in enumerate(names)}
    for axis, panel in zip(axes, figure.panels, strict=True):
        for row in (row for row in rows if row.measure == panel.measure):
            style = styles[row.line]
            known = np.isfinite(row.high)
            spread = [[row.value - row.low], [row.high - row.value]] if known else None
            axis.errorbar(
                row.value, height[row.line], xerr=spread, color=style.color, marker=style.marker, markersize=6,
                capsize=3, linestyle="none",
            )  # fmt: skip
        axis.set_xlabel(in_figure(panel.label))
        style_axes(axis)
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.margins(x=0.12, y=0.12)
        if panel.scale in ("linear", "queue"):
            axis.set_xlim(left=0.0)
        elif panel.scale == "log":
            axis.set_xscale("log")
        if panel.level is not None:
            mark_level_on_x(axis, panel.level)
    shown = [shown_name((POLICY,), name, [row for row in rows if row.line == name], rows) for name in names]
    axes[0].set_yticks([height[name] for name in names], shown)
    return drawn
