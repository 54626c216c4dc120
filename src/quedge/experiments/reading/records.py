"""The cells of an experiment that have been run, gathered by what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from quedge.experiments.experiment import Experiment, Point, Size, Variant, points_of
from quedge.experiments.fingerprint import name_of
from quedge.experiments.job import Findings, Series, Together, found_of


class Run(NamedTuple):
    """One cell.

    Attributes:
        seed: its seed.
        cell: name of the file that holds it.
        findings: what was found.
    """

    seed: int
    cell: str
    findings: Findings


class Records(NamedTuple):
    """One variant under one policy: a run a seed.

    Attributes:
        variant: the variant.
        scheme: the policy's name.
        frames: number of frames of a run.
        runs: one a seed that was run.
    """

    variant: Variant
    scheme: str
    frames: int
    runs: list[Run]

    def values(self, measure: str) -> list[float]:
        """A measure, seed by seed; of the runs that have it."""
        found = (run.findings.get(measure) for run in self.runs)
        return [value for value in found if isinstance(value, float)]

    def by_seed(self, measure: str) -> dict[int, float]:
        """A measure by seed; of the runs that have it."""
        found = ((run.seed, run.findings.get(measure)) for run in self.runs)
        return {seed: value for seed, value in found if isinstance(value, float)}

    def by_seed_at(self, measure: str, point: int) -> dict[int, float]:
        """One of the places at which a measure was taken, by seed; of the runs that have it."""
        found = ((run.seed, run.findings.get(measure)) for run in self.runs)
        return {
            seed: float(value.value[point])
            for seed, value in found
            if isinstance(value, Series) and point < value.value.size
        }

    def courses(self, measure: str) -> list[Series]:
        """A measure that was taken at several places, seed by seed; of the runs that have it."""
        found = (run.findings.get(measure) for run in self.runs)
        return [value for value in found if isinstance(value, Series)]


class Gathered(NamedTuple):
    """What an experiment has brought.

    Attributes:
        records: variant by variant and policy by policy, in the order of the experiment.
        cells: how many cells it has.
        failed: why cells failed, in words, by the cell's name.
    """

    records: list[Records]
    cells: int
    failed: dict[str, str]


def gathered(
    experiment: Experiment, size: Size, findings: Mapping[str, Findings], failures: Mapping[str, str]
) -> Gathered:
    """Gather the cells of an experiment.

    Args:
        experiment: the experiment.
        size: how much of it was run.
        findings: of cells, by name; others are left out.
        failures: reasons, by name.
    """
    parts: dict[tuple[str, str], Records] = {}
    failed: dict[str, str] = {}
    cells = 0
    for point in points_of(experiment, size):
        cells += 1
        name = name_of(point.job)
        if name in failures:
            failed[name] = f"{described(point)}: {failures[name]}"
        if name in findings:
            key = repr(sorted(point.variant.items())), point.scheme
            record = parts.setdefault(key, Records(point.variant, point.scheme, point.job.frames, []))
            found = findings[name]
            own = found_of(point.scheme, found) if isinstance(point.job.policy, Together) else found
            record.runs.append(Run(point.seed, name, own))
    return Gathered(in_order(experiment, parts.values()), cells, failed)


def in_order(experiment: Experiment, records: Iterable[Records]) -> list[Records]:
    """Records as the experiment lists them: policies that come first first, then variants."""
    schemes = list(dict.fromkeys(scheme.name for grid in experiment.grids for scheme in grid.schemes))
    return sorted(records, key=lambda record: schemes.index(record.scheme))


def described(point: Point) -> str:
    """A cell in words."""
    varied = "".join(f", {key} = {value}" for key, value in point.variant.items())
    return f"{point.scheme}{varied}, seed {point.seed}"
