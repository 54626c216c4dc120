"""Figures; Matplotlib is used in this folder alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quedge.experiments.figures.delays import draw_delays
from quedge.experiments.figures.pareto_front import draw_pareto_front
from quedge.experiments.figures.runs import Runs, draw_runs
from quedge.experiments.figures.sweep import draw_ranking, draw_sweep, draw_sweeps_beside
from quedge.experiments.figures.time_series import draw_time_series
from quedge.experiments.presentation import Figure, Ranking, Sweep, SweepsBeside, TimeSeries
from quedge.experiments.rows import Row


def load_matplotlib() -> None:
    """Load what takes long of Matplotlib, which the first figure would wait for."""
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_pdf
    import matplotlib.figure  # noqa: F401


def draw_figure(figure: Figure, rows: Sequence[Row]) -> Any:
    """Draw a figure from its numbers, which `figure_rows` gives; Matplotlib's figure."""
    if isinstance(figure, Sweep):
        return draw_sweep(figure, rows)
    if isinstance(figure, SweepsBeside):
        return draw_sweeps_beside(figure, rows)
    if isinstance(figure, TimeSeries):
        return draw_time_series(figure, rows)
    if isinstance(figure, Ranking):
        return draw_ranking(figure, rows)
    return draw_pareto_front(figure, rows)


def save_figure(drawn: Any, file: Any, kind: str) -> None:
    """Write a figure as "png" or "pdf"; the same figure gives the same bytes."""
    drawn.savefig(file, format=kind, dpi=150, metadata={"Software": None} if kind == "png" else {"CreationDate": None})
    drawn.set_layout_engine("none")  # it is laid out, which takes long; further files look the same


__all__ = ["Runs", "draw_delays", "draw_runs"]
