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
        inside = (values > 0.0 if self.positive else values >= 0.0) & (values <= self.highest)
        return np.asarray(~(inside & np.isfinite(values)))

    def first_excluded(self, values: Floats) -> int:
        """Place of the first value that is excluded, of shape (values,); -1 where none is."""
        return _first_excluded(values, self.highest, self.positive)


@kernel
def _first_excluded(values: Floats, highest: float, positive: bool) -> int:
    for i in range(values.size):
        inside = values[i] > 0.0 if positive else values[i] >= 0.0
        if not (inside and values[i] <= highest and math.isfinite(values[i])):
            return i
    return -1


CHANNEL_GAIN = Range(1e6, positive=True)
ARRIVAL_MBIT = Range(1e12, positive=False)
DATA_QUEUE_MBIT = Range(1e12, positive=False)
ENERGY_QUEUE = Range(1e15, positive=False)
