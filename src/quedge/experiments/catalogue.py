"""Every experiment by name, and what must be installed to run it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from quedge.allocation.sca import CvxpyClarabel, NomaSca
from quedge.errors import check_installed, one_of
from quedge.experiments import beyond, paper
from quedge.experiments.experiment import Experiment
from quedge.experiments.job import AllocatorGroup, Job
from quedge.experiments.model_free.trainer import ModelFree, check_model_free
from quedge.experiments.priced import AtPrices
from quedge.experiments.probes.carried_load import CarriedLoad
from quedge.experiments.probes.learning_cost import LearningCost
from quedge.experiments.probes.secured import SecuredSimulation
from quedge.region.bundle import check_solvers

_SHOWN_BY = {"pyarrow": "pyarrow", "matplotlib": "Matplotlib", "jinja2": "Jinja2"}
"""Libraries that store findings, draw figures and write the page, by the names of their imports."""


def check_shown(what: str) -> None:
    """Refuse to start `what` where findings could not be stored and shown, by a MissingExtraError."""
    for module, library in _SHOWN_BY.items():
        check_installed(module, what, library, "experiments")


def check_extras(jobs: Iterable[Job]) -> None:
    """Refuse jobs that need a library that is not installed, before any of them runs.

    Raises:
        MissingExtraError: naming the policy, the library and the extra.
    """
    jobs = list(jobs)
    if any(_needs_prices(job) for job in jobs):
        check_solvers()
    for policy in {repr(policy): policy for job in jobs for policy in _policies_of(job)}.values():
        if isinstance(policy, ModelFree):
            check_model_free(policy.algorithm)
        if isinstance(policy, NomaSca) and isinstance(policy.solver, CvxpyClarabel):
            check_installed("clarabel", "the timing of SCA", "Clarabel", "sca")
            check_installed("cvxpy", "the timing of SCA", "CVXPY", "sca")


def _needs_prices(job: Job) -> bool:
    probe = job.probe.carried if isinstance(job.probe, LearningCost) else job.probe
    return isinstance(probe, CarriedLoad | SecuredSimulation) or isinstance(job.policy, AtPrices)


def _policies_of(job: Job) -> list[Any]:
    return [member for _, member in job.policy.members] if isinstance(job.policy, AllocatorGroup) else [job.policy]


EXPERIMENTS = {experiment.name: experiment for experiment in (*paper.EXPERIMENTS, *beyond.EXPERIMENTS)}
"""In the order in which a report lists them."""

_GROUPS = {"all": tuple(EXPERIMENTS), "beyond": tuple(experiment.name for experiment in beyond.EXPERIMENTS)}
NAMES = (*_GROUPS, *EXPERIMENTS)
"""Experiments, and groups of them."""


def chosen(names: Sequence[str]) -> list[Experiment]:
    """The experiments that names stand for, each once, in the catalogue's order.

    Raises:
        ValueError: a name that is unknown.
    """
    wanted: set[str] = set()
    for name in names:
        if name not in NAMES:
            raise ValueError(f"{name[:60]!r} is not allowed; it must be {one_of(NAMES)}")
        wanted.update(_GROUPS.get(name, (name,)))
    return [experiment for name, experiment in EXPERIMENTS.items() if name in wanted]
