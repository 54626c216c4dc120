"""Pictures of runs and comparisons for papers and notebooks (extra `plot`); docs/gallery.md shows each."""

from quedge.experiments.figures.plot.decisions import decisions
from quedge.experiments.figures.plot.delay import delay
from quedge.experiments.figures.plot.difference import difference
from quedge.experiments.figures.plot.front import front
from quedge.experiments.figures.plot.heat_map import heat_map
from quedge.experiments.figures.plot.learner import learner
from quedge.experiments.figures.plot.munich import munich_map
from quedge.experiments.figures.plot.over_time import power, queue
from quedge.experiments.figures.plot.panel import save
from quedge.experiments.figures.plot.walk import munich_walk

__all__ = [
    "decisions",
    "delay",
    "difference",
    "front",
    "heat_map",
    "learner",
    "munich_map",
    "munich_walk",
    "power",
    "queue",
    "save",
]
