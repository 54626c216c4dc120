"""Where the paper's numbers stand in figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quedge.experiments.figures import draw_figure
from quedge.experiments.figures.style import SCHEME_STYLES, name_with_symbols
from quedge.experiments.presentation import POLICY, Level, Measure, ParetoFront, Sweep, TimeSeries
from quedge.experiments.rows import NONE, OURS, PAPER, Row

QUEUE, POWER = Measure("queue", "queue (Mbit)", "queue"), Measure("power", "power (W)", "close")


def row(x: float | None, line: str, value: float, measure: str = "queue", source: str = OURS, **ends: float) -> Row:
    low, high = ends.get("low", math.nan), ends.get("high", math.nan)
    return Row(x, line, measure, value, low, high, NONE, 1, 100, source)


def names_in(drawn: object) -> list[str]:
    return [text.get_text() for text in drawn.legends[0].get_texts()]  # type: ignore[attr-defined]


def test_a_number_without_a_place_is_a_level_and_one_with_a_place_a_cross_in_the_policys_colour() -> None:
    ours = [row(x, "lydroo-noma", 10.0 + x) for x in (3.0, 3.5)]
    paper = [row(None, "lydroo-noma", 40.0, source=PAPER), row(3.0, "lydroo-sca", 25.0, source=PAPER)]
    drawn = draw_figure(Sweep("arrival_rate_mbps", [QUEUE]), ours + paper)
    (axis,) = drawn.axes
    crosses = [line for line in axis.lines if line.get_marker() == "x"]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in crosses] == [([3.0], [25.0])]
    assert crosses[0].get_color() == SCHEME_STYLES["lydroo-sca"].color
    (level,) = [line for line in axis.lines if list(line.get_ydata()) == [40.0, 40.0]]
    assert list(level.get_xdata()) == [0.0, 1.0]  # shares of the panel's width
    assert level.get_color() == SCHEME_STYLES["lydroo-noma"].color
    assert names_in(drawn) == ["lydroo-noma", "the paper", "the paper's level"]


def test_a_mean_over_a_run_stands_beside_the_panel_and_at_no_frame() -> None:
    ours = [row(frame, "50", value) for frame, value in ((50.0, 3.0), (100.0, 4.0))]
    drawn = draw_figure(TimeSeries([QUEUE], lines="v"), [*ours, row(None, "50", 18.6, source=PAPER)])
    (axis,) = drawn.axes
    line, mean = axis.lines
    assert mean.get_color() == line.get_color()
    assert mean.get_xdata()[0] > 1.0  # of the panel's width
    assert axis.get_ylim()[1] > 18.6
    assert names_in(drawn) == ["V = 50 Mbit", "the paper's mean"]


def test_intervals_do_not_take_an_axis_below_zero() -> None:
    wide = [row(float(x), "exact", 10.0**x, low=-(10.0**x), high=3.0 * 10.0**x) for x in range(4)]
    for panel in (QUEUE, QUEUE._replace(scale="log"), QUEUE._replace(scale="linear"), QUEUE._replace(scale="close")):
        for figure in (Sweep("nu", [panel]), TimeSeries([panel])):
            (axis,) = draw_figure(figure, wide).axes
            bottom, top = axis.get_ylim()
            assert (bottom > 0.0) if axis.get_yscale() == "log" else (bottom == 0.0), (panel, figure)
            assert top > 1_000.0


def test_a_level_has_its_name_where_no_line_is() -> None:
    panel = POWER._replace(level=Level(0.08, "budget"))
    rising = [row(float(x), "exact", 0.07 + 0.01 * x, "power") for x in (0, 1)]
    falling = [row(float(x), "exact", 0.08 - 0.01 * x, "power") for x in (0, 1)]
    for rows, side in ((rising, "left"), (falling, "right")):
        (axis,) = draw_figure(Sweep("nu", [panel]), rows).axes
        (text,) = axis.texts
        assert (text.get_text(), text.get_ha()) == ("budget", side)


def front(points: list[tuple[float, float, float, float]], marks: list[Row]) -> object:
    """A front through points of V, ν, power and queue."""
    figure = ParetoFront(POWER, QUEUE._replace(scale="log"), "v", "nu", (20.0, 60.0), "the paper's", (0.0, 1.0))
    rows = [
        row(v, f"{nu:g}", value, measure)
        for v, nu, power, queue in points
        for measure, value in (("power", power), ("queue", queue))
    ]
    return draw_figure(figure, rows + marks)


def test_a_front_names_its_points_and_the_papers_by_both_keys() -> None:
    points = [(v, 60.0, 0.076 + 1e-5 * v, 20.0 - v / 10.0) for v in (1.0, 2.0, 20.0, 50.0)]
    marks = [row(50.0, "60", 0.0762, "power", PAPER), row(50.0, "60", 18.6, "queue", PAPER)]
    drawn = front(points, marks)
    written = {text.get_text() for text in drawn.axes[0].texts}  # type: ignore[attr-defined]
    assert {"1, 2", "20", "50", "V = 50, ν = 60"} <= written  # the first two are at one place
    assert {"ν = 60", "V (Mbit) at a point", "Pareto front", "the paper's", "the paper"} == set(names_in(drawn))


def test_the_pareto_front_has_what_no_point_betters() -> None:
    points = [(1.0, 60.0, 0.07, 20.0), (2.0, 60.0, 0.08, 10.0), (5.0, 60.0, 0.075, 30.0), (10.0, 60.0, 0.09, 10.0)]
    drawn = front(points, [])
    (band,) = [line for line in drawn.axes[0].lines if line.get_linewidth() > 5.0]  # type: ignore[attr-defined]
    assert np.column_stack(band.get_data()).tolist() == [[0.07, 20.0], [0.08, 10.0]]


@pytest.mark.parametrize(
    ("keys", "name", "shown"),
    [
        ((POLICY,), "exact", "exact"),
        (("v",), "20", "V = 20 Mbit"),
        (("suite",), "level3", "level3"),
        (("weight",), "(1.0, 2.0)", "c = (1.0, 2.0)"),
        ((POLICY, "nu"), "exact, nu = 5", "exact, ν = 5"),
        (("weight", "v"), "weight = (1.0, 2.0), v = 5", "c = (1.0, 2.0), V = 5 Mbit"),
    ],
)
def test_a_legend_has_symbols_and_units(keys: tuple[str, ...], name: str, shown: str) -> None:
    assert name_with_symbols(keys, name) == shown
