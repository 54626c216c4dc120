"""Figures; the only folder in which matplotlib is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quedge.experiments.figures.course import draw_course
from quedge.experiments.figures.front import draw_front
from quedge.experiments.figures.runs import Runs, draw_runs
from quedge.experiments.figures.sweep import draw_ranking, draw_sweep, draw_sweeps_beside
from quedge.experiments.presentation import Course, Figure, Ranking, Sweep, SweepsBeside
from quedge.experiments.reading.rows import Row


def draw_figure(figure: Figure, rows: Sequence[Row]) -> Any:
    """Draw a figure.

    Args:
        figure: what is to be seen.
        rows: the numbers, as `figure_rows` gives them.

    Returns:
        The figure of matplotlib's.
    """
    if isinstance(figure, Sweep):
        return draw_sweep(figure, rows)
    if isinstance(figure, SweepsBeside):
        return draw_sweeps_beside(figure, rows)
    if isinstance(figure, Course):
        return draw_course(figure, rows)
    if isinstance(figure, Ranking):
        return draw_ranking(figure, rows)
    return draw_front(figure, rows)


def save_figure(drawn: Any, file: Any, kind: str) -> None:
    """Write a figure as "png" or "pdf"; the same figure gives the same bytes."""
    drawn.savefig(file, format=kind, dpi=150, metadata={"Software": None} if kind == "png" else {"CreationDate": None})


__all__ = ["Runs", "draw_runs"]
