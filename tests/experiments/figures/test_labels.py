"""Names beside points."""

from __future__ import annotations

import itertools

import numpy as np

from quedge.experiments.figures import style
from quedge.experiments.figures.labels import Box, Label, place_labels, write_labels

BOUNDS = (0.0, 0.0, 400.0, 300.0)


def placed(anchors: np.ndarray, sizes: np.ndarray) -> list[Box]:
    return place_labels(anchors, sizes, anchors, [anchors], BOUNDS)


def overlap(one: Box, size: np.ndarray, other: Box, others: np.ndarray) -> bool:
    beside = one.left + size[0] <= other.left or other.left + others[0] <= one.left
    above = one.bottom + size[1] <= other.bottom or other.bottom + others[1] <= one.bottom
    return not (beside or above)


def test_names_of_crowded_points_overlap_neither_each_other_nor_a_point() -> None:
    rng = np.random.default_rng(5)
    anchors = np.concatenate([200.0 + rng.normal(0.0, 25.0, (14, 2)), [[390.0, 290.0], [393.0, 291.0]]])
    anchors[:, 1] -= 50.0
    sizes = np.column_stack([rng.uniform(8.0, 40.0, len(anchors)), np.full(len(anchors), 9.0)])
    boxes = placed(anchors, sizes)
    for (one, size), (other, others) in itertools.combinations(zip(boxes, sizes, strict=True), 2):
        assert not overlap(one, size, other, others)
    for box, size in zip(boxes, sizes, strict=True):
        inside = (anchors > (box.left, box.bottom)) & (anchors < (box.left + size[0], box.bottom + size[1]))
        assert not inside.all(axis=1).any()
        assert box.left >= 0.0
        assert box.left + size[0] <= 400.0
        assert box.bottom + size[1] <= 300.0
    assert boxes == placed(anchors, sizes)


def test_a_name_alone_stands_close_by_above_to_the_right() -> None:
    (box,) = placed(np.array([[200.0, 150.0]]), np.array([[20.0, 9.0]]))
    assert (box.left, box.bottom) == (206.0, 156.0)
    assert box.distance == 6.0


def test_no_names_need_no_place() -> None:
    assert place_labels(np.empty((0, 2)), np.empty((0, 2)), np.empty((0, 2)), [], BOUNDS) == []


def test_neighbours_at_one_place_share_a_name() -> None:
    axis = style.new_figure(4.0, 3.0).subplots()
    points = np.array([[0.0, 0.0], [1.0, 1.0], [1.001, 1.0], [1.002, 1.0], [2.0, 0.0], [2.0, 0.001], [0.0, 0.001]])
    axis.plot(*points.T)
    names = [Label(str(place), (float(x), float(y)), "black") for place, (x, y) in enumerate(points)]
    write_labels(axis, [names], [points])
    written = {text.get_text(): text.xy for text in axis.texts if text.get_text()}  # a leader has no text
    assert written == {"0": (0.0, 0.0), "1 to 3": (1.001, 1.0), "4, 5": (2.0, 0.001), "6": (0.0, 0.001)}


def test_names_stay_beside_their_points_in_a_figure_of_other_pixels() -> None:
    written = []
    for dpi in (50, 200):
        axis = style.new_figure(4.0, 3.0).subplots()
        axis.figure.set_dpi(dpi)
        axis.set_ylim(0.0, 2.0)
        axis.plot([0.0, 1.0], [1.0, 1.0])
        write_labels(axis, [[Label("a", (0.0, 1.0), "black")]], [np.array([[0.0, 1.0], [1.0, 1.0]])])
        written.append(axis.texts[0].xyann)
    np.testing.assert_allclose(written[0], written[1], atol=2.0)
    assert 0.0 < np.hypot(*written[0]) < 15.0
