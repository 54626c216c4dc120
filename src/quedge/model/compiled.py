"""How kernels are compiled: one decorator, so that all of them agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic, overload
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
    try:
        return cast(F, numba.njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # nowhere to keep it: neither the package's folder nor the user's cache can be written
        return cast(F, numba.njit(error_model="numpy")(function))


def inner_kernel(function: F) -> F:
    """Compile `function` into every kernel that calls it, as a part of it: for what a loop over many frames calls.

    A call would copy the records that it passes and count references to each of their arrays. See `uncounted`, too.
    """
    return cast(F, numba.njit(cache=True, error_model="numpy", forceinline=True)(function))


V = TypeVar("V")


def uncounted(value: V) -> V:
    """The same array or named tuple of arrays, and all that a kernel slices from it, without counting who uses it.

    A loop over many small frames was measured to spend half of its time counting. Only for what outlives the kernel or
    is held by its caller, and never to be returned.
    """
    return value


@overload(uncounted, strict=False)
def _uncounted(value: Any) -> Any:
    return lambda value: _without_owner(value)


@intrinsic  # type: ignore[misc]  # numba has no types
def _without_owner(context: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _disown(context, builder, signature.return_type, arguments[0])

    return value(value), generate


def _disown(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Machine code that takes its owner from an array, whose references are not counted then, or from those in a tuple."""
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = array.meminfo.type(None)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        for k, inner in enumerate(kind):
            item = _disown(context, builder, inner, builder.extract_value(value, k))
            value = builder.insert_value(value, item, k)
    return value


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
