"""Which numbers the state of a frame may hold, wherever they come from."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.model.compiled import Bools, Floats, kernel


class Range(NamedTuple):
    """Numbers from 0 up.

    Attributes:
        highest: the largest allowed; infinity where any finite number is.
        positive: whether 0 itself is excluded.
    """

    highest: float
    positive: bool

    @property
    def allowed(self) -> str:
        """The allowed values in words, as error messages give them."""
        low = "above 0" if self.positive else "at least 0"
        return f"{low} and at most {self.highest:g}" if math.isfinite(self.highest) else f"finite and {low}"

    def excludes(self, values: Floats) -> Bools:
        """Where a value is no number or lies outside."""
        excluded = _excluded(np.ascontiguousarray(values).reshape(-1), self.highest, self.positive)
        return excluded.reshape(np.shape(values))

    def first_excluded(self, values: Floats) -> int:
        """Place of the first value that is excluded, of shape (values,); -1 where none is."""
        return _first_excluded(values, self.highest, self.positive)


@kernel
def _first_excluded(values: Floats, highest: float, positive: bool) -> int:
    for i in range(values.size):
        if _is_excluded(values[i], highest, positive):
            return i
    return -1


@kernel
def _excluded(values: Floats, highest: float, positive: bool) -> Bools:
    excluded = np.empty(values.size, np.bool_)
    for i in range(values.size):
        excluded[i] = _is_excluded(values[i], highest, positive)
    return excluded


@kernel
def _is_excluded(value: float, highest: float, positive: bool) -> bool:
    inside = value > 0.0 if positive else value >= 0.0
    return not (inside and value <= highest and math.isfinite(value))


CHANNEL_GAIN = Range(1e6, positive=True)
ARRIVAL_MBIT = Range(1e12, positive=False)
DATA_QUEUE_MBIT = Range(1e12, positive=False)
ENERGY_QUEUE = Range(1e15, positive=False)
