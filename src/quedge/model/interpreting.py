"""Kernels run by Python itself, for as long as that is sooner done than machine code is made of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CellType, FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_twins: dict[int, Callable[..., Any]] = {}
_globals: dict[int, dict[str, Any]] = {}


class _Allowance:
    """How long kernels may still be interpreted (s), and how many calls of them were."""

    left_s = 0.0
    calls = 0


@contextmanager
def interpreted_first(seconds: float) -> Iterator[None]:
    """Let Python run kernels of which there is no machine code yet, until that has taken so many seconds in all.

    What is left is compiled. Either way every number is the same, bit for bit. For one thread.
    """
    _Allowance.left_s = seconds
    try:
        yield
    finally:
        _Allowance.left_s = 0.0


@contextmanager
def uncounted() -> Iterator[None]:
    """Compile something meanwhile, in time that is not taken from what kernels may be interpreted."""
    left_s, began = _Allowance.left_s, time.perf_counter()
    try:
        yield
    finally:
        if left_s > 0.0:
            _Allowance.left_s += time.perf_counter() - began


def is_interpreting() -> bool:
    """Whether kernels without machine code are interpreted now."""
    return _Allowance.left_s > 0.0


def interpreted_calls() -> int:
    """The number of calls of this process that were interpreted, from Python to a kernel."""
    return _Allowance.calls


def interpreted(kernel: Any) -> Callable[..., Any]:
    """A kernel as Python runs it.

    Where Python refuses what machine code computes by IEEE 754 (x / 0, a logarithm of 0), its arguments are put back as
    they were, and it is compiled.
    """
    twin = _twin(kernel)

    def call(*arguments: Any) -> Any:
        _Allowance.calls += 1
        kept = [(values, values.copy()) for values in _arrays(arguments) if values.flags.writeable]
        began = time.perf_counter()
        try:
            with np.errstate(all="ignore"):
                return twin(*arguments)
        except (ArithmeticError, ValueError):
            for values, before in kept:
                values[...] = before
            _Allowance.left_s = 0.0
        finally:
            _Allowance.left_s -= time.perf_counter() - began
        return kernel(*arguments)

    return call


def _arrays(values: Any) -> Iterator[NDArray[Any]]:
    """The arrays among arguments, which may be tuples of them."""
    for value in values:
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple):
            yield from _arrays(value)


def _twin(kernel: Any) -> Callable[..., Any]:
    """The kernel's plain Python, calling the plain Python of other kernels."""
    function = kernel.py_func
    if id(function) not in _twins:
        closure = tuple(CellType(_replaced(cell.cell_contents)) for cell in function.__closure__ or ())
        twin = FunctionType(function.__code__, _globals_of(function), function.__name__, function.__defaults__, closure)
        twin.__kwdefaults__ = function.__kwdefaults__
        _twins[id(function)] = twin
    return _twins[id(function)]


def _globals_of(function: FunctionType) -> dict[str, Any]:
    """The names of a kernel's module, with the plain Python of kernels."""
    own = function.__globals__
    if id(own) not in _globals:
        _globals[id(own)] = names = dict(own)
        names.update((name, _replaced(value)) for name, value in own.items())
    return _globals[id(own)]


def _replaced(value: Any) -> Any:
    return _twin(value) if getattr(value, "can_be_interpreted", False) else value
