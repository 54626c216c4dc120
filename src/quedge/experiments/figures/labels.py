"""Labels beside points that overlap neither each other nor what is drawn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_DISTANCES = (6.0, 9.0, 13.0, 19.0, 27.0, 37.0, 49.0)  # from a point to its label
_ANGLES = np.deg2rad([45, 135, 315, 225, 90, 270, 0, 180, 22, 158, 338, 202, 67, 113, 293, 247])  # best first
_POINT = 5.0  # half a marker's width
_STEP = 2.0  # between places of a line that a label should not cover
_ROUNDS = 4
_ONE_PLACE = 16.0  # points of a line that are closer share a label
_LEADER_FROM = 12.0  # a label farther from its point has a leader
_ROOM = 2.0  # on both sides of a label
_DPI = 100.0  # all of these in pixels of a figure of so many an inch
_POINTS_AN_INCH = 72.0
_LABEL_COST, _POINT_COST, _LINE_COST, _OUTSIDE_COST = 8.0, 60.0, 1.5, 1e4  # per square pixel, point, step, corner


class Label(NamedTuple):
    """The label of a point.

    Attributes:
        text: what it says.
        at: the point, in the units of the axes.
        color: of the letters.
    """

    text: str
    at: tuple[float, float]
    color: str


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


def write_labels(axis: Any, along: Sequence[Sequence[Label]], lines: Sequence[Floats], font_size: float = 7.5) -> None:
    """Write labels where there is room, with a leader where that is not close to the point.

    Places follow from the layout that the figure has now; a label keeps its distance from its point when that changes.

    Args:
        axis: the axes, with their limits and lines.
        along: the labels of each line, in its order; neighbours that are too close for one each share one.
        lines: the points of all lines, in the units of the axes, each of shape (points, 2).
        font_size: of the letters (points).
    """
    axis.figure.canvas.figure.draw_without_rendering()  # fixes where the points lie
    in_points = _POINTS_AN_INCH / axis.figure.dpi
    to_place = [_in_places(axis, line) for line in lines]
    labels = [label for line in along for label in _joined(line, _in_places(axis, [each.at for each in line]))]
    texts = [
        axis.annotate(
            label.text, label.at, xytext=(0, 0), textcoords="offset points", fontsize=font_size, color=label.color,
            zorder=6, va="bottom", in_layout=False,
        )
        for label in labels
    ]  # fmt: skip
    extents = [text.get_window_extent() for text in texts]
    scale = _DPI / axis.figure.dpi
    sizes = np.array([(scale * extent.width + 2 * _ROOM, scale * extent.height) for extent in extents]).reshape(-1, 2)
    anchors = _in_places(axis, [label.at for label in labels])
    bounds = axis.get_window_extent()
    area = tuple(scale * edge for edge in (bounds.x0, bounds.y0, bounds.x1, bounds.y1))
    boxes = place_labels(anchors, sizes, np.concatenate([anchors, *to_place]), to_place, area)
    for label, text, box, anchor, size in zip(labels, texts, boxes, anchors, sizes, strict=True):
        offset = (np.array([box.left + _ROOM, box.bottom]) - anchor) / scale * in_points
        text.xyann = tuple(offset)
        if box.distance > _LEADER_FROM:
            middle = (np.array([box.left, box.bottom]) + 0.5 * size - anchor) / scale * in_points
            axis.annotate(
                "", label.at, xytext=tuple(middle), textcoords="offset points", zorder=2, in_layout=False,
                arrowprops={"arrowstyle": "-", "color": label.color, "linewidth": 0.5, "shrinkA": 0.4 * size[1]},
            )  # fmt: skip


def _in_places(axis: Any, points: Any) -> Floats:
    """Points of the axes in pixels of a figure of 100 an inch, in which all distances here are."""
    given = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return np.asarray(axis.transData.transform(given) * (_DPI / axis.figure.dpi), dtype=np.float64)


def _joined(along: Sequence[Label], places: Floats) -> list[Label]:
    """A line's labels, those of neighbours at one place as one, such as `1 to 5`, at the point of the middle one."""
    groups: list[list[int]] = []
    for point in range(len(along)):
        if groups and np.hypot(*(places[point] - places[groups[-1][0]])) < _ONE_PLACE:
            groups[-1].append(point)
        else:
            groups.append([point])
    return [
        along[group[len(group) // 2]]._replace(text=_text_of([along[point].text for point in group]))
        for group in groups
    ]


def _text_of(texts: Sequence[str]) -> str:
    if len(set(texts)) == 1:
        return texts[0]
    return ", ".join(texts) if len(texts) == 2 else f"{texts[0]} to {texts[-1]}"
