"""How far an answer may be from the best one."""

from __future__ import annotations

import math

from quedge.controller.answer import Answer


def certified_gap(answer: Answer) -> float | None:
    """How far an answer's objective may be from the best one, relative to it; None where the policy has no bound."""
    if math.isnan(answer.upper_bound):
        return None
    above = max(answer.upper_bound - answer.objective, 0.0)
    if above == 0.0:
        return 0.0
    return above / abs(answer.objective) if answer.objective != 0.0 else math.inf
