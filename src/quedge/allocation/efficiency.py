"""The spectral efficiency at which time on the uplink is best traded for energy."""

from __future__ import annotations

import math

from quedge.model.kernels import kernel

_EFFICIENCY_ROUNDS = 100  # Newton's method needs two to four

_SERIES = tuple((k - 1) / math.factorial(k) for k in range(15, 1, -1))
_SERIES_UP_TO = 0.5  # up to here the series above is exact to rounding, and the closed form cancels


@kernel
def saved_by_time(efficiency: float) -> float:
    """Energy in the air that more time saves for the same data: v e^v − (e^v − 1), per unit of time and of N0 / h."""
    if efficiency < _SERIES_UP_TO:
        total = 0.0
        for coefficient in _SERIES:
            total = total * efficiency + coefficient
        return total * efficiency * efficiency
    return (efficiency - 1.0) * math.exp(efficiency) + 1.0


@kernel
def efficiency_saving(saving: float) -> float:
    """The spectral efficiency at which more time saves `saving`: 1 + W((saving − 1) / e), Lambert's W.

    Newton's method from an approximation that is within a per cent everywhere, Iacono and Boyd (2017).
    """
    root = math.sqrt(saving)
    efficiency = 2.036 * (math.log1p(1.14956131 * root) - math.log1p(0.4549574 * math.log1p(root)))
    for _ in range(_EFFICIENCY_ROUNDS):
        step = (saved_by_time(efficiency) - saving) / (efficiency * math.exp(efficiency))
        efficiency -= step
        if abs(step) <= 1e-9 * efficiency:  # what is left is of the order of the step's square
            break
    return efficiency
