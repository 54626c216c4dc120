"""What is found out about one cell of an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Series(NamedTuple):
    """A measure that was taken at several places of a run.

    Attributes:
        at: the places, such as frames; shape (points,).
        value: the measure there, shape (points,).
    """

    at: NDArray[np.float64]
    value: NDArray[np.float64]


Findings = Mapping[str, float | Series]
"""Measures by name: a number, or a series of them."""
