"""The runs of an experiment, gathered by variant and policy, and how policies compare there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quedge.experiments.experiment import Experiment, Point, Size, Variant, points_of
from quedge.experiments.fingerprint import name_of
from quedge.experiments.job import AllocatorGroup, Findings, Series, findings_of_member
from quedge.experiments.presentation import LOWER
from quedge.policy.registry import EXACT
from quedge.simulation.estimates import estimate, paired_difference


class Run(NamedTuple):
    """One job that has run: its seed, the name of the file with its findings, and what its probe found."""

    seed: int
    cell: str
    findings: Findings


class Records(NamedTuple):
    """One variant under one policy: one run per seed.

    Attributes:
        variant: the variant.
        scheme: the policy's name.
        frames: number of frames of a run.
        runs: one per seed that ran.
    """

    variant: Variant
    scheme: str
    frames: int
    runs: list[Run]

    def values(self, measure: str) -> list[float]:
        """A measure, seed by seed, of the runs that have it."""
        return list(self.by_seed(measure).values())

    def by_seed(self, measure: str) -> dict[int, float]:
        """A measure by seed, of the runs that have it."""
        found = ((run.seed, run.findings.get(measure)) for run in self.runs)
        return {seed: value for seed, value in found if isinstance(value, float)}

    def series(self, measure: str) -> list[Series]:
        """A measure over time, seed by seed, of the runs that have it."""
        found = (run.findings.get(measure) for run in self.runs)
        return [value for value in found if isinstance(value, Series)]

    def by_seed_at(self, measure: str, point: int) -> dict[int, float]:
        """One point of a measure over time, by seed, of the runs that have it."""
        found = ((run.seed, run.findings.get(measure)) for run in self.runs)
        return {
            seed: float(value.value[point])
            for seed, value in found
            if isinstance(value, Series) and point < value.value.size
        }


class Gathered(NamedTuple):
    """The runs of an experiment.

    Attributes:
        records: in the order of the experiment, policy by policy and variant by variant.
        cells: number of jobs.
        failed: why jobs failed, in words, by the job's name.
    """

    records: list[Records]
    cells: int
    failed: dict[str, str]


def gathered(
    experiment: Experiment, size: Size, findings: Mapping[str, Findings], failures: Mapping[str, str]
) -> Gathered:
    """Gather the runs of an experiment from findings and failures by job name; jobs without any are left out."""
    records: dict[tuple[str, str], Records] = {}
    failed: dict[str, str] = {}
    count = 0
    for point in points_of(experiment, size):
        count += 1
        name = name_of(point.job)
        if name in failures:
            failed[name] = f"{described(point)}: {failures[name]}"
        if name in findings:
            key = _key(point.variant), point.scheme
            record = records.setdefault(key, Records(point.variant, point.scheme, point.job.frames, []))
            found = findings[name]
            own = findings_of_member(point.scheme, found) if isinstance(point.job.policy, AllocatorGroup) else found
            record.runs.append(Run(point.seed, name, own))
    schemes = list(dict.fromkeys(scheme.name for grid in experiment.grids for scheme in grid.schemes))
    return Gathered(sorted(records.values(), key=lambda record: schemes.index(record.scheme)), count, failed)


def described(point: Point) -> str:
    """A job in words."""
    varied = "".join(f", {key} = {value}" for key, value in point.variant.items())
    return f"{point.scheme}{varied}, seed {point.seed}"


def _key(variant: Variant) -> str:
    return repr(sorted(variant.items()))


BOLD_RULE = (
    "Bold is what is better than every other policy's at the same setting: the policies of a seed meet the same world, "
    "and the 95 % interval of each difference, paired over the seeds, excludes 0. A queue that grows is never bold."
)
"""What bold numbers mean."""


class Comparison:
    """Compares the policies of each variant."""

    def __init__(self, records: Sequence[Records]) -> None:
        """Sort an experiment's records, which stand in its order, by their variants."""
        self._of_variant: dict[str, list[Records]] = {}
        for record in records:
            self._of_variant.setdefault(_key(record.variant), []).append(record)

    def reference_of(self, record: Records) -> Records | None:
        """What a policy is compared with: exact, else the first policy; None for itself, or where lengths differ."""
        here = self._of_variant[_key(record.variant)]
        reference = next((each for each in here if each.scheme == EXACT.name), here[0])
        return None if reference is record or reference.frames != record.frames else reference

    def is_best(self, record: Records, measure: str, better: str) -> bool:
        """Whether a policy is better than every other one that has the measure; False without others.

        Since every difference must exclude 0, more policies make no false winner more likely.
        """
        own = record.by_seed(measure)
        here = self._of_variant[_key(record.variant)]
        others = [other for other in here if other is not record and other.values(measure)]
        for other in others:
            difference = paired_difference(own, other.by_seed(measure))
            if other.frames != record.frames or difference is None:
                return False
            if not (difference.high < 0.0 if better == LOWER else difference.low > 0.0):  # false of NaN
                return False
        return bool(others)


GROWTH = 0.10
"""A drift of less, over the frames that a mean is of, moves the mean by less than 5 % from where the queue ends: about
what seeds leave uncertain."""

_PERCENT = f"{GROWTH:.0%}".replace("%", " %")

GROWS, FALLS, SETTLED = "grows", "falls", "settled"

SETTLED_RULE = (
    f"A queue {GROWS} ({FALLS}) where the 95 % interval of its least-squares drift, over the frames that its mean is "
    f"of, lies wholly above {_PERCENT} of that mean (below -{_PERCENT}); else it has settled, as far as these runs "
    "can tell."
)
"""What the words of a column `settled` mean."""

_MIN_SEEDS = 3  # fewer say too little of how runs differ


def trend_of(records: Records, measure: str) -> str:
    """`GROWS`, `FALLS` or `SETTLED`; empty where the measure is no queue, or its runs were too short.

    The interval is Student's over the drifts of three or more seeds, which are independent. With fewer it is that of
    each run; see `drift_of`.
    """
    drifts = records.values(f"{measure}_drift")
    if not drifts:
        return ""
    mean, low, high, _ = estimate(drifts)
    if len(drifts) < _MIN_SEEDS:
        margin = math.hypot(*records.values(f"{measure}_drift_margin")) / len(drifts)
        low, high = mean - margin, mean + margin
    if low > GROWTH:
        return GROWS
    return FALLS if high < -GROWTH else SETTLED
