"""Every experiment there is, by name."""

from __future__ import annotations

from collections.abc import Sequence

from quedge.experiments import beyond, paper
from quedge.experiments.experiment import Experiment

EXPERIMENTS = {experiment.name: experiment for experiment in (*paper.EXPERIMENTS, *beyond.EXPERIMENTS)}
"""In the order in which a report lists them."""

_GROUPS = {"all": tuple(EXPERIMENTS), "beyond": tuple(experiment.name for experiment in beyond.EXPERIMENTS)}
NAMES = (*_GROUPS, *EXPERIMENTS)
"""What can be asked for: an experiment, or a group of them."""


def chosen(names: Sequence[str]) -> list[Experiment]:
    """The experiments that names stand for, each once, in the catalogue's order.

    Raises:
        ValueError: a name that is unknown.
    """
    wanted: set[str] = set()
    for name in names:
        if name not in NAMES:
            raise ValueError(f"{name[:60]!r} is not allowed; it must be one of {', '.join(NAMES)}")
        wanted.update(_GROUPS.get(name, (name,)))
    return [experiment for name, experiment in EXPERIMENTS.items() if name in wanted]
