"""How kernels are compiled: one decorator, so that all of them agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` to machine code on its first call and keep the result on disk.

    Division follows IEEE 754 (x / 0 is infinite) instead of raising, as NumPy's does; the plain Python
    function stays reachable as `.py_func`.
    """
    return cast(F, numba.njit(cache=True, error_model="numpy")(function))
