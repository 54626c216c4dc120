"""One measure against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quedge.experiments.drawing.legend import Legend
from quedge.experiments.drawing.style import (
    dress,
    mark_level_on_x,
    new_figure,
    set_log_scale_in_plain_numbers,
    styles_of,
)
from quedge.experiments.presentation import Front
from quedge.experiments.reading.rows import OURS, PAPER, Row, label_of

Points = dict[tuple[str, Any], tuple[float, float]]
"""Both measures by line and place along it."""

_ROOM = 16.0  # pixels between points that both have their value written beside them


def draw_front(figure: Front, rows: Sequence[Row]) -> Any:
    """A line a value of one key, its points a value of the other, with their values beside them."""
    drawn = new_figure(7.4, 5.4)
    axis = drawn.subplots()
    ours = _pairs(figure, [row for row in rows if row.source == OURS])
    names = list(dict.fromkeys(line for line, _ in ours))
    styles, legend = styles_of(names), Legend()
    for name in names:
        points = [(at, *pair) for (line, at), pair in ours.items() if line == name]
        style = styles[name]
        (line,) = axis.plot(
            [x for _, x, _ in points], [y for _, _, y in points], color=style.color, linestyle=style.dashes,
            linewidth=style.width, marker=style.marker, markersize=4.5,
        )  # fmt: skip
        legend.add(f"{figure.lines} = {name}", line)
    at, line = figure.highlight
    if (label_of(line), at) in ours:
        x, y = ours[label_of(line), at]
        (star,) = axis.plot(x, y, linestyle="none", marker="*", markersize=15, color="#D55E00", markeredgecolor="black")
        legend.add(figure.highlight_name, star)
    highest = 1.25 * max((y for _, y in ours.values()), default=1.0)
    for x, y in _pairs(figure, [row for row in rows if row.source == PAPER]).values():
        if y <= highest:
            axis.plot(x, y, linestyle="none", marker="x", markersize=9, markeredgewidth=2, color="black")
            legend.add_paper()
    axis.set_xlabel(figure.x.label)
    axis.set_ylabel(figure.y.label)
    if figure.y.scale == "log":
        set_log_scale_in_plain_numbers(axis)
    axis.set_ylim(top=highest)
    least, most = figure.x_limits
    places = [x for x, _ in ours.values() if least <= x <= most] or [least, most]
    room = 0.06 * (max(places) - min(places)) + 1e-6
    axis.set_xlim(min(places) - room, max(places) + room)
    if figure.x.level is not None:
        mark_level_on_x(axis, figure.x.level)
    dress(axis)
    legend.place(drawn)
    _name_points(drawn, axis, {(line, at): styles[line].color for line, at in ours}, ours)
    return drawn


def _name_points(drawn: Any, axis: Any, colors: Mapping[tuple[str, Any], str], points: Points) -> None:
    """Write the value of the key beside each point, as far as there is room."""
    drawn.draw_without_rendering()  # only now is it known where the points lie
    taken: list[Any] = []
    for (line, at), (x, y) in points.items():
        place = axis.transData.transform((x, y))
        if all(np.hypot(*(place - other)) > _ROOM for other in taken):
            taken.append(place)
            axis.annotate(
                label_of(at), (x, y), xytext=(4, 3), textcoords="offset points", fontsize=7, color=colors[line, at],
                annotation_clip=True,
            )  # fmt: skip


def _pairs(figure: Front, rows: Sequence[Row]) -> Points:
    """Points by line and place, where both measures are known."""
    values = {(row.line, row.x, row.measure): row.value for row in rows}
    return {
        (line, at): (x, values[line, at, figure.y.measure])
        for (line, at, measure), x in values.items()
        if measure == figure.x.measure and (line, at, figure.y.measure) in values
    }
