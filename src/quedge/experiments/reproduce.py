"""Experiments from nothing to figures and tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from quedge.experiments.catalogue import EXPERIMENTS, check_extras, check_shown
from quedge.experiments.engine.execution import Progress, run_missing
from quedge.experiments.engine.store import Store
from quedge.experiments.engine.workers import Workers
from quedge.experiments.experiment import Experiment, Size, points_of
from quedge.experiments.figures import load_matplotlib
from quedge.experiments.fingerprint import determinants
from quedge.experiments.job import Job
from quedge.experiments.publication import publish
from quedge.experiments.records import gathered
from quedge.experiments.report import write_report
from quedge.files.atomic import remove_leftovers
from quedge.simulation.processes import Recorded

CELLS = "cells"
"""Name of the folder of findings within an output folder."""


class Reproduced(NamedTuple):
    """The result of `reproduce`.

    Attributes:
        written: names of the figures and tables.
        failed: jobs that failed, and why, each once.
        cells: number of jobs.
        reused: how many of them had run before.
        damaged: files that could not be read, whose jobs ran again.
        report: the page of all experiments in the folder.
    """

    written: list[str]
    failed: list[str]
    cells: int
    reused: int
    damaged: tuple[str, ...]
    report: Path


def jobs_of(experiments: Sequence[Experiment], size: Size) -> list[Job]:
    """All jobs of some experiments; shared jobs appear once per experiment.

    Raises:
        MissingExtraError: a policy needs a library that is not installed.
        ValueError: a variant is no scenario, a recording does not fit it, or see `fingerprint.determinants`.
    """
    jobs = [point.job for experiment in experiments for point in points_of(experiment, size)]
    check_extras(jobs)
    for job in jobs:
        determinants(job)
        for process in (job.channel, job.arrivals):
            if isinstance(process, Recorded):
                process.sample(job.scenario, job.frames, np.random.default_rng())  # refuses missing frames or devices
    return jobs


def reproduce(
    experiments: Sequence[Experiment],
    size: Size,
    folder: Path,
    workers: Workers,
    progress: Callable[[Progress], None] | None = None,
) -> Reproduced:
    """Run the missing jobs of some experiments, and write their figures, tables and the report.

    Findings go to a folder `cells` within the folder, from which later calls take them. `progress` is called after
    every job.

    Raises:
        MissingExtraError: see `check_shown` and `jobs_of`; before anything runs.
        ValueError: see `jobs_of`.
        WorkersError: no workers can be started.
        OSError: a file cannot be read or written.
    """
    check_shown("reproduce")
    remove_leftovers(folder)
    store = Store(folder / CELLS)
    draws = any(experiment.figure is not None for experiment in experiments)
    ran = run_missing(jobs_of(experiments, size), store, workers, progress, load_matplotlib if draws else lambda: None)
    known = list(EXPERIMENTS)
    written: list[str] = []
    failed: dict[str, str] = {}
    for experiment in experiments:
        found = gathered(experiment, size, ran.findings, ran.failures)
        position = known.index(experiment.name) if experiment.name in known else len(known)
        written += publish(experiment, size, found, store, folder, position)
        for cell, why in found.failed.items():
            failed.setdefault(cell, f"{experiment.name}: {why}")
    report = write_report(folder)
    cells = len(ran.findings) + len(ran.failures)
    return Reproduced(written, list(failed.values()), cells, ran.reused, ran.damaged, report)
