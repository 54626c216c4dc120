"""The look of all figures: lines, axes and legends."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.presentation import POLICY, Level, Measure
from quedge.experiments.rows import OURS, Row
from quedge.experiments.symbols import SYMBOLS, assignment


class LineStyle(NamedTuple):
    """How a line is drawn, and the marker of its points."""

    color: str
    dashes: Any
    width: float
    marker: str

    @property
    def marker_size(self) -> float:
        """Size of markers (points), so that a thick line does not hide them."""
        return 3.6 + 0.6 * self.width

    @property
    def look(self) -> dict[str, Any]:
        """Matplotlib's arguments for the line; thin lines lie over thick ones, so that both can be seen."""
        order = 3.0 - 0.1 * self.width
        return {"color": self.color, "linestyle": self.dashes, "linewidth": self.width, "zorder": order}


DASHED, DOTTED, DASH_DOTTED, SHORT_DASHED = (0, (5, 2)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)), (0, (2.6, 1.6))

# Colours of Okabe and Ito's and of Paul Tol's, for colour-blind readers, too; in grey, widths, dashes and markers.
_NOMA, _SCA, _TDMA = "#0072B2", "#D55E00", "#009E73"
SCHEME_STYLES = {
    # the paper's three: solid and strong
    "lydroo-noma": LineStyle(_NOMA, "solid", 2.6, "o"),
    "lydroo-sca": LineStyle(_SCA, "solid", 1.7, "s"),
    "lydroo-tdma": LineStyle(_TDMA, "solid", 2.2, "^"),
    # what stands beside them: quiet
    "equivariant": LineStyle("#7F7F7F", DASH_DOTTED, 1.3, "D"),
    "exact": LineStyle("#3A3A3A", DASHED, 1.1, "d"),
    # the others
    "auto": LineStyle("#117733", SHORT_DASHED, 1.8, "*"),
    "static": LineStyle("#44AA99", DASHED, 1.6, "8"),
    "place-holder": LineStyle("#332288", DASH_DOTTED, 1.6, "X"),
    "any by NOMA": LineStyle("#000000", "solid", 1.4, "1"),
    "any by TDMA": LineStyle("#009988", DOTTED, 1.6, "2"),
    "any, all local": LineStyle("#7A4A1E", DASHED, 1.4, "3"),
    "lydroo-public": LineStyle("#CC79A7", DASHED, 1.8, "P"),
    "best-pair": LineStyle("#E69F00", SHORT_DASHED, 1.6, "v"),
    "best-single": LineStyle("#56B4E9", DASH_DOTTED, 1.6, "<"),
    "all-local": LineStyle("#7A4A1E", DOTTED, 1.6, ">"),
    "all-offload": LineStyle("#882255", DOTTED, 1.6, "p"),
    "random": LineStyle("#8A8A00", DOTTED, 1.6, "h"),
    # baselines of the literature, and model-free ones
    "lycd": LineStyle("#117733", DASH_DOTTED, 1.6, "8"),
    "robust": LineStyle("#AA4499", DASH_DOTTED, 1.6, "v"),
    "lagrangian": LineStyle("#661100", DASH_DOTTED, 1.6, "X"),
    "random-rounding": LineStyle("#999933", DASH_DOTTED, 1.6, "1"),
    "droo": LineStyle("#332288", DASHED, 1.6, "2"),
    "myopic": LineStyle("#CC6677", DOTTED, 1.6, "3"),
    "myopic-saving": LineStyle("#CC6677", DASHED, 1.6, "4"),
    # those that assign sub-channels
    "exact-groups": LineStyle("#3A3A3A", "solid", 2.2, "d"),
    "strong-weak": LineStyle("#D55E00", DASHED, 1.7, "s"),
    "round-robin": LineStyle("#009E73", DASH_DOTTED, 1.7, "^"),
    "ofdma": LineStyle("#0072B2", SHORT_DASHED, 1.7, "o"),
    "ppo": LineStyle("#AA3377", SHORT_DASHED, 1.6, "H"),
    "dqn": LineStyle("#44AA99", SHORT_DASHED, 1.6, "*"),
    "sac": LineStyle("#4477AA", DOTTED, 1.6, "+"),
    "td3": LineStyle("#228833", DOTTED, 1.6, "x"),
    "ddpg": LineStyle("#BBBB00", DASH_DOTTED, 1.6, "|"),
    # allocators: the colour of the scheme that they belong to
    "NOMA, greedy": LineStyle(_NOMA, "solid", 2.6, "o"),
    "TDMA": LineStyle(_TDMA, "solid", 2.2, "^"),
    "SCA, compiled": LineStyle(_SCA, "solid", 1.7, "s"),
    "SCA, CVXPY": LineStyle(_SCA, DOTTED, 1.5, "X"),
}
"""One style per name, in every figure."""

_OWN_STYLES = tuple(
    LineStyle(color, dashes, 1.7, marker)
    for color, dashes, marker in (
        ("#332288", DASHED, "*"), ("#44AA99", DASH_DOTTED, "d"), ("#CC6677", SHORT_DASHED, "H"),
        ("#999933", DASHED, "1"), ("#661100", DASH_DOTTED, "2"), ("#AA4499", SHORT_DASHED, "3"),
    )
)  # fmt: skip
"""Of policies without a style of their own, in order."""

_VALUE_DASHES = ("solid", DASHED, DASH_DOTTED, DOTTED, SHORT_DASHED)
_VALUE_MARKERS = ("o", "s", "^", "D", "v", "P", "<", ">", "p", "h")
_NAME_COLORS = ("#332288", "#CC6677", "#44AA99", "#999933", "#AA4499", "#661100", "#88CCEE", "#666666")
_LIGHTEST = 0.8  # of the colour map from dark blue to yellow: paler lines cannot be seen on white


def styles_of(names: Sequence[str], keys: Sequence[str] = (POLICY,)) -> dict[str, LineStyle]:
    """One style per line, for lines that stand for these keys.

    A known policy has its own in every figure; the others take the styles that are left, in the order of `names`. Lines
    that stand for numbers go from dark to light as these grow. Where a line stands for a policy and values, its colour
    is the policy's, and its dashes and marker are those of the values.
    """
    if tuple(keys) == (POLICY,):
        return _styles_of_policies(names)
    if POLICY not in keys:
        return _styles_of_values(names)
    parts = {name: name.partition(", ")[::2] for name in names}
    policies = _styles_of_policies(list(dict.fromkeys(policy for policy, _ in parts.values())))
    rest = list(dict.fromkeys(rest for _, rest in parts.values()))
    places = {value: place for place, value in enumerate(rest)}
    return {
        name: policies[policy]._replace(
            dashes=_cycled(_VALUE_DASHES, places[value]), marker=_cycled(_VALUE_MARKERS, places[value])
        )
        for name, (policy, value) in parts.items()
    }


def _styles_of_policies(names: Sequence[str]) -> dict[str, LineStyle]:
    own = [name for name in names if name not in SCHEME_STYLES]
    free = [*_OWN_STYLES, *(style for name, style in SCHEME_STYLES.items() if name not in names)]
    return {name: SCHEME_STYLES[name] if name in SCHEME_STYLES else _cycled(free, own.index(name)) for name in names}


def _styles_of_values(names: Sequence[str]) -> dict[str, LineStyle]:
    looks = [(_cycled(_VALUE_DASHES, place), _cycled(_VALUE_MARKERS, place)) for place in range(len(names))]
    colors = _colors_of_numbers(names) or [_cycled(_NAME_COLORS, place) for place in range(len(names))]
    return {
        name: LineStyle(color, dashes, 1.8, marker)
        for name, color, (dashes, marker) in zip(names, colors, looks, strict=True)
    }


def _colors_of_numbers(names: Sequence[str]) -> list[str]:
    """From dark to light by value; empty where a name is no number."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    try:
        order = np.argsort(np.argsort([float(name) for name in names], kind="stable"), kind="stable")
    except ValueError:
        return []
    return [to_hex(colormaps["viridis"](_LIGHTEST * place / max(1, len(names) - 1))) for place in order]


def _cycled(values: Sequence[Any], place: int) -> Any:
    return values[place % len(values)]


def new_figure(width: float, height: float) -> Any:
    """An empty figure (inches) that is drawn to files only, without pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def style_axes(axis: Any) -> None:
    """A pale grid, and no frame at the top and right."""
    axis.grid(visible=True, color="0.88", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def in_figure(text: str) -> str:
    """A text with its subscripts, such as that of P_q, set as such."""
    return re.sub(r"\b([A-Zdfv])_([A-Za-z]+)\b", r"$\\mathrm{\1}_\\mathrm{\2}$", text)


def write_thousands(side: Any) -> None:
    """Numbers of a linear axis as 10,000."""
    from matplotlib.ticker import FuncFormatter

    side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def mark_level(axis: Any, level: Level) -> None:
    """A thin line at a level, its name beside it where it covers the least of other lines.

    The axis must have its limits and its lines.
    """
    from matplotlib.patheffects import withStroke

    axis.axhline(level.value, color="0.45", linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    if not level.name:
        return
    right, above = min(itertools.product((True, False), (True, False)), key=lambda end: _covered(axis, level, *end))
    axis.annotate(
        level.name, (1.0 if right else 0.0, level.value), xycoords=("axes fraction", "data"),
        xytext=(-3 if right else 3, 2 if above else -2), textcoords="offset points", fontsize=8, color="0.35",
        ha="right" if right else "left", va="bottom" if above else "top", zorder=6,
        path_effects=[withStroke(linewidth=2.0, foreground="white")],
    )  # fmt: skip


def _covered(axis: Any, level: Level, right: bool, above: bool) -> int:
    """How many places on lines a level's name would cover at one of its ends."""
    height, width = 0.11 * (1 + level.name.count("\n")), 0.035 * max(map(len, level.name.split("\n")))
    to_axes = (axis.transData + axis.transAxes.inverted()).transform
    y = to_axes((axis.get_xlim()[0], level.value))[1]
    low, high = (y - 0.02, y + height) if above else (y - height, y + 0.02)
    left, end = (1.0 - width, 1.0) if right else (0.0, width)
    outside = 1_000 if high > 1.08 or low < 0.0 else 0
    return outside + sum(
        int(((places >= (left, low)) & (places <= (end, high))).all(axis=1).sum())
        for places in (
            _places_of(line.get_xydata(), to_axes)
            for line in axis.lines
            if line.get_transform().contains_branch(axis.transData)
        )
    )


def _places_of(line: NDArray[np.float64], to_axes: Any) -> NDArray[np.float64]:
    """Many places along a line, in shares of the axes."""
    corners = to_axes(line)
    at = np.linspace(0, len(corners) - 1, max(200, 4 * len(corners)))
    return np.column_stack([np.interp(at, np.arange(len(corners)), corners[:, side]) for side in (0, 1)])


def mark_level_on_x(axis: Any, level: Level) -> None:
    """The same on the horizontal axis, its name at the top."""
    axis.axvline(level.value, color="0.45", linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    axis.annotate(
        level.name, (level.value, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
        textcoords="offset points", ha="center", fontsize=8, color="0.35",
    )  # fmt: skip


def scale_panel(axis: Any, panel: Measure, values: NDArray[np.float64]) -> None:
    """The vertical axis of a panel, and its reference line."""
    if panel.scale == "queue":
        _scale_panel_of_queues(axis, values if panel.level is None else np.append(values, 1.05 * panel.level.value))
    elif panel.scale == "log":
        _scale_in_decades(axis, values if panel.level is None else np.append(values, panel.level.value))
    elif panel.scale == "linear":
        axis.set_ylim(0.0, max(axis.get_ylim()[1], 0.0 if panel.level is None else 1.05 * panel.level.value))
    else:
        _scale_closely(axis, values, panel.level)
    if panel.level is not None:
        mark_level(axis, panel.level)


def scale_key(axis: Any, places: Sequence[float]) -> None:
    """A logarithmic horizontal axis, with numbers such as 50 rather than powers where that is short."""
    axis.set_xscale("log")
    if places and min(places) >= 0.01 and max(places) <= 1e4 * min(places):
        _write_plain_numbers(axis.xaxis, min(places), max(places))


def scale_queue(axis: Any, values: NDArray[np.float64]) -> None:
    """Logarithmic where values differ by decades; linear below the smallest, so that zeros have a place."""
    positive = values[values > 0.0]
    if positive.size and positive.max() > 30.0 * positive.min():
        smallest = max(10.0 ** np.floor(np.log10(positive.min())), positive.max() * 1e-5)
        axis.set_yscale("symlog", linthresh=smallest, linscale=0.4)
    axis.set_ylim(0.0, max(axis.get_ylim()[1], 1.05 * values.max(initial=0.0)))


def _scale_closely(axis: Any, values: NDArray[np.float64], level: Level | None) -> None:
    """Around what is drawn and the level; not below zero where no value is."""
    low, high = axis.get_ylim()
    if level is not None:
        room = 0.06 * (max(high, level.value) - min(low, level.value))
        low, high = min(low, level.value - room), max(high, level.value + room)
    if values.size and values.min() >= 0.0:
        low = max(low, 0.0)
    axis.set_ylim(low, high)


def _scale_panel_of_queues(axis: Any, values: NDArray[np.float64]) -> None:
    """As `scale_queue`; where no value is zero, decades reach no lower than the values."""
    if values.size and values.min() > 0.0 and values.max() > 30.0 * values.min():
        _scale_in_decades(axis, values)
    else:
        scale_queue(axis, values)


def _scale_in_decades(axis: Any, values: NDArray[np.float64]) -> None:
    """A logarithmic vertical axis around the values; an interval that reaches zero or less runs to its lower end."""
    positive = values[values > 0.0]
    axis.set_yscale("log")
    if not positive.size:
        return
    low, high = positive.min(), max(positive.max(), min(axis.get_ylim()[1], 3.0 * positive.max()))
    room = max((high / low) ** 0.06, 1.15)
    axis.set_ylim(low / room, high * room)
    if high < 200.0 * low:
        _write_plain_numbers(axis.yaxis, low, high)


def _write_plain_numbers(side: Any, low: float, high: float) -> None:
    """Ticks of a logarithmic axis as numbers such as 20 rather than powers, as many as there is room for."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    subs = (1.0,) if high > 300.0 * low else (1.0, 3.0) if high > 30.0 * low else (1.0, 2.0, 5.0)
    side.set_major_locator(LogLocator(subs=subs))
    side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    side.set_minor_formatter(NullFormatter())


PAPER_POINT, PAPER_MEAN, PAPER_LEVEL = "the paper", "the paper's mean", "the paper's level"
MEAN_MARKER = 4  # Matplotlib's CARETLEFT: its tip is the place
LEVEL_DASHES: Any = (0, (2.4, 1.6))
_PAPER_LOOKS: dict[str, tuple[Any, Any]] = {
    PAPER_POINT: ("x", "none"), PAPER_MEAN: (MEAN_MARKER, "none"), PAPER_LEVEL: ("", LEVEL_DASHES),
}  # fmt: skip
_INCH_OF_A_LETTER, _INCHES_BESIDE = 0.072, 0.78  # of the legend's font; handle and gaps


class Legend:
    """The lines and marks of a figure, by name."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._drawn: dict[str, Any] = {}

    def add(self, name: str, line: Any) -> None:
        """A line of ours."""
        self._drawn.setdefault(name, line)

    def add_paper(self, name: str = PAPER_POINT) -> None:
        """The paper's points, means or levels, which have the colour of the line that they belong to."""
        from matplotlib.lines import Line2D

        marker, dashes = _PAPER_LOOKS[name]
        sample = Line2D([], [], color="0.3", linestyle=dashes, marker=marker, markersize=7.5, markeredgewidth=1.6)
        self._drawn.setdefault(name, sample)

    def place(self, drawn: Any) -> None:
        """Put it above the figure, as wide as that allows."""
        if not self._drawn:
            return
        papers = [name for name in (PAPER_POINT, PAPER_MEAN, PAPER_LEVEL) if name in self._drawn]
        names = [*(name for name in self._drawn if name not in papers), *papers]  # the paper's last
        longest = max(len(name) for name in names)
        per_line = max(1, int(drawn.get_figwidth() / (_INCHES_BESIDE + _INCH_OF_A_LETTER * longest)))
        lines = -(-len(names) // per_line)
        drawn.legend(
            [self._drawn[name] for name in names], [in_figure(name) for name in names], loc="outside upper center",
            ncols=-(-len(names) // lines), frameon=False, handlelength=3.2, fontsize=9,
        )  # fmt: skip


def lines_of(rows: Sequence[Row]) -> list[str]:
    """The names of the lines in the order in which they first appear, ours first."""
    return list(dict.fromkeys(row.line for row in sorted(rows, key=lambda row: row.source != OURS)))


def shown_name(keys: Sequence[str], name: str, line: Sequence[Row], rows: Sequence[Row]) -> str:
    """A line's name, with symbols for keys and the length of runs that are shorter than the longest."""
    name = name_with_symbols(keys, name)
    longest = max(row.frames for row in rows)
    most, least = max(row.frames for row in line), min(row.frames for row in line)
    if least == longest:
        return name
    return f"{name} ({most:,} frames)" if least == most else f"{name} ({most:,} to {least:,} frames)"


def name_with_symbols(keys: Sequence[str], name: str) -> str:
    """A line's name as rows have it, with the symbols and units of the keys that it stands for.

    It is the value of the only key, or values in order, of which numbers follow their key.
    """
    if len(keys) == 1:
        key = keys[0]
        return name if key == POLICY or key not in SYMBOLS or not _is_number(name) else assignment(key, name)
    symbols = "|".join(key for key in keys if key in SYMBOLS)
    return re.sub(rf"\b({symbols}) = (\([^)]*\)|[^,]+)", lambda found: assignment(found[1], found[2]), name)


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return name.startswith("(")  # a value for each device
    return True
