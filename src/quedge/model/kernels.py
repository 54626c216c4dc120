"""How kernels are compiled, and how their loops avoid counting references."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba import extending
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from quedge.model.kernel_compiler import KernelDispatcher

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

_numba: Any = numba  # of some versions only are types published
_cgutils: Any = cgutils
_extending: Any = extending

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

    A call would copy the records that it is given, and count the references to their arrays (`without_refcount`).
    """
    return _compiled(function, forceinline=True)


def _compiled(function: F, **options: Any) -> F:
    if _numba.config.DISABLE_JIT:
        return function
    return cast(
        F, KernelDispatcher(function, {"nopython": True, "boundscheck": None, "error_model": "numpy"} | options)
    )


V = TypeVar("V")


def without_refcount(value: V) -> V:
    """The same array, or tuple of arrays, of which a kernel does not count the references, nor those of its slices.

    Every slice and every call counts the arrays that it is given, up and down again; a loop over frames of ten devices
    was measured to spend half of its time on that. Only for a kernel's arguments, which its caller holds: an array that
    the kernel itself made is freed after its last mention. Not to be returned.
    """
    return value


@_extending.type_callable(without_refcount)
def _type_without_refcount(context: Any) -> Any:
    return lambda value: value


@_extending.lower_builtin(without_refcount, types.Any)
def _lower_without_refcount(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return _disowned(context, builder, signature.return_type, arguments[0])


def _disowned(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Machine code that gives an array no owner, or each array of a tuple; numba counts only what has one."""
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = array.meminfo.type(None)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        inner_kinds: Any = kind
        for k, inner in enumerate(inner_kinds):
            item = _disowned(context, builder, inner, builder.extract_value(value, k))
            value = builder.insert_value(value, item, k)
    return value


@intrinsic
def call_at(typing_context: Any, address: Any, arguments: Any) -> Any:
    """Call the machine code of a kernel that returns nothing, by its address, with a tuple of arguments.

    The one that calls is then compiled once, whichever kernel it is given; see `address_of`.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = tuple(signature.args[1])
        kind = context.call_conv.get_function_type(types.none, kinds)
        function = builder.inttoptr(values[0], kind.as_pointer())
        given = _cgutils.unpack_tuple(builder, values[1])
        status, _ = context.call_conv.call_function(builder, function, types.none, kinds, given)
        with _cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.none(types.int64, arguments), generate


def address_of(compiled: Callable[..., None], signature: Any) -> int:
    """Where the machine code of a kernel lies that was compiled for a signature; 0 where Numba is told not to compile.

    It stays there as long as the kernel does.
    """
    return compiled.address(signature) if isinstance(compiled, KernelDispatcher) else 0
