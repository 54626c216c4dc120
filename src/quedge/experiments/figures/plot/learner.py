"""How a learner comes along."""

from __future__ import annotations

from typing import Any

import numpy as np

from quedge.errors import not_allowed
from quedge.experiments.figures import style
from quedge.experiments.figures.plot.panel import label_lines, panel
from quedge.experiments.figures.runs import moving_average
from quedge.simulation.trace import Trace

_WINDOW_SHARE = 0.02  # of the run, in one moving average
_CANDIDATES, _LOSS = style.SCHEME_STYLES["lydroo-noma"], style.SCHEME_STYLES["lydroo-sca"]


def learner(trace: Trace, ax: Any = None) -> Any:
    """Draw what a learning agent noted over time: the loss, and on an axis of its own at the right K, its candidates.

    Both are means over a fiftieth of the run.

    Args:
        trace: a run of a `Lydroo`, whose `notes` have `loss` and `candidates`.
        ax: axes to draw on; new ones without.

    Returns:
        Matplotlib's axes of the loss; those of K are the figure's last.

    Raises:
        ValueError: the run has no such notes, or the agent never learned in it.
        MissingExtraError: Matplotlib is not installed.

    Example:
        >>> run = quedge.simulate(quedge.Scenario(devices=3), quedge.EQUIVARIANT, frames=100)
        >>> ax = quedge.plot.learner(run)
    """
    loss = trace.notes.get("loss") if isinstance(trace, Trace) else None
    if loss is None or not np.isfinite(loss).any():
        raise not_allowed("trace", trace, "the Trace of a learning agent, such as Lydroo(), in which it learned")
    learned = np.flatnonzero(np.isfinite(loss))
    with panel(ax) as axes:
        window = max(1, int(_WINDOW_SHARE * trace.frames))
        at, mean = moving_average(loss[learned], max(1, window * learned.size // trace.frames))
        frame = np.interp(at, np.arange(learned.size), learned)
        beside = axes.twinx()
        (fell,) = axes.plot(frame, mean, **_LOSS.look)
        (tried,) = beside.plot(*moving_average(trace.notes["candidates"], window), **_CANDIDATES.look)
        axes.set_xlabel("frame")
        axes.set_ylabel("loss (cross-entropy)")
        beside.set_ylabel("candidates K")
        axes.set_ylim(bottom=0.0)
        beside.set_ylim(bottom=0.0)
        axes.set_xlim(0, trace.frames)
        style.write_thousands(axes.xaxis)
        axes.locator_params(axis="x", nbins=5)
        style.style_axes(axes)
        beside.spines["top"].set_visible(False)
        label_lines(beside, {"loss": fell, "candidates K": tried})
    return axes
