"""A mean over seeds and its interval, paired differences between policies, and whether queues have settled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from quedge.experiments.presentation import LOWER
from quedge.experiments.probes.drift import student_quantile
from quedge.experiments.reading.records import Records
from quedge.policy.registry import EXACT


class Estimate(NamedTuple):
    """A mean with its 95 % confidence interval, by Student's t over independent seeds.

    Attributes:
        mean: the mean.
        low: lower end of the interval; NaN where there is only one value.
        high: upper end.
        values: number of values.
    """

    mean: float
    low: float
    high: float
    values: int


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of at least one value, and its interval."""
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return Estimate(mean, math.nan, math.nan, 1)
    half = student_quantile(count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, count)


def paired_difference(values: Mapping[int, float], others: Mapping[int, float]) -> Estimate | None:
    """The mean of the differences over the seeds that both have, and its interval.

    Policies of a seed meet the same world, so what the world does to both of them drops out.

    Args:
        values: by seed.
        others: what is taken off, by seed.

    Returns:
        The estimate; None where they have no seed in common.
    """
    common = [seed for seed in values if seed in others]
    return estimate([values[seed] - others[seed] for seed in common]) if common else None


BOLD_RULE = (
    "Bold is what is better than every other policy's at the same setting: the policies of a seed meet the same world, "
    "and the 95 % interval of each difference, paired over the seeds, excludes 0. A queue that grows is never bold."
)
"""What bold numbers mean."""


class Rivals:
    """The policies of each variant."""

    def __init__(self, records: Sequence[Records]) -> None:
        """Sort records by their variants.

        Args:
            records: of one experiment, in its order.
        """
        self._of_variant: dict[str, list[Records]] = {}
        for record in records:
            self._of_variant.setdefault(_variant(record), []).append(record)

    def reference_of(self, record: Records) -> Records | None:
        """What a policy is compared to: exact, or else the first; None for that itself, or of another length."""
        here = self._of_variant[_variant(record)]
        reference = next((each for each in here if each.scheme == EXACT.name), here[0])
        return None if reference is record or reference.frames != record.frames else reference

    def beaten_by(self, record: Records, measure: str, better: str) -> bool:
        """Whether a policy is better than each of its rivals that have the measure, of which there must be one.

        Since every one of these differences must exclude 0, their number makes no false winner more likely.
        """
        own = record.by_seed(measure)
        others = [
            other for other in self._of_variant[_variant(record)] if other is not record and other.values(measure)
        ]
        for other in others:
            difference = paired_difference(own, other.by_seed(measure))
            if other.frames != record.frames or difference is None:
                return False
            if not (difference.high < 0.0 if better == LOWER else difference.low > 0.0):  # false of NaN
                return False
        return bool(others)


def _variant(record: Records) -> str:
    return repr(sorted(record.variant.items()))


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

_SEEDS = 3  # fewer say too little of how runs differ


def trend_of(records: Records, measure: str) -> str:
    """`GROWS`, `FALLS` or `SETTLED`; empty where the measure is no queue, or its runs were too short.

    Runs of several seeds are independent, so from three of them on the interval is Student's over their drifts. With
    fewer it is that which each run gives itself; see `drift_of`.
    """
    drifts = records.values(f"{measure}_drift")
    if not drifts:
        return ""
    mean, low, high, _ = estimate(drifts)
    if len(drifts) < _SEEDS:
        margin = math.hypot(*records.values(f"{measure}_drift_margin")) / len(drifts)
        low, high = mean - margin, mean + margin
    if low > GROWTH:
        return GROWS
    return FALLS if high < -GROWTH else SETTLED
