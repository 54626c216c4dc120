"""Who offloads in which frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from quedge.errors import is_integer, not_allowed
from quedge.experiments.figures.plot.panel import panel
from quedge.simulation.trace import Trace


def decisions(trace: Trace, first_frame: int = 0, frames: int = 100, *, ax: Any = None) -> Any:
    """Draw a raster of devices × frames: dark where a device offloads.

    Args:
        trace: the run.
        first_frame: the first frame to show.
        frames: how many, at most; at least 1.
        ax: axes to draw on; new ones without.

    Returns:
        Matplotlib's axes.

    Raises:
        ValueError: an argument is not allowed.
        MissingExtraError: Matplotlib is not installed.

    Example:
        >>> run = quedge.simulate(quedge.Scenario(devices=3), quedge.BestSingle(), frames=100)
        >>> ax = quedge.plot.decisions(run, first_frame=50, frames=40)
    """
    if not isinstance(trace, Trace):
        raise not_allowed("trace", trace, "a Trace")
    if not is_integer(first_frame) or not 0 <= first_frame < trace.frames:
        raise not_allowed("first_frame", first_frame, f"an integer from 0 to {trace.frames - 1}")
    if not is_integer(frames) or frames < 1:
        raise not_allowed("frames", frames, "an integer, at least 1")
    shown = trace.offload[first_frame : first_frame + frames].T
    devices, count = shown.shape
    with panel(ax, height=min(3.2, 0.9 + 0.13 * devices)) as axes:
        edges = np.arange(first_frame, first_frame + count + 1) - 0.5, np.arange(devices + 1) - 0.5
        axes.pcolormesh(*edges, shown.astype(float), cmap="Greys", vmin=0.0, vmax=1.2, rasterized=True)
        axes.set_xlabel("frame (dark: offloads)")
        axes.set_ylabel("device")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.invert_yaxis()
    return axes
