"""One measure against another, with labels that do not overlap."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.figures import style
from quedge.experiments.presentation import ParetoFront
from quedge.experiments.rows import OURS, PAPER, Row, label_of
from quedge.experiments.symbols import heading_of, symbol_of

Floats = NDArray[np.float64]

_DISTANCES = (6.0, 9.0, 13.0, 19.0, 27.0, 37.0, 49.0)  # from a point to its label
_ANGLES = np.deg2rad([45, 135, 315, 225, 90, 270, 0, 180, 22, 158, 338, 202, 67, 113, 293, 247])  # best first
_POINT = 5.0  # half a marker's width
_STEP = 2.0  # between places of a line that a label should not cover
_ROUNDS = 4
_LABEL_COST, _POINT_COST, _LINE_COST, _OUTSIDE_COST = 8.0, 60.0, 1.5, 1e4  # per square pixel, point, step, corner


class Box(NamedTuple):
    """Left and lower edge of a label, and how far it stands from its point; in pixels."""

    left: float
    bottom: float
    distance: float


def place_labels(
    anchors: Floats, sizes: Floats, points: Floats, lines: Sequence[Floats], bounds: tuple[float, float, float, float]
) -> list[Box]:
    """The best place of each label among those on a few rings around its point; deterministic.

    Labels take the place of least cost one after the other, the most crowded first, in several rounds.

    Args:
        anchors: the labelled points (pixels), shape (labels, 2).
        sizes: width and height of the labels (pixels), shape (labels, 2).
        points: all markers (pixels), the anchors among them, shape (points, 2).
        lines: corners of the lines (pixels), each of shape (corners, 2).
        bounds: left, bottom, right and top of the area for labels (pixels).
    """
    on_lines = np.concatenate([_along(line) for line in lines]) if lines else np.empty((0, 2))
    places = [_candidates(anchor, size) for anchor, size in zip(anchors, sizes, strict=True)]
    costs = [_cost(place, size, points, on_lines, bounds) for place, size in zip(places, sizes, strict=True)]
    chosen = [-1] * len(places)
    for _ in range(_ROUNDS):
        for label in _most_crowded_first(anchors):
            taken = [
                (places[other][choice], sizes[other])
                for other, choice in enumerate(chosen)
                if choice >= 0 and other != label
            ]
            total = costs[label] + _LABEL_COST * _overlap(places[label], sizes[label], taken)
            chosen[label] = int(np.argmin(total))
    rings = np.repeat(_DISTANCES, _ANGLES.size)
    return [
        Box(float(place[choice, 0]), float(place[choice, 1]), float(rings[choice]))
        for place, choice in zip(places, chosen, strict=True)
    ]


def _candidates(anchor: Floats, size: Floats) -> Floats:
    """Lower left corners of a label around its point, near ones first; shape (places, 2)."""
    around = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
    around /= np.abs(around).max(axis=1, keepdims=True)  # on a square, since a label has corners
    return np.concatenate([anchor + around * (0.5 * size + distance) - 0.5 * size for distance in _DISTANCES])


def _cost(
    place: Floats, size: Floats, points: Floats, on_lines: Floats, bounds: tuple[float, float, float, float]
) -> Floats:
    """The cost of each place of a label, other labels apart."""
    left, bottom, right, top = bounds
    outside = (place < (left, bottom)).sum(axis=1) + (place + size > (right, top)).sum(axis=1)
    distance = np.repeat(_DISTANCES, _ANGLES.size) + 0.15 * np.tile(np.arange(_ANGLES.size), len(_DISTANCES))
    covered = _within(place, size, points, _POINT), _within(place, size, on_lines, 1.0)
    return np.asarray(distance + _OUTSIDE_COST * outside + _POINT_COST * covered[0] + _LINE_COST * covered[1])


def _within(place: Floats, size: Floats, points: Floats, room: float) -> Floats:
    """How many points each place of a label covers."""
    beyond_left = points[None] > place[:, None] - room
    beyond_right = points[None] < place[:, None] + size + room
    return np.asarray((beyond_left & beyond_right).all(axis=2).sum(axis=1), dtype=np.float64)


def _overlap(place: Floats, size: Floats, taken: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Area that each place of a label shares with the other labels."""
    area = np.zeros(len(place))
    for corner, other in taken:
        common = np.minimum(place + size, corner + other) - np.maximum(place, corner)
        area += np.maximum(common, 0.0).prod(axis=1)
    return area


def _along(line: Floats) -> Floats:
    """Places along a line, close to each other."""
    parts = [line[-1:]]
    for start, end in itertools.pairwise(line):
        steps = max(1, int(np.hypot(*(end - start)) / _STEP))
        parts.append(start + np.linspace(0.0, 1.0, steps, endpoint=False)[:, None] * (end - start))
    return np.concatenate(parts)


def _most_crowded_first(anchors: Floats) -> list[int]:
    apart = np.hypot(*(anchors[:, None] - anchors[None]).transpose(2, 0, 1))
    return [int(place) for place in np.argsort((1.0 / (10.0 + apart)).sum(axis=1) * -1.0, kind="stable")]


Points = dict[tuple[str, Any], tuple[float, float]]
"""Both measures by line and by place along it."""

_LEADER_FROM = 12.0  # pixels: a label farther from its point has a leader
_FONT_SIZE = 7.5
_ROOM = 2.0  # pixels on both sides of a label


class _Label(NamedTuple):
    """The label of a point."""

    text: str
    at: tuple[float, float]
    color: str


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
        _Label(label_of(at), place, _darker(styles[line].color))
        for (line, at), place in _within_limits(axis, ours).items()
    ]
    points, lines = symbol_of(figure.points), symbol_of(figure.lines)
    paper_labels = [
        _Label(f"{points} = {label_of(at)}, {lines} = {line}", place, "black") for (line, at), place in paper.items()
    ]
    _write_labels(drawn, axis, own_labels + paper_labels, ours, names)
    return drawn


def _draw_line(axis: Any, points: Points, name: str, line_style: style.LineStyle) -> Any:
    x, y = _line(points, name)
    return axis.plot(x, y, marker=line_style.marker, markersize=4.5, **line_style.look)[0]


def _line(points: Points, name: str) -> tuple[list[float], list[float]]:
    along = [place for (line, _), place in points.items() if line == name]
    return [x for x, _ in along], [y for _, y in along]


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


def _write_labels(drawn: Any, axis: Any, names: Sequence[_Label], points: Points, lines: Sequence[str]) -> None:
    """Write the labels where there is room, with a leader where that is not close to the point."""
    texts = [
        axis.annotate(name.text, name.at, xytext=name.at, fontsize=_FONT_SIZE, color=name.color, zorder=6)
        for name in names
    ]
    drawn.draw_without_rendering()  # fixes where the points lie and how wide the labels are
    drawn.set_layout_engine("none")
    to_pixels, renderer = axis.transData, drawn.canvas.get_renderer()
    extents = [text.get_window_extent(renderer) for text in texts]
    anchors = to_pixels.transform([name.at for name in names])
    marked = np.concatenate([anchors, to_pixels.transform(list(points.values()))])
    corners = [to_pixels.transform(np.column_stack(_line(points, line))) for line in lines]
    bounds = axis.get_window_extent(renderer)
    sizes = np.array([(extent.width + 2 * _ROOM, extent.height) for extent in extents])
    boxes = place_labels(anchors, sizes, marked, corners, (bounds.x0, bounds.y0, bounds.x1, bounds.y1))
    to_data = to_pixels.inverted()
    for name, text, box, size in zip(names, texts, boxes, sizes, strict=True):
        text.xyann = tuple(to_data.transform((box.left + _ROOM, box.bottom)))
        text.set_verticalalignment("bottom")
        if box.distance > _LEADER_FROM:
            middle = to_data.transform((box.left + 0.5 * size[0], box.bottom + 0.5 * size[1]))
            axis.annotate(
                "", name.at, xytext=tuple(middle), zorder=2,
                arrowprops={"arrowstyle": "-", "color": name.color, "linewidth": 0.5, "shrinkA": 0.4 * size[1]},
            )  # fmt: skip


def _pairs(figure: ParetoFront, rows: Sequence[Row]) -> Points:
    """Points by line and place, where both measures are known."""
    values = {(row.line, row.x, row.measure): row.value for row in rows}
    return {
        (line, at): (x, values[line, at, figure.y.name])
        for (line, at, measure), x in values.items()
        if measure == figure.x.name and (line, at, figure.y.name) in values
    }
