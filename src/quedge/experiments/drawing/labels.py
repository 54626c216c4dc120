"""Places for names beside the points of a figure: none over another, over a point or, where there is room, a line."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_DISTANCES = (6.0, 9.0, 13.0, 19.0, 27.0, 37.0, 49.0)  # from a point to its name
_ANGLES = np.deg2rad([45, 135, 315, 225, 90, 270, 0, 180, 22, 158, 338, 202, 67, 113, 293, 247])  # best first
_POINT = 5.0  # half a marker's width
_STEP = 2.0  # between places of a line that a name should not cover
_ROUNDS = 4
_OVER_A_NAME, _OVER_A_POINT, _OVER_A_LINE, _OUTSIDE = 8.0, 60.0, 1.5, 1e4  # a pixel squared, a point, a step, a corner


class Box(NamedTuple):
    """Where a name stands, in pixels.

    Attributes:
        left: of its left edge.
        bottom: of its lower edge.
        distance: from its point.
    """

    left: float
    bottom: float
    distance: float


def place_labels(
    anchors: Floats, sizes: Floats, points: Floats, lines: Sequence[Floats], bounds: tuple[float, float, float, float]
) -> list[Box]:
    """The best place of each name among those on a few rings around its point; the same for the same figure.

    Names take the places that cost least one after the other, the most crowded first, and then again, now that all
    others have theirs.

    Args:
        anchors: what is named (pixels), shape (labels, 2).
        sizes: width and height of the names (pixels), shape (labels, 2).
        points: all that is marked (pixels), the anchors among them, shape (points, 2).
        lines: corners of the lines (pixels), each of shape (corners, 2).
        bounds: left, bottom, right and top of what names have to stay within (pixels).
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
            total = costs[label] + _OVER_A_NAME * _overlap(places[label], sizes[label], taken)
            chosen[label] = int(np.argmin(total))
    rings = np.repeat(_DISTANCES, _ANGLES.size)
    return [
        Box(float(place[choice, 0]), float(place[choice, 1]), float(rings[choice]))
        for place, choice in zip(places, chosen, strict=True)
    ]


def _candidates(anchor: Floats, size: Floats) -> Floats:
    """Lower left corners of a name around its point, near ones first; shape (places, 2)."""
    around = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
    around /= np.abs(around).max(axis=1, keepdims=True)  # on a square: a name has corners
    return np.concatenate([anchor + around * (0.5 * size + distance) - 0.5 * size for distance in _DISTANCES])


def _cost(
    place: Floats, size: Floats, points: Floats, on_lines: Floats, bounds: tuple[float, float, float, float]
) -> Floats:
    """What each place of a name costs but for the other names."""
    left, bottom, right, top = bounds
    outside = (place < (left, bottom)).sum(axis=1) + (place + size > (right, top)).sum(axis=1)
    distance = np.repeat(_DISTANCES, _ANGLES.size) + 0.15 * np.tile(np.arange(_ANGLES.size), len(_DISTANCES))
    covered = _within(place, size, points, _POINT), _within(place, size, on_lines, 1.0)
    return np.asarray(distance + _OUTSIDE * outside + _OVER_A_POINT * covered[0] + _OVER_A_LINE * covered[1])


def _within(place: Floats, size: Floats, points: Floats, room: float) -> Floats:
    """How many points each place of a name covers."""
    beyond_left = points[None] > place[:, None] - room
    beyond_right = points[None] < place[:, None] + size + room
    return np.asarray((beyond_left & beyond_right).all(axis=2).sum(axis=1), dtype=np.float64)


def _overlap(place: Floats, size: Floats, taken: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Area that each place of a name has in common with other names."""
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
