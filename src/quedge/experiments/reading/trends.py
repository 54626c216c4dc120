"""Whether a queue has settled, in a word."""

from __future__ import annotations

import math

from quedge.experiments.reading.estimates import estimate
from quedge.experiments.reading.records import Records

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
