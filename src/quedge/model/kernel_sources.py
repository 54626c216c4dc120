"""What the machine code of a kernel depends on: all code that is compiled into it, and the values that it reads."""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numba.core.types
import numpy as np

types: Any = numba.core.types
_OF_THEIR_VERSION = {"builtins", "llvmlite", "math", "numba", "numpy"}
_CODE = ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount", "co_kwonlyargcount")
_BYTES = 10


def source_digest(function: Callable[..., Any], options: dict[str, Any]) -> str:
    """A digest of all that a kernel is compiled from, but for what it closes over.

    It covers the kernel's code and options, and likewise each kernel that it calls, in whatever file; the values of
    numbers, texts and arrays outside of functions that they read; the fields of named tuples and the members of
    enumerations; of functions that extend Numba, their whole file. Taken from what this process has loaded, not from
    what stands on disk now. Comments, docstrings and lines between kernels do not count.

    Args:
        function: the kernel's plain Python.
        options: the options that it is compiled with.
    """
    reached = _Reached()
    reached.kernel(function, options, closure=False)
    return reached.digest()


def closure_digest(function: Callable[..., Any]) -> str:
    """A digest of what a kernel closes over; one factory makes kernels that differ in that alone."""
    reached = _Reached()
    reached.closure(function)
    return reached.digest()


def described(kind: Any) -> str:
    """A Numba type as text, with all that tells it from others: the fields of a named tuple, the code of a kernel."""
    if isinstance(kind, types.BaseTuple):
        made_by = getattr(kind, "instance_class", None)
        name = "" if made_by is None else f"{made_by.__module__}.{made_by.__qualname__}{made_by._fields}"
        return f"{name}({', '.join(described(each) for each in kind)})"
    if isinstance(kind, types.Dispatcher):
        compiled = kind.dispatcher
        return f"{source_digest(compiled.py_func, compiled.targetoptions)}{closure_digest(compiled.py_func)}"
    return str(kind)


class _Reached:
    """Takes down whatever is reached, once, in an order that is the same in every process."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=_BYTES)
        self._seen: set[object] = set()

    def digest(self) -> str:
        return self._digest.hexdigest()

    def kernel(self, function: Any, options: dict[str, Any], closure: bool = True) -> None:
        if id(function) in self._seen:
            return
        self._say(_in_order(options))
        self._function(function, closure)

    def closure(self, function: Any) -> None:
        for cell in function.__closure__ or ():
            self._value(cell.cell_contents, ())

    def _function(self, function: Any, closure: bool = True) -> None:
        self._seen.add(id(function))
        code = function.__code__
        self._say(function.__qualname__)
        self._value(function.__defaults__, ())
        self._value(_in_order(function.__kwdefaults__ or {}), ())
        if closure:
            self.closure(function)
        for each in self._code(code, function.__doc__):
            for name in each.co_names:
                if name in function.__globals__:
                    self._say(name)
                    self._value(function.__globals__[name], each.co_names)

    def _code(self, code: CodeType, doc: str | None) -> Iterable[CodeType]:
        """Take down a function's code; it, and the code of the functions in it."""
        self._say(*(getattr(code, name) for name in _CODE))
        yield code
        for place, constant in enumerate(code.co_consts):
            if isinstance(constant, CodeType):
                yield from self._code(constant, None)
            elif not (place == 0 and isinstance(constant, str) and constant == doc):
                self._value(constant, ())

    def _value(self, value: Any, names: tuple[str, ...]) -> None:
        """Take down a value that is read; of a module, what it holds under one of the names."""
        if isinstance(value, ModuleType):
            if not _is_of_its_version(value.__name__) and (id(value), names) not in self._seen:
                self._seen.add((id(value), names))
                for name in names:
                    if name in vars(value):
                        self._say(name)
                        self._value(vars(value)[name], names)
        elif isinstance(value, type):
            self._kind(value)
        elif (function := _plain(value)) is not None:
            if hasattr(value, "targetoptions"):
                self.kernel(function, value.targetoptions)
            else:
                self._extension(function)
        elif isinstance(value, np.ndarray):
            self._say(value.dtype.str, value.shape, value.strides, value.tobytes())
        elif isinstance(value, enum.Enum):
            self._say(str(value), value.value)
        elif isinstance(value, (tuple, list)):
            self._kind(type(value))
            for each in value:
                self._value(each, names)
        elif isinstance(value, (set, frozenset)):
            self._say(*sorted(repr(each) for each in value))
        else:
            self._say(type(value).__qualname__, repr(value))
            self._file_of(type(value).__module__)

    def _kind(self, kind: type) -> None:
        self._say(kind.__module__, kind.__qualname__)
        if id(kind) in self._seen or _is_of_its_version(kind.__module__):
            return
        self._seen.add(id(kind))
        if hasattr(kind, "_fields"):
            self._say(kind._fields)
            self._value(_in_order(getattr(kind, "_field_defaults", {})), ())
        elif issubclass(kind, enum.Enum):
            self._say(*((name, member.value) for name, member in kind.__members__.items()))
        else:
            self._file_of(kind.__module__)

    def _extension(self, function: Any) -> None:
        """A function that is no kernel: what is compiled in its place may be anything in its file."""
        self._say(function.__module__, function.__qualname__)
        if id(function) in self._seen or _is_of_its_version(function.__module__ or ""):
            return
        self._file_of(function.__module__)
        self._function(function)

    def _file_of(self, module: str) -> None:
        if not _is_of_its_version(module):
            self._say(module, _content(getattr(sys.modules.get(module), "__file__", None)))

    def _say(self, *parts: object) -> None:
        self._digest.update(repr(parts).encode("utf-8", "surrogatepass"))


def _plain(value: Any) -> Any:
    """The plain Python behind a kernel, an intrinsic or a function; None where there is none."""
    function = getattr(value, "py_func", None) or inspect.unwrap(value) if callable(value) else None
    return function if isinstance(function, FunctionType) else None


def _in_order(options: dict[str, Any]) -> tuple[Any, ...]:
    return tuple((name, sorted(value) if isinstance(value, set) else value) for name, value in sorted(options.items()))


def _is_of_its_version(module: str) -> bool:
    """Whether a module changes with a version that names kept code already, or with Python's."""
    root = module.partition(".")[0]
    return root in _OF_THEIR_VERSION or root in sys.stdlib_module_names


@functools.cache
def _content(file: str | None) -> str:
    """A digest of a file's content; empty where there is none to read."""
    try:
        return "" if file is None else hashlib.blake2b(Path(file).read_bytes(), digest_size=_BYTES).hexdigest()
    except OSError:
        return ""
