"""Every experiment by name, and what must be installed for its cells to run."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from quedge.allocation.sca import CvxpyClarabel, NomaSca
from quedge.errors import check_installed
from quedge.experiments import beyond, paper
from quedge.experiments.experiment import Experiment
from quedge.experiments.job import Job, Together
from quedge.experiments.model_free.ppo import Ppo

_SHOWN_BY = {"pyarrow": "pyarrow", "matplotlib": "Matplotlib", "jinja2": "Jinja2"}
"""What keeps cells, draws figures and writes the page; by the names of their imports."""


def check_shown(what: str) -> None:
    """Refuse experiments whose findings cannot be kept and shown, before any of them runs.

    Args:
        what: the command or function that would.

    Raises:
        MissingExtraError: naming the library and the extra.
    """
    for module, library in _SHOWN_BY.items():
        check_installed(module, what, library, "experiments")


def check_extras(jobs: Iterable[Job]) -> None:
    """Refuse cells that cannot run with what is installed, before any of them does.

    Raises:
        MissingExtraError: naming the policy, the library and the extra.
    """
    chosen = {repr(job.policy): job.policy for job in jobs}.values()
    for policy in itertools.chain.from_iterable(map(_each, chosen)):
        if isinstance(policy, Ppo):
            check_installed("stable_baselines3", "PPO", "Stable-Baselines3", "ppo")
        if isinstance(policy, NomaSca) and isinstance(policy.solver, CvxpyClarabel):
            check_installed("clarabel", "the timing of SCA", "Clarabel", "sca")
            check_installed("cvxpy", "the timing of SCA", "CVXPY", "sca")


def _each(policy: Any) -> list[Any]:
    return [member for _, member in policy.members] if isinstance(policy, Together) else [policy]


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
