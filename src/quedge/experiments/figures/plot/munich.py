"""Where the devices of the Munich recording walk."""

from __future__ import annotations

from typing import Any

import numpy as np

from quedge.errors import is_integer, not_allowed
from quedge.experiments.figures import style
from quedge.experiments.figures.plot.panel import panel
from quedge.simulation.recordings.recording import MUNICH_FRAMES, munich_places

_EVERY = 4  # frames from one place to the next: 5.6 m
_HEXAGONS = 55  # along the horizontal axis
_WINDOW = 25  # frames over which the fading is averaged


def munich_map(frames: int = MUNICH_FRAMES, ax: Any = None) -> Any:
    """Draw where the Munich recording's ten devices walk as a map, coloured by the channel gain without its fading.

    Colours are means (dB) of gains that are averaged over 25 frames; a letter says where each device starts.

    Args:
        frames: how many of its frames, from 25 to 5,000.
        ax: axes to draw on; new ones without.

    Returns:
        Matplotlib's axes; those of the colours are the figure's last.

    Raises:
        ValueError: `frames` is out of its range.
        MissingExtraError: Matplotlib is not installed.

    Example:
        >>> ax = quedge.plot.munich_map(frames=200)
        >>> title = ax.set_title("the first 200 s")
    """
    if not is_integer(frames) or not _WINDOW <= frames <= MUNICH_FRAMES:
        raise not_allowed("frames", frames, f"an integer from {_WINDOW} to {MUNICH_FRAMES}")
    x_m, y_m, gain = (values[:frames] for values in munich_places())
    sums = np.cumsum(np.vstack([np.zeros(gain.shape[1]), gain]), axis=0)
    start = np.arange(0, frames - _WINDOW + 1, _EVERY)
    mean_db = 10.0 * np.log10((sums[start + _WINDOW] - sums[start]) / _WINDOW)
    middle = start + _WINDOW // 2
    with panel(ax, height=2.5) as axes:
        from matplotlib.patheffects import withStroke

        places = x_m[middle].ravel(), y_m[middle].ravel()
        mesh = axes.hexbin(*places, C=mean_db.ravel(), gridsize=_HEXAGONS, cmap="viridis", linewidths=0.2)
        for device in range(x_m.shape[1]):
            axes.text(
                x_m[0, device], y_m[0, device], chr(ord("A") + device), fontsize=7.0, weight="bold", ha="center",
                va="center", path_effects=[withStroke(linewidth=1.8, foreground="white")],
            )  # fmt: skip
        axes.figure.colorbar(mesh, ax=axes, label="mean channel gain (dB)", shrink=0.9)
        axes.set_aspect("equal")
        axes.set_xlabel("x (m)")
        axes.set_ylabel("y (m)")
        style.style_axes(axes)
        axes.set_axisbelow(True)
    return axes
