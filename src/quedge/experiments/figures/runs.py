"""Figures of whole runs: queues, power and offloading over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.figures import style
from quedge.experiments.presentation import BUDGET, ENERGY_QUEUE, OFFLOAD_RATIO, POWER, QUEUE, Measure
from quedge.simulation.measures import Outline, over_time
from quedge.simulation.trace import Trace

_POINTS = 400  # more than that cannot be told apart in print
_WINDOW_SHARE = 0.02  # of the run, in one moving average


class Runs(NamedTuple):
    """The runs of one scenario, by policy name, that share one column of a figure, and its heading."""

    title: str
    traces: Mapping[str, Trace | Outline]


_PANELS = (QUEUE, ENERGY_QUEUE, POWER, OFFLOAD_RATIO)


def draw_runs(columns: Sequence[Runs], target: str | Path | IO[bytes]) -> None:
    """Draw queues, power and offloading over time, one column per scenario, as PNG.

    Every line is a mean over the devices and a moving average over a fiftieth of the run; queues that differ by decades
    have a logarithmic axis.

    Args:
        columns: what to draw, at least one column with at least one run.
        target: file name, or a file open for writing.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not columns or not all(column.traces for column in columns):
        raise ValueError("columns: nothing to draw; there must be at least one run in each column")
    figure = style.new_figure(1.5 + 4.6 * len(columns), 8.6)
    axes = figure.subplots(len(_PANELS), len(columns), squeeze=False, sharex="col")
    names = list(dict.fromkeys(name for column in columns for name in column.traces))
    styles = style.styles_of(names)
    lines: dict[str, Any] = {}
    for c, column in enumerate(columns):
        axes[0, c].set_title(column.title, fontsize=11)
        axes[-1, c].set_xlabel("frame")
        style.write_thousands(axes[-1, c].xaxis)
        for r, panel in enumerate(_PANELS):
            lines |= draw_panel(axes[r, c], panel, column.traces, styles)
            if c == 0:
                axes[r, c].set_ylabel(panel.label)
    figure.align_ylabels()
    legend = style.Legend()
    for name in names:
        legend.add(name, lines[name])
    legend.place(figure)
    figure.savefig(target, dpi=150, format="png")


def moving_average(values: NDArray[np.float64], window: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of `window` consecutive values, at most a few hundred of them, evenly spread.

    Returns:
        The middle positions of the windows and the means.
    """
    window = max(1, min(window, values.size))
    sums = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    start = np.unique(np.linspace(0, values.size - window, _POINTS).astype(np.int64))
    middle = start.astype(np.float64) + (window - 1) / 2.0
    return middle, (sums[start + window] - sums[start]) / window


def draw_panel(
    axis: Any, panel: Measure, traces: Mapping[str, Trace | Outline], styles: Mapping[str, style.LineStyle]
) -> dict[str, Any]:
    """Draw one measure of all runs; returns the lines by name."""
    lines: dict[str, Any] = {}
    frames = 0
    for name, trace in traces.items():
        values = (trace.over_time if isinstance(trace, Outline) else over_time(trace))[panel.name]
        frames = max(frames, values.size)
        at, mean = moving_average(values, int(values.size * _WINDOW_SHARE))
        marker = "o" if at.size == 1 else None  # a single point is no line
        (lines[name],) = axis.plot(at, mean, marker=marker, **styles[name].look)
    axis.set_xlim(0, frames)
    style.style_axes(axis)
    if panel.scale == "queue":
        style.scale_queue(axis, np.concatenate([line.get_ydata() for line in lines.values()]))
    elif panel is POWER:
        budget_w = next(iter(traces.values())).scenario.mean_power_budget_w
        style.mark_level(axis, BUDGET._replace(value=budget_w))
    else:
        axis.set_ylim(-0.03, 1.03)
    return lines
