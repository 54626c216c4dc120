"""The edge of the capacity region between two groups of devices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from quedge.experiments.figures.style import new_figure, style_axes
from quedge.region.boundary import EdgePoint

_UPPER, _LOWER = "#b04a3a", "#2a6fb0"


def draw_boundary(edge: Sequence[EdgePoint], names: tuple[str, str], target: str | Path | IO[bytes]) -> None:
    """Draw both bounds of the edge, as PNG.

    Between two upper bounds no line is drawn: the region may bulge beyond it. It is convex, so what lies between two
    lower bounds is reached, too.

    Args:
        edge: its points, from one group alone to the other.
        names: of both groups.
        target: file name, or a file open for writing.
    """
    figure = new_figure(6.0, 5.2)
    axis = figure.subplots()
    upper = [point.rates(point.upper) for point in edge]
    lower = [point.rates(point.lower) for point in edge]
    axis.fill(*zip((0.0, 0.0), *lower, strict=True), color=_LOWER, alpha=0.12, linewidth=0)
    axis.plot(*zip(*upper, strict=True), "x", color=_UPPER, markersize=8, label="no policy carries more")
    axis.plot(*zip(*lower, strict=True), color=_LOWER, marker="o", markersize=4, label="a policy carries this")
    axis.set_xlabel(f"devices {names[0]}: mean rate (Mbit/s)")
    axis.set_ylabel(f"devices {names[1]}: mean rate (Mbit/s)")
    axis.set_xlim(left=0.0)
    axis.set_ylim(bottom=0.0)
    style_axes(axis)
    axis.legend(frameon=False, loc="lower left")
    figure.savefig(target, dpi=150, format="png")
