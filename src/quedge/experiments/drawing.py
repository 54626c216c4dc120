"""Figures of runs; the only place where matplotlib is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.simulation.trace import Trace

_POINTS = 400  # more than that cannot be told apart in print
_WINDOW_SHARE = 0.02  # of the run, in one moving average

# Okabe and Ito's colours, and three for longer lists, stay apart for colour-blind readers; the dashes do so in grey.
_STYLES: tuple[tuple[str, Any, float], ...] = (
    ("#000000", "solid", 2.2),
    ("#D55E00", (0, (6, 2)), 1.5),
    ("#0072B2", "solid", 1.2),
    ("#009E73", (0, (6, 1.5, 1, 1.5)), 1.5),
    ("#CC79A7", (0, (1.2, 1.2)), 1.8),
    ("#E69F00", (0, (3, 1.5)), 1.5),
    ("#56B4E9", (0, (8, 1.5, 1, 1.5, 1, 1.5)), 1.5),
    ("#808080", "solid", 1.8),
    ("#7A4A1E", (0, (2, 1.2)), 1.5),
    ("#A6A400", (0, (10, 2)), 1.5),
)


class Runs(NamedTuple):
    """The runs that share one column of a figure.

    Attributes:
        title: heading of the column.
        traces: runs of the same scenario by policy name.
    """

    title: str
    traces: Mapping[str, Trace]


class _Quantity(NamedTuple):
    """A row of the figure; its kind, "queue", "power" or "share", sets the axis."""

    label: str
    values: Callable[[Trace], NDArray[np.float64]]
    kind: str


_QUANTITIES = (
    _Quantity("data queue (Mbit)", lambda trace: trace.data_queue_mbit.mean(axis=1), "queue"),
    _Quantity("energy queue", lambda trace: trace.energy_queue.mean(axis=1), "queue"),
    _Quantity("power (W)", lambda trace: trace.power_w.mean(axis=1), "power"),
    _Quantity("offloading ratio", lambda trace: trace.offload.mean(axis=1), "share"),
)


def draw_runs(columns: Sequence[Runs], target: str | Path | IO[bytes]) -> None:
    """Draw queues, power and offloading over time, one column a scenario, as PNG.

    Every line is a mean over the devices and a moving average over a fiftieth of the run; queues that differ
    by decades stand on a logarithmic axis.

    Args:
        columns: what to draw, at least one column with at least one run.
        target: file name, or a file open for writing.

    Raises:
        ValueError: there is nothing to draw.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not columns or not all(column.traces for column in columns):
        raise ValueError("columns: nothing to draw; there must be at least one run in each column")
    figure = Figure(figsize=(1.5 + 4.6 * len(columns), 8.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(_QUANTITIES), len(columns), squeeze=False, sharex="col")
    names = list(dict.fromkeys(name for column in columns for name in column.traces))
    styles = {name: _STYLES[index % len(_STYLES)] for index, name in enumerate(names)}
    lines: dict[str, Any] = {}
    for c, column in enumerate(columns):
        axes[0, c].set_title(column.title, fontsize=11)
        axes[-1, c].set_xlabel("frame")
        for r, quantity in enumerate(_QUANTITIES):
            lines |= _draw_panel(axes[r, c], quantity, column.traces, styles)
            if c == 0:
                axes[r, c].set_ylabel(quantity.label)
    figure.align_ylabels()
    figure.legend(
        [lines[name] for name in names], names, loc="outside upper center",
        ncols=min(len(names), 6 if len(columns) > 1 else 3), frameon=False, handlelength=3.2,
    )  # fmt: skip
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


def _draw_panel(
    axis: Any, quantity: _Quantity, traces: Mapping[str, Trace], styles: Mapping[str, Any]
) -> dict[str, Any]:
    """Draw one quantity of all runs; returns the lines by name."""
    lines: dict[str, Any] = {}
    for name, trace in traces.items():
        color, dashes, width = styles[name]
        at, mean = moving_average(quantity.values(trace), int(trace.frames * _WINDOW_SHARE))
        marker = "o" if at.size == 1 else None  # a single point is no line
        # Later lines lie on top: dashes over a thick line show both where two policies agree.
        (lines[name],) = axis.plot(at, mean, color=color, linestyle=dashes, linewidth=width, marker=marker)
    axis.set_xlim(0, max(trace.frames for trace in traces.values()))
    axis.grid(visible=True, color="0.88", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    if quantity.kind == "queue":
        _scale_queue(axis, np.concatenate([line.get_ydata() for line in lines.values()]))
    elif quantity.kind == "power":
        _mark_budget(axis, next(iter(traces.values())))
    else:
        axis.set_ylim(-0.03, 1.03)
    return lines


def _scale_queue(axis: Any, means: NDArray[np.float64]) -> None:
    """Decades where the policies differ by decades; linear below the smallest, so that zeros have a place."""
    positive = means[means > 0.0]
    if positive.size and positive.max() > 30.0 * positive.min():
        smallest = max(10.0 ** np.floor(np.log10(positive.min())), positive.max() * 1e-5)
        axis.set_yscale("symlog", linthresh=smallest, linscale=0.4)
    axis.set_ylim(bottom=0.0)


def _mark_budget(axis: Any, trace: Trace) -> None:
    """Draw the budget that the mean power has to keep to."""
    budget = float(trace.scenario.per_device("power_budget_w").mean())
    axis.axhline(budget, color="0.45", linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    axis.annotate(
        "budget", (1.0, budget), xycoords=("axes fraction", "data"), xytext=(3, 0),
        textcoords="offset points", va="center", fontsize=8, color="0.35",
    )  # fmt: skip
