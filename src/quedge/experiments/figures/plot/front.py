"""Queue against power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quedge.errors import not_allowed
from quedge.experiments.figures import style
from quedge.experiments.figures.labels import Floats, Label, write_labels
from quedge.experiments.figures.pareto_front import draw_front_band
from quedge.experiments.figures.plot.panel import label_lines, label_of, panel
from quedge.experiments.presentation import POWER, QUEUE
from quedge.experiments.symbols import SYMBOLS, heading_of, value_text
from quedge.simulation.measures import first_settled_frame
from quedge.simulation.trace import Trace


def front(traces: Mapping[str, Sequence[Trace]], key: str = "v", warmup: float = 0.5, *, ax: Any = None) -> Any:
    """Draw mean queues (Mbit) against mean powers (W), one line per name, with a key's value at each point.

    A pale band joins the points that no other betters in both.

    Args:
        traces: runs by name, in the order of their line.
        key: the scenario's key that varies along a line.
        warmup: share of the frames at the start to leave out, from 0 to below 1.
        ax: axes to draw on; new ones without.

    Returns:
        Matplotlib's axes.

    Raises:
        ValueError: `traces`, `key` or `warmup` is not allowed.
        MissingExtraError: Matplotlib is not installed.

    Example:
        >>> from dataclasses import replace
        >>> cell = quedge.Scenario(devices=3)
        >>> runs = [quedge.simulate(replace(cell, v=v), quedge.BestSingle(), frames=100) for v in (5.0, 20.0, 80.0)]
        >>> ax = quedge.plot.front({"best-single": runs}, key="v")
    """
    _check(traces, key)
    styles = style.styles_of(list(traces))
    with panel(ax, height=2.6) as axes:
        lines: dict[str, Any] = {}
        labels: list[list[Label]] = []
        drawn: list[Floats] = []
        for name, runs in traces.items():
            points = [_means(run, warmup) for run in runs]
            look = styles[name]
            (lines[name],) = axes.plot(*zip(*points, strict=True), marker=look.marker, markersize=4.0, **look.look)
            labels.append(
                [
                    Label(value_text(getattr(run.scenario, key)), point, look.color)
                    for run, point in zip(runs, points, strict=True)
                ]
            )
            drawn.append(np.array(points))
        (lines[f"{heading_of(key)} at a point"],) = axes.plot([], [], linestyle="none", color="0.3", marker="$5$")
        lines["none is better in both"] = draw_front_band(axes, np.concatenate(drawn).tolist())
        axes.set_xlabel(label_of(POWER.name))
        axes.set_ylabel(label_of(QUEUE.name))
        style.style_axes(axes)
        label_lines(axes, lines)
        write_labels(axes, labels, drawn, font_size=6.5)
    return axes


def _check(traces: Any, key: str) -> None:
    """Refuse what are no runs by name, or a key that scenarios do not have."""
    groups = list(traces.values()) if isinstance(traces, Mapping) else []
    filled = bool(groups) and all(isinstance(runs, Sequence) and len(runs) > 0 for runs in groups)
    if not filled or not all(isinstance(run, Trace) for runs in groups for run in runs):
        raise not_allowed("traces", traces, "a mapping from names to lists of Traces, at least one each")
    if key not in SYMBOLS:
        raise not_allowed("key", key, "a key of the scenario, such as v")


def _means(trace: Trace, warmup: float) -> tuple[float, float]:
    first = first_settled_frame(trace.frames, warmup)
    return float(trace.power_w[first:].mean()), float(trace.data_queue_mbit[first:].mean())
