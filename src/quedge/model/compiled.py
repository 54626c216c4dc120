"""How kernels are compiled: in one place, so that all of them agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` to machine code on its first call and keep the result on disk.

    Where nothing can be kept on disk, every process compiles anew; the environment variable NUMBA_CACHE_DIR names a
    folder that can be written.

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
    try:
        return cast(F, numba.njit(cache=True, error_model="numpy", **options)(function))
    except RuntimeError:  # nowhere to keep it: neither the package's folder nor the user's cache can be written
        return cast(F, numba.njit(error_model="numpy", **options)(function))


def discard_stale_kernels(package: Path) -> None:
    """Delete kept machine code that is older than any source file of the floors that have kernels.

    Numba compares a kernel with its own file only, but kernels are compiled into their callers: without
    this, a change to one file would leave the old code in force in all the others.
    """
    kept_code = list(package.rglob("__pycache__/*.nb[ic]"))
    floors = {kept.relative_to(package).parts[0] for kept in kept_code}
    newest = max((file.stat().st_mtime_ns for floor in floors for file in (package / floor).rglob("*.py")), default=0)
    for kept in kept_code:
        try:
            if kept.stat().st_mtime_ns < newest:
                kept.unlink()
        except OSError:  # another process was faster, or the folder is read-only and Numba keeps its code elsewhere
            continue


discard_stale_kernels(Path(__file__).parent.parent)
