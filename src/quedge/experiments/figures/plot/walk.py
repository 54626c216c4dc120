"""The Munich walk as a film: where devices are, who offloads, and what waits."""

from __future__ import annotations

from typing import Any

import numpy as np

from quedge.errors import check_installed, is_integer, not_allowed
from quedge.experiments.figures.plot.panel import COLUMN_INCHES, PRINT
from quedge.simulation.recordings.recording import munich_places
from quedge.simulation.trace import Trace

_TROD_EVERY = 10  # frames between the places that show where one can walk
_INTERVAL_MS = 100  # from one frame to the next, on a screen
_LOCAL, _OFFLOADS = "#B8B8B8", "#0072B2"


def munich_walk(trace: Trace, first_frame: int = 0, frames: int = 100, every: int = 1) -> Any:
    """Show a run on the Munich recording as a film: a map of its ten devices, and their data queues (Mbit) below.

    Who offloads is dark. `save("walk.gif", writer="pillow", fps=10)` of what is returned writes a file, and
    `to_jshtml()` gives what a notebook shows.

    Args:
        trace: a run with `channel=MunichWalk()`.
        first_frame: the first frame to show.
        frames: how many the film covers, at most; at least 1.
        every: frames from one picture to the next, in which devices walk 1.4 m each; at least 1.

    Returns:
        Matplotlib's `FuncAnimation`.

    Raises:
        ValueError: an argument is not allowed.
        MissingExtraError: Matplotlib is not installed.

    Example:
        >>> from quedge.simulation.recordings.recording import MUNICH_SCENARIO, MunichWalk
        >>> run = quedge.simulate(MUNICH_SCENARIO, quedge.BestPair(), frames=40, channel=MunichWalk())
        >>> film = quedge.plot.munich_walk(run, first_frame=30, frames=2)
        >>> film.save("walk.gif", writer="pillow", fps=10)
    """
    check_installed("matplotlib", "quedge.plot", "Matplotlib", "plot")
    x_m, y_m = _places_of(trace)
    if not is_integer(first_frame) or not 0 <= first_frame < trace.frames:
        raise not_allowed("first_frame", first_frame, f"an integer from 0 to {trace.frames - 1}")
    for name, value in (("frames", frames), ("every", every)):
        if not is_integer(value) or value < 1:
            raise not_allowed(name, value, "an integer, at least 1")
    last = min(first_frame + frames, trace.frames)
    from matplotlib import pyplot
    from matplotlib.animation import FuncAnimation

    with pyplot.rc_context(PRINT):
        figure, (above, below) = pyplot.subplots(
            2, figsize=(COLUMN_INCHES, 3.4), height_ratios=(2.2, 1.0), layout="constrained"
        )
        show = _drawn_map(above, x_m, y_m), _drawn_queues(below, trace.data_queue_mbit[first_frame:last].max())
        title = above.set_title(" ", loc="left")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it stays as it is from frame to frame

    def draw(frame: int) -> tuple[()]:
        for each in show:
            each(frame, trace)
        title.set_text(f"frame {frame}")
        return ()

    return FuncAnimation(figure, draw, range(first_frame, last, every), interval=_INTERVAL_MS, blit=False)


def _places_of(trace: Any) -> tuple[Any, Any]:
    """Where the devices of a run on the recording are; other runs are refused."""
    x_m, y_m, gain = munich_places()
    allowed = "a Trace with channel=MunichWalk(), of 5,000 frames at most"
    if not isinstance(trace, Trace) or trace.channel_gain.shape[1:] != gain.shape[1:]:
        raise not_allowed("trace", trace, allowed)
    if trace.frames > len(gain) or (trace.channel_gain != gain[: trace.frames]).any():
        raise not_allowed("trace", trace, allowed)
    return x_m, y_m


def _drawn_map(axes: Any, x_m: Any, y_m: Any) -> Any:
    """A map without devices; what is returned puts them where they are in a frame."""
    axes.scatter(x_m[::_TROD_EVERY], y_m[::_TROD_EVERY], s=6, color="0.93", linewidths=0, rasterized=True, zorder=0)
    dots = axes.scatter(x_m[0], y_m[0], s=46, linewidths=0.5, edgecolors="black", zorder=2)
    names = [
        axes.text(0, 0, chr(ord("A") + device), fontsize=5.5, ha="center", va="center", zorder=3)
        for device in range(x_m.shape[1])
    ]
    axes.set_aspect("equal")
    axes.locator_params(nbins=4)
    axes.set_xlabel("x (m)")
    axes.set_ylabel("y (m)")
    axes.spines[["top", "right"]].set_visible(False)

    def show(frame: int, trace: Trace) -> None:
        offload = trace.offload[frame]
        dots.set_offsets(np.column_stack([x_m[frame], y_m[frame]]))
        dots.set_facecolors(np.where(offload, _OFFLOADS, _LOCAL).tolist())
        for device, name in enumerate(names):
            name.set_position((x_m[frame, device], y_m[frame, device]))
            name.set_color("white" if offload[device] else "black")

    return show


def _drawn_queues(axes: Any, most: float) -> Any:
    """Axes for the queues; what is returned draws those of a frame."""
    devices = 10
    bars = axes.bar([chr(ord("A") + device) for device in range(devices)], np.zeros(devices), width=0.7)
    axes.set_ylim(0.0, 1.05 * max(most, 1.0))
    axes.set_ylabel("queue (Mbit)")
    axes.set_xlabel("device (dark: offloads)")
    axes.spines[["top", "right"]].set_visible(False)

    def show(frame: int, trace: Trace) -> None:
        for bar, queue, offloads in zip(bars, trace.data_queue_mbit[frame], trace.offload[frame], strict=True):
            bar.set_height(queue)
            bar.set_color(_OFFLOADS if offloads else _LOCAL)

    return show
