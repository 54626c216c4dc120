"""Machine code on disk, under a name that covers all sources it was compiled from, and sealed against damage."""

from __future__ import annotations

import contextlib
import enum
import functools
import hashlib
import inspect
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
import numba
import numba.core.compiler
import numba.core.serialize
import numba.core.sigutils
import numba.core.types
import numpy as np
from numba.core.dispatcher import Dispatcher

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


K = TypeVar("K")

SUFFIX = ".nbc"
_SEAL_BYTES = 16
_NAME_BYTES = 10
_LONGEST_NAME = 120
_PROBE_BYTES = 1 << 16

_numba: Any = numba  # of some versions only are types published
_log = logging.getLogger("quedge")
_told: set[str] = set()


def kept_on_disk(kernel: K) -> K:
    """A kernel of Numba's that keeps its machine code on disk; itself, where Numba is told not to compile.

    Numba's own cache knows one file for each kernel; it leaves old code in force where a kernel that was compiled into
    others is edited in another file, and fails for ever on an entry that is torn. This one leans on little of Numba:
    that a dispatcher asks its `_cache` before it compiles and tells it afterwards, and that a `CompileResult` goes to
    bytes and back (Numba 0.60 to 0.68).
    """
    compiled: Any = kernel
    if isinstance(kernel, Dispatcher):
        compiled._cache = KernelCache(compiled.py_func, compiled.targetoptions)
    return kernel


class KernelCache:
    """The kept machine code of one kernel: a file a signature, in the first folder that takes it.

    The name of a file has two digests: of all that the kernel is compiled from (`source_digest`), and of what it is
    compiled for: the signature, the processor, the versions of Numba. So old code is never found, wherever it lies, and
    it is removed when new code is kept. A file begins with a digest of its name and content: what is empty, torn or
    foreign is dropped and compiled anew. A folder that cannot be written is no error: the process goes on with
    what it has compiled. Either is said once a process, by a warning of the logger "quedge".

    Args:
        function: the kernel's plain Python.
        options: the options that it is compiled with.
    """

    def __init__(self, function: Any, options: dict[str, Any]) -> None:
        self._function, self._options = function, options
        self._enabled = True

    @property
    def cache_path(self) -> str:
        """The folder that is tried first."""
        return str(next(_folders(self._function.__code__.co_filename), ""))

    def enable(self) -> None:
        """Load and keep code."""
        self._enabled = True

    def disable(self) -> None:
        """Neither load nor keep code."""
        self._enabled = False

    def flush(self) -> None:
        """Remove all kept code of this kernel."""
        for folder in _folders(self._function.__code__.co_filename):
            self._remove(folder, but="")

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The machine code that was kept for a signature; None where there is none to be used."""
        target_context.refresh()
        if not self._enabled:
            return None
        name = self._name(sig, target_context.codegen())
        for folder in _folders(self._function.__code__.co_filename):
            path = folder / name
            try:
                payload = _opened(name, path.read_bytes())
                return _numba.core.compiler.CompileResult._rebuild(target_context, *pickle.loads(payload))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except Exception as error:  # whatever a damaged file leads to: it is compiled anew
                _tell("damaged", f"kept machine code is unusable and compiled anew: {path}: {_said(error)}")
                with contextlib.suppress(OSError):
                    path.unlink()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code of a signature, in the first folder that takes it."""
        if not self._enabled or not _can_be_kept(data):
            return
        name = self._name(sig, data.codegen)
        held = _sealed(name, _numba.core.serialize.dumps(data._reduce()))
        tried = []
        for folder in _folders(self._function.__code__.co_filename):
            try:
                _write(folder / name, held)
            except OSError as error:
                tried.append(f"{folder}: {_said(error)}")
                continue
            self._remove(folder, but=name.rsplit(".", 2)[0])
            return
        where = "; ".join(tried) or "there is no folder for it"
        _tell("unkept", f"machine code cannot be kept, every process compiles anew (NUMBA_CACHE_DIR): {where}")

    def _name(self, sig: Any, codegen: Any) -> str:
        arguments, returned = _numba.core.sigutils.normalize_signature(sig)
        compiled_for = (
            *(described(kind) for kind in arguments),
            "" if returned is None else described(returned),
            codegen.magic_tuple(),
            closure_digest(self._function),
            numba.__version__,
            llvmlite.__version__,
        )
        what = hashlib.blake2b(repr(compiled_for).encode(), digest_size=_NAME_BYTES).hexdigest()
        return f"{self._base()}.{source_digest(self._function, self._options)}.{what}{SUFFIX}"

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


def keeps_machine_code() -> bool:
    """Whether code of this package that is compiled now can be kept for other processes."""
    for folder in _folders(__file__):
        probe = folder / f"probe.{os.getpid()}{SUFFIX}"
        with contextlib.suppress(OSError):
            _write(probe, bytes(_PROBE_BYTES))
            probe.unlink(missing_ok=True)
            return True
    return False


def _folders(source: str) -> Iterator[Path]:
    """Where the code of a source file may be kept: where NUMBA_CACHE_DIR says, or beside it, else with the user."""
    place = os.path.dirname(os.path.abspath(source))
    own = f"{os.path.basename(place)}_{hashlib.blake2b(place.encode(), digest_size=_NAME_BYTES).hexdigest()}"
    if _numba.config.CACHE_DIR:
        yield Path(_numba.config.CACHE_DIR, own)
        return
    if os.path.isfile(source):
        yield Path(place, "__pycache__")
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(user):  # else nobody's: a user without a home
        yield Path(user, "quedge", own)


def _sealed(name: str, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, key=_seal_of(name), digest_size=_SEAL_BYTES).digest() + payload


def _opened(name: str, held: bytes) -> bytes:
    """What was sealed under a name.

    Raises:
        ValueError: it is something else.
    """
    payload = held[_SEAL_BYTES:]
    if held != _sealed(name, payload):
        raise ValueError("is empty, torn or of another kernel")
    return payload


def _seal_of(name: str) -> bytes:
    return hashlib.blake2b(name.encode()).digest()


def _write(path: Path, held: bytes) -> None:
    """Write a file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with aside.open("xb") as file:
            file.write(held)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _can_be_kept(compiled: Any) -> bool:
    """Whether machine code has no address in it that is another one in the next process."""
    return not compiled.library.has_dynamic_globals and all(lifted.can_cache for lifted in compiled.lifted)


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _tell(what: str, message: str) -> None:
    """Warn of something once a process, however many kernels it befalls."""
    if what not in _told:
        _told.add(what)
        _log.warning("quedge: %s", " ".join(message.split()))
