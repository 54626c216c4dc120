"""How every figure looks: its lines, axes and legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.presentation import Level, Panel
from quedge.experiments.schemes import SCHEMES


class LineStyle(NamedTuple):
    """How a line is drawn, and the marker of its points."""

    color: str
    dashes: Any
    width: float
    marker: str


# Okabe and Ito's colours, and three for longer lists, stay apart for colour-blind readers; dashes and markers in grey.
_STYLES = (
    LineStyle("#000000", "solid", 2.2, "o"),
    LineStyle("#D55E00", (0, (6, 2)), 1.5, "s"),
    LineStyle("#0072B2", "solid", 1.2, "^"),
    LineStyle("#009E73", (0, (6, 1.5, 1, 1.5)), 1.5, "D"),
    LineStyle("#CC79A7", (0, (1.2, 1.2)), 1.8, "v"),
    LineStyle("#E69F00", (0, (3, 1.5)), 1.5, "P"),
    LineStyle("#56B4E9", (0, (8, 1.5, 1, 1.5, 1, 1.5)), 1.5, "<"),
    LineStyle("#808080", "solid", 1.8, ">"),
    LineStyle("#7A4A1E", (0, (2, 1.2)), 1.5, "p"),
    LineStyle("#A6A400", (0, (10, 2)), 1.5, "h"),
)


def styles_of(names: Sequence[str]) -> dict[str, LineStyle]:
    """A style a line; a known policy looks alike in every figure, other lines take the styles in turn."""
    known = [scheme.name for scheme in SCHEMES]
    if all(name in known for name in names):
        return {name: _STYLES[known.index(name) % len(_STYLES)] for name in names}
    return {name: _STYLES[place % len(_STYLES)] for place, name in enumerate(names)}


def new_figure(width: float, height: float) -> Any:
    """An empty figure (inches) that is drawn to files only, apart from any figures of the user's own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def dress(axis: Any) -> None:
    """No more ink than needed."""
    axis.grid(visible=True, color="0.88", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def mark_level(axis: Any, level: Level) -> None:
    """A thin line at a level that the values have to keep to, with its name at the right edge."""
    axis.axhline(level.value, color="0.45", linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    axis.annotate(
        level.name, (1.0, level.value), xycoords=("axes fraction", "data"), xytext=(8, 0),
        textcoords="offset points", va="center", fontsize=8, color="0.35",
    )  # fmt: skip


def mark_level_on_x(axis: Any, level: Level) -> None:
    """The same on the horizontal axis, its name at the top."""
    axis.axvline(level.value, color="0.45", linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    axis.annotate(
        level.name, (level.value, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
        textcoords="offset points", ha="center", fontsize=8, color="0.35",
    )  # fmt: skip


def scale_panel(axis: Any, panel: Panel, values: NDArray[np.float64]) -> None:
    """A panel's vertical axis, and what its measure has to keep to."""
    if panel.scale == "queue":
        _scale_panel_of_queues(axis, values if panel.level is None else np.append(values, 1.05 * panel.level.value))
    elif panel.scale == "log":
        axis.set_yscale("log")
        if panel.level is not None:
            axis.set_ylim(top=max(axis.get_ylim()[1], 1.2 * panel.level.value))
    elif panel.scale == "linear":
        axis.set_ylim(0.0, max(axis.get_ylim()[1], 0.0 if panel.level is None else 1.05 * panel.level.value))
    if panel.level is not None:
        mark_level(axis, panel.level)


def set_log_scale_in_plain_numbers(axis: Any) -> None:
    """A logarithmic vertical axis of few decades, with numbers such as 20 rather than powers."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter(ScalarFormatter())
    axis.yaxis.set_minor_formatter(NullFormatter())


def _scale_panel_of_queues(axis: Any, values: NDArray[np.float64]) -> None:
    """As `scale_queue`; where no value is zero, decades reach no lower than the values."""
    if values.size and values.min() > 0.0 and values.max() > 30.0 * values.min():
        axis.set_yscale("log")
    else:
        scale_queue(axis, values)


def scale_queue(axis: Any, values: NDArray[np.float64]) -> None:
    """Decades where the values differ by decades; linear below the smallest, so that zeros have a place."""
    positive = values[values > 0.0]
    if positive.size and positive.max() > 30.0 * positive.min():
        smallest = max(10.0 ** np.floor(np.log10(positive.min())), positive.max() * 1e-5)
        axis.set_yscale("symlog", linthresh=smallest, linscale=0.4)
    axis.set_ylim(0.0, max(axis.get_ylim()[1], values.max(initial=0.0)))
