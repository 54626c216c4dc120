"""Arrays in kernels without counting who uses them: for loops over many small frames."""

from __future__ import annotations

from typing import Any, TypeVar

from numba.core import types
from numba.extending import intrinsic, overload

V = TypeVar("V")


def uncounted(value: V) -> V:
    """The same array, or tuple of arrays, of which a kernel does not count the references, nor those of its slices.

    Every slice and every call counts the arrays that it is given, up and down again; a loop over frames of ten devices
    was measured to spend half of its time on that. Only for a kernel's arguments, which its caller holds: an array that
    the kernel itself made is freed after its last mention. Not to be returned.
    """
    return value


@overload(uncounted, strict=False)
def _compiled_uncounted(value: Any) -> Any:
    return lambda value: _without_owner(value)  # type: ignore[call-arg]  # numba itself passes the context


@intrinsic
def _without_owner(context: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _disowned(context, builder, signature.return_type, arguments[0])

    return value(value), generate


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
