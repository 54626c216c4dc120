"""What Tables III and IV have in common: the shortest queue that keeps the power budget."""

from __future__ import annotations

from collections.abc import Sequence

from quedge.experiments.panels import BUDGET
from quedge.experiments.presentation import Mark
from quedge.experiments.results import Results, at, shortest_within_budget


def shortest_queue(found: Results, policy: str, marks: Sequence[Mark]) -> str:
    """The shortest queue within the power budget, and the paper's at the same value of the key."""
    best = shortest_within_budget(found, policy, BUDGET.value)
    if best is None:
        return f"No setting keeps the power budget of {BUDGET.value:g} W."
    variant, queue, power = best
    (value,) = variant.values()
    paper = {mark.measure: mark.value for mark in marks if mark.x == value}
    return (
        f"Shortest data queue within the power budget: {queue:.1f} Mbit at {at(**variant)} ({power:.4f} W; "
        f"the paper there: {paper['data_queue_mbit']:.1f} Mbit, {paper['power_w']:.4f} W)."
    )
