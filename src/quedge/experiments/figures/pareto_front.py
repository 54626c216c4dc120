"""One measure against another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from quedge.experiments.figures import style
from quedge.experiments.figures.labels import Floats, Label, write_labels
from quedge.experiments.presentation import ParetoFront
from quedge.experiments.rows import OURS, PAPER, Row, label_of
from quedge.experiments.symbols import heading_of, symbol_of

Points = dict[tuple[str, Any], tuple[float, float]]
"""Both measures by line and by place along it."""


def draw_pareto_front(figure: ParetoFront, rows: Sequence[Row]) -> Any:
    """One line per value of one key, one point per value of the other, with that value beside it.

    A pale band joins the points of the Pareto front.
    """
    drawn = style.new_figure(8.2, 6.4)
    axis = drawn.subplots()
    ours = _pairs(figure, [row for row in rows if row.source == OURS])
    names = list(dict.fromkeys(line for line, _ in ours))
    styles, legend = style.styles_of(names, (figure.lines,)), style.Legend()
    for name in names:
        legend.add(style.name_with_symbols((figure.lines,), name), _draw_line(axis, ours, name, styles[name]))
    (number,) = axis.plot([], [], linestyle="none", color="0.3", marker="$5$", markersize=6.0)
    legend.add(f"{heading_of(figure.points)} at a point", number)
    legend.add("Pareto front", draw_front_band(axis, ours.values()))
    at, line = figure.highlight
    if (label_of(line), at) in ours:
        (star,) = axis.plot(
            *ours[label_of(line), at], linestyle="none", marker="*", markersize=15, color="#D55E00",
            markeredgecolor="black", zorder=4,
        )  # fmt: skip
        legend.add(figure.highlight_name, star)
    _set_limits(axis, figure, ours)
    paper = _within_limits(axis, _pairs(figure, [row for row in rows if row.source == PAPER]))
    for x, y in paper.values():
        axis.plot(x, y, linestyle="none", marker="x", markersize=8, markeredgewidth=1.8, color="black", zorder=5)
    if paper:
        legend.add_paper()
    axis.set_xlabel(style.in_figure(figure.x.label))
    axis.set_ylabel(style.in_figure(figure.y.label))
    if figure.x.level is not None:
        style.mark_level_on_x(axis, figure.x.level)
    style.style_axes(axis)
    legend.place(drawn)
    own_labels = [
        [
            Label(label_of(at), place, _darker(styles[name].color))
            for (line, at), place in _within_limits(axis, ours).items()
            if line == name
        ]
        for name in names
    ]
    points, lines = symbol_of(figure.points), symbol_of(figure.lines)
    paper_labels = [
        [Label(f"{points} = {label_of(at)}, {lines} = {line}", place, "black")] for (line, at), place in paper.items()
    ]
    write_labels(axis, own_labels + paper_labels, [*(_line(ours, name) for name in names), *_crosses(paper)])
    return drawn


def _draw_line(axis: Any, points: Points, name: str, line_style: style.LineStyle) -> Any:
    return axis.plot(*_line(points, name).T, marker=line_style.marker, markersize=4.5, **line_style.look)[0]


def _line(points: Points, name: str) -> Floats:
    """The points of a line, shape (points, 2)."""
    return np.array([place for (line, _), place in points.items() if line == name])


def _crosses(paper: Points) -> list[Floats]:
    return [np.array([place]) for place in paper.values()]


def draw_front_band(axis: Any, points: Iterable[tuple[float, float]]) -> Any:
    """A pale band through the points that no other betters in both measures."""
    best: list[tuple[float, float]] = []
    for x, y in sorted(points):
        if not best or y < best[-1][1]:
            best.append((x, y))
    return axis.plot(*zip(*best, strict=True), color="#F9E3C3", linewidth=7.0, solid_capstyle="round", zorder=0.5)[0]


def _darker(color: str) -> str:
    """A line's colour for small letters."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = to_rgb(color)
    return to_hex((0.7 * red, 0.7 * green, 0.7 * blue))


def _set_limits(axis: Any, figure: ParetoFront, points: Points) -> None:
    """Around our points, as far as the figure reaches."""
    least, most = figure.x_limits
    shown = [(x, y) for x, y in points.values() if least <= x <= most] or [(least, 1.0), (most, 1.0)]
    places = [x for x, _ in shown]
    room = 0.06 * (max(places) - min(places)) + 1e-6
    axis.set_xlim(min(places) - room, max(places) + room)
    style.scale_panel(axis, figure.y._replace(level=None), np.array([y for _, y in shown]))


def _within_limits(axis: Any, points: Points) -> Points:
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    return {key: (x, y) for key, (x, y) in points.items() if left <= x <= right and bottom <= y <= top}


def _pairs(figure: ParetoFront, rows: Sequence[Row]) -> Points:
    """Points by line and place, where both measures are known."""
    values = {(row.line, row.x, row.measure): row.value for row in rows}
    return {
        (line, at): (x, values[line, at, figure.y.name])
        for (line, at, measure), x in values.items()
        if measure == figure.x.name and (line, at, figure.y.name) in values
    }
