"""The delay of bits as a distribution."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from quedge.experiments.figures.style import Legend, mark_level_on_x, new_figure, scale_key, style_axes, styles_of
from quedge.experiments.presentation import Level
from quedge.model.scenario import Scenario
from quedge.simulation.measures import Outline

_RAREST = 1e-4  # share of the bits down to which the tail is drawn
_APART = 30.0  # delays that differ by more have a logarithmic axis


def draw_delays(runs: Mapping[str, Outline], target: str | Path | IO[bytes]) -> None:
    """Draw the share of bits that wait at most a time, and that of those that wait longer, as PNG.

    It counts the bits that arrive after the warm-up, as `Summary` does, and marks the scenario's deadline where all
    devices have the same.

    Args:
        runs: runs of the same scenario by policy name, at least one.
        target: file name, or a file open for writing.
    """
    figure = new_figure(9.6, 4.2)
    within, beyond = figure.subplots(1, 2, sharex=True)
    styles, legend = styles_of(list(runs)), Legend()
    ends: list[float] = []
    for name, run in runs.items():
        share = run.delay_distribution
        delay_s = np.arange(share.size) * run.scenario.frame_s
        look: dict[str, Any] = {**styles[name].look, "drawstyle": "steps-post"}
        (line,) = within.plot(delay_s, share, **look)
        beyond.plot(delay_s, np.maximum(1.0 - share, 0.1 * _RAREST), **look)  # zero is below the axis
        legend.add(name, line)
        ends.append(delay_s[min(int(np.searchsorted(share, 1.0 - _RAREST)), share.size - 1)])
    scenario = next(iter(runs.values())).scenario
    frame_s = scenario.frame_s
    beyond.set_yscale("log")
    beyond.set_ylim(_RAREST, 1.2)
    within.set_ylim(-0.03, 1.03)
    within.set_ylabel("share of bits that wait no longer")
    beyond.set_ylabel("share of bits that wait longer")
    ends = [max(end, frame_s) for end in ends]
    for axis in (within, beyond):
        axis.set_xlabel("delay (s)")
        if max(ends) > _APART * min(ends):
            scale_key(axis, [frame_s, max(ends)])
            axis.set_xlim(frame_s, max(ends))
        else:
            axis.set_xlim(0.0, 1.02 * max(ends))
        _mark_deadline(axis, scenario)
        style_axes(axis)
    legend.place(figure)
    figure.savefig(target, dpi=150, format="png")


def _mark_deadline(axis: Any, scenario: Scenario) -> None:
    """A line at the deadline, if there is one and it is the same for all devices."""
    if scenario.deadline_s is None:
        return
    deadlines = np.unique(scenario.per_device("deadline_s"))
    if deadlines.size == 1:
        mark_level_on_x(axis, Level(float(deadlines[0]), "deadline"))
