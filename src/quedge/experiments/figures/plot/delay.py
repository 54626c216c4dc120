"""How long bits wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quedge.experiments.figures import style
from quedge.experiments.figures.delays import draw_delay_panel
from quedge.experiments.figures.plot.panel import label_lines, outlines_of, panel
from quedge.simulation.trace import Trace


def delay(traces: Trace | Mapping[str, Trace], warmup: float = 0.5, *, longer: bool = False, ax: Any = None) -> Any:
    """Draw the distribution of the delay of bits (s), with the deadline where all devices have the same.

    Args:
        traces: a run, or runs of one scenario by name.
        warmup: share of the frames at the start whose bits do not count, from 0 to below 1.
        longer: the share that waits longer, on a logarithmic axis, instead of the share that waits no longer.
        ax: axes to draw on; new ones without.

    Returns:
        Matplotlib's axes.

    Raises:
        ValueError: `traces` or `warmup` is not allowed.
        MissingExtraError: Matplotlib is not installed.

    Example:
        >>> run = quedge.simulate(quedge.Scenario(devices=3), quedge.BestSingle(), frames=100)
        >>> ax = quedge.plot.delay(run, warmup=0.2, longer=True)
    """
    runs = outlines_of(traces, warmup)
    with panel(ax) as axes:
        label_lines(axes, draw_delay_panel(axes, runs, style.styles_of(list(runs)), longer))
    return axes
