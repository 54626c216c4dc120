"""Which policies can be compared: those that met the same worlds."""

from __future__ import annotations

from collections.abc import Sequence

from quedge.experiments.presentation import LOWER
from quedge.experiments.reading.estimates import paired_difference
from quedge.experiments.reading.records import Records
from quedge.experiments.schemes import EXACT

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
