"""The delay of bits as a distribution."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from quedge.experiments.figures.style import (
    Legend,
    LineStyle,
    mark_level_on_x,
    new_figure,
    scale_key,
    style_axes,
    styles_of,
)
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
    for name, line in draw_delay_panel(within, runs, styles).items():
        legend.add(name, line)
    draw_delay_panel(beyond, runs, styles, longer=True)
    legend.place(figure)
    figure.savefig(target, dpi=150, format="png")


def draw_delay_panel(
    axis: Any, runs: Mapping[str, Outline], styles: Mapping[str, LineStyle], longer: bool = False
) -> dict[str, Any]:
    """Draw the share of bits that wait no longer than a time, or longer; returns the lines by name."""
    lines: dict[str, Any] = {}
    ends: list[float] = []
    for name, run in runs.items():
        share = run.delay_distribution
        delay_s = np.arange(share.size) * run.scenario.frame_s
        shown = np.maximum(1.0 - share, 0.1 * _RAREST) if longer else share  # zero is below a logarithmic axis
        (lines[name],) = axis.plot(delay_s, shown, drawstyle="steps-post", **styles[name].look)
        ends.append(delay_s[min(int(np.searchsorted(share, 1.0 - _RAREST)), share.size - 1)])
    if longer:
        axis.set_yscale("log")
        axis.set_ylim(_RAREST, 1.2)
    else:
        axis.set_ylim(-0.03, 1.03)
    scenario = next(iter(runs.values())).scenario
    axis.set_ylabel("share of bits that wait longer" if longer else "share of bits that wait no longer")
    axis.set_xlabel("delay (s)")
    ends = [max(end, scenario.frame_s) for end in ends]
    if max(ends) > _APART * min(ends):
        scale_key(axis, [scenario.frame_s, max(ends)])
        axis.set_xlim(scenario.frame_s, max(ends))
    else:
        axis.set_xlim(0.0, 1.02 * max(ends))
    _mark_deadline(axis, scenario)
    style_axes(axis)
    return lines


def _mark_deadline(axis: Any, scenario: Scenario) -> None:
    """A line at the deadline, if there is one and it is the same for all devices."""
    if scenario.deadline_s is None:
        return
    deadlines = np.unique(scenario.per_device("deadline_s"))
    if deadlines.size == 1:
        mark_level_on_x(axis, Level(float(deadlines[0]), "deadline"))
