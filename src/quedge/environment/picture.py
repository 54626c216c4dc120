"""The picture of a cell's frame, by Matplotlib, which is used in this file alone of the environments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed
from quedge.model.kernels import Bools, Floats
from quedge.model.scenario import Scenario

_INCHES, _DOTS_PER_INCH = (9.6, 5.4), 80  # 768 × 432: even numbers, as video encoders want them
_OFFLOADING, _LOCAL, _LIMIT = "#0072B2", "#B0B0B0", "#D55E00"
_FRAMES = 100  # of the history


class Picture:
    """Devices on the left, the last hundred frames on the right."""

    def __init__(self, scenario: Scenario, in_window: bool) -> None:
        """Lay out the picture, in a window or for its pixels alone.

        Raises:
            ValueError: there can be no window.
        """
        self._figure, self._in_window = _new_figure(in_window), in_window
        axes = self._figure.subplots(3, 2, width_ratios=(1.2, 1.0))
        self._figure.subplots_adjust(0.06, 0.1, 0.98, 0.9, wspace=0.14, hspace=0.5)  # fixed: nothing moves in a video
        devices, limits = np.arange(scenario.devices), scenario.per_device("max_transmit_power_w")
        titles = "data queue (Mbit)", "transmit power (W)", "mean power so far (W)"
        self._bars = [ax.bar(devices, np.zeros(scenario.devices), color=_LOCAL) for ax in axes[:, 0]]
        self._budget_w = scenario.per_device("power_budget_w")
        for ax, title, limit in zip(axes[:, 0], titles, (None, limits, self._budget_w), strict=True):
            ax.set_title(title, fontsize=9, loc="left")
            if limit is not None:
                ax.plot(devices, limit, linestyle="none", marker="_", color=_LIMIT, markersize=9)
        names = "mean queue (Mbit)", "power (W), budget", "devices that offload"
        self._lines = [ax.plot([], [], color=_OFFLOADING, linewidth=1.2)[0] for ax in axes[:, 1]]
        axes[1, 1].axhline(self._budget_w.mean(), color=_LIMIT, linewidth=1.0)
        for ax, name in zip(axes[:, 1], names, strict=True):
            ax.set_title(name, fontsize=9, loc="left")
        for ax in axes.flat:
            ax.tick_params(labelsize=7)
        axes[2, 0].set_xlabel("device: blue offloads, grey computes; orange is the limit", fontsize=8)
        axes[2, 1].set_xlabel("frame", fontsize=8)

    def draw(
        self, frame: int, data_queue_mbit: Floats, offload: Bools, transmit_power_w: Floats, power_w: Floats,
        history: Floats,
    ) -> None:  # fmt: skip
        """Draw what is shown of an episode; see `Shown`."""
        colours = [_OFFLOADING if each else _LOCAL for each in offload]
        for bars, values in zip(self._bars, (data_queue_mbit, transmit_power_w, power_w), strict=True):
            for bar, value, colour in zip(bars, values, colours, strict=True):
                bar.set_height(value)
                bar.set_facecolor(colour)
        first = max(frame - _FRAMES, 0)
        for line, values in zip(self._lines, history[first:].T, strict=True):
            line.set_data(np.arange(first + 1, frame + 1), values)
        highest = history[first:].max(axis=0, initial=0.0)
        tops = highest[0], max(highest[1], self._budget_w.mean()), self._budget_w.size
        for line, top in zip(self._lines, tops, strict=True):
            line.axes.set(xlim=(first, first + _FRAMES), ylim=(0.0, 1.1 * max(top, 1e-9)))
        self._bars[0][0].axes.set_ylim(0.0, 1.1 * max(data_queue_mbit.max(), 1e-9))
        self._bars[2][0].axes.set_ylim(0.0, 1.1 * max(power_w.max(), self._budget_w.max()))
        self._figure.suptitle(f"frame {frame}", fontsize=10)
        self._figure.canvas.draw()

    def pixels(self) -> NDArray[np.uint8]:
        """What was drawn, shape (height, width, 3)."""
        canvas: Any = self._figure.canvas
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def show(self, seconds: float) -> None:
        """Keep the window up to date, for that long."""
        self._figure.show()
        self._figure.canvas.start_event_loop(seconds)

    def close(self) -> None:
        """Close the window, if it has one."""
        if self._in_window:
            _pyplot().close(self._figure)


def _pyplot() -> Any:
    import matplotlib.pyplot as plt

    return plt


def _new_figure(in_window: bool) -> Any:
    """A figure of pyplot's, which has a window, or one without."""
    if in_window:
        return _window()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    return figure


def _window() -> Any:
    """A figure in a window.

    Raises:
        ValueError: Matplotlib's backend opens none, as without a display.
    """
    plt = _pyplot()
    instead = "'ansi' or 'rgb_array' here"
    try:
        figure = plt.figure(figsize=_INCHES, dpi=_DOTS_PER_INCH)
    except ImportError as error:  # a backend was asked for whose library or display is missing
        raise not_allowed("render_mode", "human", f"{instead}: {error}") from error
    if figure.canvas.required_interactive_framework is None:
        plt.close(figure)
        backend = plt.get_backend()
        raise not_allowed("render_mode", "human", f"{instead}: Matplotlib's backend {backend} opens no window")
    return figure
