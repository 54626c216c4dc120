"""How kernels are compiled: in one place, so that all of them agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from quedge.model.kernel_cache import kept_on_disk

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` to machine code on its first call and keep the result on disk.

    It is kept in the folder that the environment variable NUMBA_CACHE_DIR names, else beside the source, else in the
    user's cache; where none of them can be written, every process compiles anew. It is compiled again when anything
    changes that it is compiled from, in whatever file (`kernel_cache`).

    Division follows IEEE 754 (x / 0 is infinite) instead of raising, as NumPy's does; the plain Python
    function stays reachable as `.py_func`.
    """
    return _compiled(function)


def summing_kernel(function: F) -> F:
    """As `kernel`, for sums whose order is left to the compiler: the processor adds up several parts at once."""
    return _compiled(function, fastmath={"reassoc"})


def unlocked_kernel(function: F) -> F:
    """As `kernel`, but other threads of Python go on meanwhile: for long steps that may run beside an answer."""
    return _compiled(function, nogil=True)


def inner_kernel(function: F) -> F:
    """Compile `function` as `kernel` does, but into every kernel that calls it: for what loops over frames call.

    A call would copy the records that it is given, and count the references to each of their arrays (`uncounted`).
    """
    return _compiled(function, forceinline=True)


def _compiled(function: F, **options: Any) -> F:
    return cast(F, kept_on_disk(numba.njit(error_model="numpy", **options)(function)))
