"""Figures; the only folder in which matplotlib is used."""

from quedge.experiments.drawing.runs import Runs, draw_runs

__all__ = ["Runs", "draw_runs"]
