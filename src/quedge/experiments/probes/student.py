"""Student's distribution."""

from __future__ import annotations

import functools
import math

_CONFIDENCE = 0.95


@functools.cache
def student_quantile(freedom: int) -> float:
    """The t that Student's distribution of so many degrees of freedom, 1 or more, exceeds in absolute value in 5 %."""
    low, high = 0.0, 0.5 * math.pi
    while low < (angle := 0.5 * (low + high)) < high:
        if _share_within(angle, freedom) < _CONFIDENCE:
            low = angle
        else:
            high = angle
    return math.sqrt(freedom) * math.tan(high)


def _share_within(angle: float, freedom: int) -> float:
    """Probability that |t| ≤ √freedom tan(angle).

    Source: M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions, 1964, 26.7.3 and 26.7.4.
    """
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    total, term = 0.0, cosine if odd else 1.0
    for k in range(freedom // 2):
        total += term
        term *= cosine * cosine * (2 * k + 1 + odd) / (2 * k + 2 + odd)
    return 2.0 / math.pi * (angle + sine * total) if odd else sine * total
