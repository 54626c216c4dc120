from __future__ import annotations

import math

from quedge.experiments.figures import draw_figure
from quedge.experiments.presentation import Level, Measure, Sweep, SweepsBeside
from quedge.experiments.rows import NONE, OURS, Row

PANELS = [Measure("queue", "queue (Mbit)"), Measure("power", "power (W)", "close", Level(0.08, "budget"))]
FIGURE = SweepsBeside([Sweep("nu", PANELS), Sweep("estimate_error", PANELS, logarithmic=True)])
PLACES = [("nu", 0.0), ("nu", 1.0), ("estimate_error", 1e-3), ("estimate_error", 1e-1)]


def test_sweeps_beside_each_other_have_a_column_a_key_and_a_common_scale_a_measure() -> None:
    rows = [
        Row(place, policy, measure, 10.0 + number, math.nan, math.nan, NONE, 1, 100, OURS)
        for number, place in enumerate(PLACES)
        for policy in ("exact", "best-pair")
        for measure in ("queue", "power")
    ]
    queue_a, queue_b, power_a, power_b = draw_figure(FIGURE, rows).axes
    labels = ("scaling of the energy queue ν", "channel estimation error ε")
    assert (power_a.get_xlabel(), power_b.get_xlabel()) == labels
    assert (queue_a.get_ylabel(), queue_b.get_ylabel(), power_a.get_ylabel()) == ("queue (Mbit)", "", "power (W)")
    assert queue_a.get_ylim() == queue_b.get_ylim()
    assert queue_a.get_ylim()[0] == 0.0
    assert (power_a.get_xscale(), power_b.get_xscale()) == ("linear", "log")
    drawn = [list(line.get_xdata()) for line in queue_b.lines]
    assert drawn == [[1e-3, 1e-1], [1e-3, 1e-1]]
    assert list(queue_b.lines[0].get_ydata()) == [12.0, 13.0]
