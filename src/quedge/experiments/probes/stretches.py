"""The course of a measure, as means over consecutive stretches of frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.findings import Series


def means_of_stretches(values: NDArray[np.float64], stretches: int) -> Series:
    """Means over consecutive stretches of the frames, as equally long as can be, at the last frame of each.

    Args:
        values: one a frame; shape (frames,).
        stretches: number of stretches; of fewer frames each is one.
    """
    ends = np.unique(np.linspace(0, values.size, stretches + 1).astype(np.int64))[1:]
    starts = np.concatenate(([0], ends[:-1]))
    return Series(ends.astype(np.float64), np.add.reduceat(values, starts) / (ends - starts))
