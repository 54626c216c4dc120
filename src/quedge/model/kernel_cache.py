"""Machine code on disk, under a name that covers all sources it was compiled from, and sealed against damage."""

from __future__ import annotations

import contextlib
import enum
import functools
import hashlib
import inspect
import io
import logging
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

import llvmlite
import llvmlite.binding
import numba
import numba.core.compiler
import numba.core.environment
import numba.core.runtime
import numba.core.serialize
import numba.core.sigutils
import numba.core.types
import numpy as np

K = TypeVar("K")

SUFFIX = ".nbc"
_VERSIONED = {"builtins", "llvmlite", "math", "numba", "numpy"}  # their versions name kept code already
_CODE = ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount", "co_kwonlyargcount")
_DIGEST_BYTES = 10
_SEAL_BYTES = 16
_LONGEST_NAME = 120
_PROBE_BYTES = 1 << 16
_LAYOUT = 4  # of a file's content

_numba: Any = numba  # of some versions only are types published
_llvm: Any = llvmlite.binding
_log = logging.getLogger("quedge")
_warned: set[str] = set()


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
    digest = _SourceDigest()
    digest.add_kernel(function, options, closure=False)
    return digest.hexdigest()


def closure_digest(function: Callable[..., Any]) -> str:
    """A digest of what a kernel closes over; one factory makes kernels that differ in that alone."""
    digest = _SourceDigest()
    digest.add_closure(function)
    return digest.hexdigest()


class _SourceDigest:
    """Takes in whatever a kernel reaches, once, in an order that is the same in every process."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        self._seen: set[object] = set()

    def hexdigest(self) -> str:
        return self._digest.hexdigest()

    def add_kernel(self, function: Any, options: dict[str, Any], closure: bool = True) -> None:
        if self._is_new(id(function)):
            self._add(_sorted(options))
            self._add_function(function, closure)

    def add_closure(self, function: Any) -> None:
        for cell in function.__closure__ or ():
            self._add_value(cell.cell_contents)

    def _is_new(self, key: object) -> bool:
        """Whether something is met for the first time: kernels may call each other in circles."""
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new

    def _add(self, *parts: object) -> None:
        self._digest.update(repr(parts).encode("utf-8", "surrogatepass"))

    def _add_function(self, function: Any, closure: bool = True) -> None:
        self._add(function.__qualname__)
        self._add_value(function.__defaults__)
        self._add_value(_sorted(function.__kwdefaults__ or {}))
        if closure:
            self.add_closure(function)
        for code in self._add_code(function.__code__, function.__doc__):
            for name in code.co_names:
                if name in function.__globals__:
                    self._add(name)
                    self._add_value(function.__globals__[name], code.co_names)

    def _add_code(self, code: CodeType, doc: str | None) -> Iterable[CodeType]:
        """Take in a function's code; it, and the code of the functions in it."""
        self._add(*(getattr(code, name) for name in _CODE))
        yield code
        for place, constant in enumerate(code.co_consts):
            if isinstance(constant, CodeType):
                yield from self._add_code(constant, None)
            elif not (place == 0 and isinstance(constant, str) and constant == doc):
                self._add_value(constant)

    def _add_value(self, value: Any, names: tuple[str, ...] = ()) -> None:
        """Take in a value that is read; of a module, what it holds under one of the names."""
        if isinstance(value, ModuleType):
            if not _is_versioned(value.__name__) and self._is_new((id(value), names)):
                for name in names:
                    if name in vars(value):
                        self._add(name)
                        self._add_value(vars(value)[name], names)
        elif isinstance(value, type):
            self._add_class(value)
        elif (function := _plain_python(value)) is not None:
            if hasattr(value, "targetoptions"):
                self.add_kernel(function, value.targetoptions)
            else:
                self._add_extension(function)
        elif isinstance(value, np.ndarray):
            self._add(value.dtype.str, value.shape, value.strides, value.tobytes())
        elif isinstance(value, enum.Enum):
            self._add(str(value), value.value)
        elif isinstance(value, (tuple, list)):
            self._add_class(type(value))
            for each in value:
                self._add_value(each, names)
        elif isinstance(value, (set, frozenset)):
            self._add(*sorted(repr(each) for each in value))
        else:
            self._add(type(value).__qualname__, repr(value))
            self._add_file(type(value).__module__)

    def _add_class(self, kind: type) -> None:
        self._add(kind.__module__, kind.__qualname__)
        if _is_versioned(kind.__module__) or not self._is_new(id(kind)):
            return
        if hasattr(kind, "_fields"):
            self._add(kind._fields)
            self._add_value(_sorted(getattr(kind, "_field_defaults", {})))
        elif issubclass(kind, enum.Enum):
            self._add(*((name, member.value) for name, member in kind.__members__.items()))
        else:
            self._add_file(kind.__module__)

    def _add_extension(self, function: Any) -> None:
        """A function that is no kernel: what is compiled in its place may be anything in its file."""
        self._add(function.__module__, function.__qualname__)
        if not _is_versioned(function.__module__ or "") and self._is_new(id(function)):
            self._add_file(function.__module__)
            self._add_function(function)

    def _add_file(self, module: str) -> None:
        if not _is_versioned(module):
            self._add(module, _content(getattr(sys.modules.get(module), "__file__", None)))


def _plain_python(value: Any) -> Any:
    """The plain Python behind a kernel, an intrinsic or a function; None where there is none."""
    function = getattr(value, "py_func", None) or inspect.unwrap(value) if callable(value) else None
    return function if isinstance(function, FunctionType) else None


def _sorted(options: dict[str, Any]) -> tuple[Any, ...]:
    return tuple((name, sorted(value) if isinstance(value, set) else value) for name, value in sorted(options.items()))


def _is_versioned(module: str) -> bool:
    """Whether a module changes only with a version that names kept code already, or with Python's."""
    root = module.partition(".")[0]
    return root in _VERSIONED or root in sys.stdlib_module_names


@functools.cache
def _content(file: str | None) -> str:
    """A digest of a file's content; empty where there is none to read."""
    try:
        return "" if file is None else hashlib.blake2b(Path(file).read_bytes(), digest_size=_DIGEST_BYTES).hexdigest()
    except OSError:
        return ""


class KernelCache:
    """The kept machine code of one kernel: one file per signature, in the first folder that takes it.

    The name of a file has two digests: of all that the kernel is compiled from (`source_digest`), and of what it is
    compiled for: the signature, the processor, the versions of Numba. So old code is never found, wherever it lies, and
    it is removed when new code is kept. A file begins with a digest of its name and content: what is empty, torn or
    foreign is dropped and compiled anew. A folder that cannot be written is no error: the process goes on with
    what it has compiled. The logger "quedge" warns of either once per process.

    Args:
        function: the kernel's plain Python.
        options: the options that it is compiled with.
    """

    def __init__(self, function: Any, options: dict[str, Any]) -> None:
        self._function, self._options = function, options

    @property
    def cache_path(self) -> str:
        """The folder that is tried first; Numba's statistics show it."""
        return str(next(self._folders(), ""))

    def flush(self) -> None:
        """Remove all kept code of this kernel."""
        for folder in self._folders():
            self._remove(folder, but="")

    def load(self, kind: str, sig: Any, target_context: Any, rebuild: Callable[[Any, Any], K]) -> K | None:
        """What was kept for a signature, as `rebuild` makes it of the target context and of what was saved.

        None where there is nothing to be used.
        """
        name = self._name(kind, sig, target_context.codegen())
        for folder in self._folders():
            path = folder / name
            try:
                kept = path.read_bytes()
                if kept[:_SEAL_BYTES] != _seal(name, kept[_SEAL_BYTES:]):
                    raise ValueError("is empty, torn or of another kernel")
                return rebuild(target_context, _Unpickler(io.BytesIO(kept[_SEAL_BYTES:])).load())
            except (FileNotFoundError, NotADirectoryError):
                continue
            except Exception as error:  # whatever a damaged file leads to: it is compiled anew
                _warn_once("damaged", f"kept machine code is unusable and dropped: {path}: {_reason(error)}")
                with contextlib.suppress(OSError):
                    path.unlink()
        return None

    def save(self, kind: str, sig: Any, target_context: Any, state: Any) -> None:
        """Keep what a signature was compiled to, in the first folder that takes it; nothing where it is None."""
        if state is None:
            return
        name = self._name(kind, sig, target_context.codegen())
        payload = _numba.core.serialize.dumps(state)
        tried = []
        for folder in self._folders():
            try:
                _write(folder / name, _seal(name, payload) + payload)
            except OSError as error:
                tried.append(f"{folder}: {_reason(error)}")
                continue
            self._remove(folder, but=name.rsplit(".", 2)[0])
            return
        where = "; ".join(tried) or "there is no folder for it"
        _warn_once("unkept", f"machine code cannot be kept, every process compiles anew (NUMBA_CACHE_DIR): {where}")

    def _folders(self) -> Iterator[Path]:
        return _folders(self._function.__code__.co_filename)

    def _name(self, kind: str, sig: Any, codegen: Any) -> str:
        arguments, returned = _numba.core.sigutils.normalize_signature(sig)
        compiled_for = (
            kind,
            *(_type_text(each) for each in arguments),
            "" if returned is None else _type_text(returned),
            codegen.magic_tuple(),
            closure_digest(self._function),
            _LAYOUT,
            numba.__version__,
            llvmlite.__version__,
        )
        target = hashlib.blake2b(repr(compiled_for).encode(), digest_size=_DIGEST_BYTES).hexdigest()
        return f"{self._base()}.{source_digest(self._function, self._options)}.{target}{SUFFIX}"

    def _base(self) -> str:
        """What the names of all code of this kernel begin with."""
        code = self._function.__code__
        name = f"{Path(code.co_filename).stem}.{code.co_qualname}"
        if "<" in name:  # in a function, of which there may be several, or a lambda
            name = f"{name.replace('<', '').replace('>', '')}-{code.co_firstlineno}"
        return f"{name[:_LONGEST_NAME]}.{sys.implementation.cache_tag}"

    def _remove(self, folder: Path, but: str) -> None:
        """Remove this kernel's code from a folder, all but that of one state of the sources."""
        with contextlib.suppress(OSError):  # another process may be faster
            for path in folder.glob(f"{self._base()}.*{SUFFIX}"):
                if not but or not path.name.startswith(f"{but}."):
                    path.unlink(missing_ok=True)


def make_linkable(externals: list[str], target_context: Any) -> None:
    """See to it that machine code finds all names that it is linked to; LLVM ends the process over one that is missing.

    Numba's runtime, which starts here, has them as a rule. To compile, Numba loads all that it knows of Python and
    NumPy besides, which takes as long as to import Numba: only where a name is still missing.
    """
    _numba.core.runtime.rtsys.initialize(target_context)
    if not all(_llvm.address_of_symbol(name) for name in externals):
        target_context.refresh()


class _Unpickler(pickle.Unpickler):
    """Reads what was kept without the modules of Numba, and of SciPy, that were at work when it was compiled."""

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for."""
        if (module, name) == ("numba.core.environment", "_rebuild_env"):
            return _environment
        return super().find_class(module, name)


def _environment(module: str, constants: list[Any], name: str) -> Any:
    """An environment of machine code, which reads its constants from there; its globals, only to compile again.

    Numba's own loads the module that each function which was compiled into the kernel comes from.
    """
    environments = _numba.core.environment
    made = environments.lookup_environment(name)
    if made is None:
        made = environments.Environment(vars(sys.modules[module]) if module in sys.modules else {"__name__": module})
        made.env_name = name
        environments.Environment._memo[name] = made
    if len(constants) > len(made.consts):  # a wrapper for Python has some besides
        made.consts[:] = constants
    return made


def _type_text(kind: Any) -> str:
    """A Numba type with all that tells it from others: the fields of a named tuple, the code of a kernel."""
    types = _numba.core.types
    if isinstance(kind, types.BaseTuple):
        made_by = getattr(kind, "instance_class", None)
        name = "" if made_by is None else f"{made_by.__module__}.{made_by.__qualname__}{made_by._fields}"
        return f"{name}({', '.join(_type_text(each) for each in kind)})"
    if isinstance(kind, types.Dispatcher):
        function = kind.dispatcher.py_func
        return f"{source_digest(function, kind.dispatcher.targetoptions)}{closure_digest(function)}"
    return str(kind)


def machine_code_folder() -> Path | None:
    """The folder in or below which code of this package that is compiled now is kept; None where it cannot be."""
    for folder in _folders(__file__):
        probe = folder / f"probe.{os.getpid()}{SUFFIX}"
        with contextlib.suppress(OSError):
            _write(probe, bytes(_PROBE_BYTES))
            probe.unlink(missing_ok=True)
            return folder.parent.parent if folder.name == "__pycache__" else folder.parent
    return None


def _folders(source: str) -> Iterator[Path]:
    """Where the code of a source file may be kept: where NUMBA_CACHE_DIR says, or beside it, else with the user."""
    place = os.path.dirname(os.path.abspath(source))
    own = f"{os.path.basename(place)}_{hashlib.blake2b(place.encode(), digest_size=_DIGEST_BYTES).hexdigest()}"
    if _numba.config.CACHE_DIR:
        yield Path(_numba.config.CACHE_DIR, own)
        return
    if os.path.isfile(source):
        yield Path(place, "__pycache__")
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(user):  # else nobody's: a user without a home
        yield Path(user, "quedge", own)


def _seal(name: str, payload: bytes) -> bytes:
    """A digest that the content of no other file, whole or torn, has."""
    return hashlib.blake2b(payload, key=hashlib.blake2b(name.encode()).digest(), digest_size=_SEAL_BYTES).digest()


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with aside.open("xb") as file:
            file.write(content)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _warn_once(kind: str, message: str) -> None:
    """Warn once per process, however many kernels it befalls."""
    if kind not in _warned:
        _warned.add(kind)
        _log.warning("quedge: %s", " ".join(message.split()))
