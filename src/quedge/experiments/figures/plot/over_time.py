"""Runs over time: queue, power, and whatever `over_time` measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quedge.experiments.figures import style
from quedge.experiments.figures.plot.panel import label_lines, panel, runs_of
from quedge.experiments.figures.runs import draw_panel
from quedge.experiments.presentation import POWER, QUEUE, Measure
from quedge.simulation.trace import Trace


def queue(traces: Trace | Mapping[str, Trace], ax: Any = None) -> Any:
    """Draw the data queue over time (Mbit), a mean over the devices and a fiftieth of the run, one line per run.

    Args:
        traces: a run, or runs by name; a known policy has the same line in every figure.
        ax: axes to draw on; new ones without.

    Returns:
        Matplotlib's axes.

    Raises:
        ValueError: `traces` is neither.
        MissingExtraError: Matplotlib is not installed.

    Example:
        >>> run = quedge.simulate(quedge.Scenario(devices=3), quedge.BestSingle(), frames=100)
        >>> ax = quedge.plot.queue({"best-single": run})
        >>> ax.set_ylim(0.0, 10.0)
        (0.0, 10.0)
    """
    return _over_time(traces, QUEUE, ax)


def power(traces: Trace | Mapping[str, Trace], ax: Any = None) -> Any:
    """Draw the power over time (W) against the budget, averaged as in `queue`; arguments and errors as there.

    Returns:
        Matplotlib's axes.

    Example:
        >>> run = quedge.simulate(quedge.Scenario(devices=3), quedge.BestSingle(), frames=100)
        >>> ax = quedge.plot.power({"best-single": run})
    """
    return _over_time(traces, POWER, ax)


def _over_time(traces: Any, measure: Measure, ax: Any) -> Any:
    runs = runs_of(traces)
    with panel(ax) as axes:
        lines = draw_panel(axes, measure, runs, style.styles_of(list(runs)))
        axes.set_xlabel("frame")
        axes.set_ylabel(style.in_figure(measure.label))
        style.write_thousands(axes.xaxis)
        axes.locator_params(axis="x", nbins=5)
        label_lines(axes, lines)
    return axes
