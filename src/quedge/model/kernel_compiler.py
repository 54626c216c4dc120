"""How kernels become machine code: each one's own code once, and linked and optimised only where Python calls it."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import llvmlite.binding
import numba
import numba.core.codegen
import numba.core.compiler
import numba.core.compiler_lock
import numba.core.environment
import numba.core.event
import numba.core.extending
import numba.core.registry
import numba.core.runtime
import numba.core.sigutils
import numba.core.targetconfig
import numba.core.typing

from quedge.model.interpreting import interpreted, is_interpreting, uncounted
from quedge.model.kernel_cache import KernelCache, make_linkable

_core: Any = numba.core  # of some versions only are types published
_llvm: Any = llvmlite.binding
_MACHINE, _OWN = "machine", "own"  # what is kept of a kernel
_LINKABLE = "linkonce_odr"  # of several that are linked together one is kept, and none that is called by nobody


class KernelLibrary(_core.codegen.JITCodeLibrary):  # type: ignore[misc]
    """The code of one kernel, which takes in what it calls when it becomes machine code, and not before.

    A library of Numba's own is optimised and becomes machine code for itself as soon as another one is linked to it,
    and again in every one that is.
    """

    asked_for: tuple[str, ...] = ()
    """Names of functions by which machine code is called."""
    environments: Sequence[Any] = ()
    """What machine code points to, and does not own."""

    def add_linking_library(self, library: Any) -> None:
        """Remember what the kernel calls."""
        self._linking_libraries.append(library)

    def point_to(self, environments: Sequence[Any]) -> None:
        """Let machine code find its environments, and keep them."""
        self.environments = environments
        for each in environments:
            self.codegen.set_env(each.env_name, each)

    def finalize(self) -> None:
        """Take in all that is called, optimise it as a whole, and make machine code of it."""
        self._codegen._check_llvm_bugs()
        self._raise_if_finalized()
        self._final_module = self.linked()
        for function in self._final_module.functions:
            if function.name in self.asked_for:
                function.linkage = "external"
            elif function.linkage == _llvm.Linkage.linkonce_odr:  # is called from here only, and may change its shape
                function.linkage = "private"  # without a name that other modules could take for their own function
        self._optimize_final_module()
        self._final_module.verify()
        self._finalize_final_module()

    def _optimize_final_module(self) -> None:
        """Optimise as Numba does, but twice: measured, solvers are a quarter faster than after one pass."""
        for _ in range(2):
            passes, builder = self._codegen._module_pass_manager()
            passes.run(self._final_module, builder)

    def linked(self) -> Any:
        """A module with the kernel's code and all that it calls, itself or through others."""
        module = self._final_module.clone()
        for library in list(_callers_first(self, set()))[::-1]:
            if library is not self:
                self._reload_init.update(library._reload_init)
                module.link_in(_linkable(library))
        return module


def _callers_first(library: Any, seen: set[Any]) -> Iterator[Any]:
    """A library and all that it calls, in the reverse of the order in which they are linked.

    What nobody calls yet is dropped when it is linked, so who calls comes before who is called.
    """
    if library in seen:
        return
    seen.add(library)
    if not library._finalized:
        for called in library._linking_libraries:
            yield from _callers_first(called, seen)
    yield library


def _linkable(library: Any) -> Any:
    """A copy of a library's module whose functions may be in several modules that are linked."""
    if library._finalized:
        return library._get_module_for_linking().clone()
    module = library._final_module.clone()
    for function in module.functions:
        if not function.is_declaration and function.linkage == _llvm.Linkage.external:
            function.linkage = _LINKABLE
    return module


class _Pipeline(_core.compiler.Compiler):  # type: ignore[misc]
    """Numba's compiler, but into a `KernelLibrary`."""

    def __init__(self, typing_context: Any, target_context: Any, library: Any, *rest: Any) -> None:
        library = KernelLibrary(target_context.codegen(), "kernel")
        super().__init__(typing_context, target_context, library, *rest)


class KernelDispatcher(_core.registry.CPUDispatcher):  # type: ignore[misc]
    """A kernel that is compiled in two steps: its own code; and, if Python calls it, machine code of all that it calls.

    Other kernels take in its own code. Numba makes machine code of every kernel by itself, with wrappers for whoever
    may call it, and optimises it again in each kernel that calls it: more than half of the time to compile all.

    Where `interpreted_first` says so, Python runs what is not compiled yet; but not a kernel whose sums the compiler
    may order, as only machine code knows the order, nor one that calls what only machine code can do.

    Args:
        function: the kernel's plain Python.
        options: the options that it is compiled with.
    """

    def __init__(self, function: Any, options: dict[str, Any]) -> None:
        super().__init__(function, targetoptions=options, pipeline_class=_Pipeline)
        self._compiler._customize_flags = _without_wrappers
        self._cache = KernelCache(function, options)
        self._entries: dict[Any, _Entry] = {}
        self._interpreted: set[Any] = set()
        self.can_be_interpreted = not options.get("fastmath") and not _uses_intrinsics(function)

    def compile(self, sig: Any) -> Any:
        """What Python calls for arguments of these types: from this process, from disk, or compiled and kept there."""
        arguments, returned = _core.sigutils.normalize_signature(sig)
        with _core.compiler_lock.global_compiler_lock:
            entry = self._at_hand(arguments)
            if entry is None:
                self._cache_misses[arguments] += 1
                with _without_collection(), uncounted():
                    own = self._own_code(arguments, returned)
                    with self._event(arguments, returned):
                        entry, state = self._machine_code(own)
                self._cache.save(_MACHINE, arguments, self.targetctx, state)
                self._enter(arguments, entry)
        return entry.called_by_python

    def _compile_for_args(self, *args: Any, **kws: Any) -> Any:
        """What Python calls for these arguments, of whose types there is no machine code in this process."""
        if is_interpreting() and self.can_be_interpreted:
            types = tuple(self.typeof_pyval(value) for value in args)
            if types in self._interpreted or self._at_hand(types) is None:
                self._interpreted.add(types)
                return interpreted(self)
        return super()._compile_for_args(*args, **kws)

    def _at_hand(self, arguments: Any) -> _Entry | None:
        """Machine code for arguments of these types, from this process or from disk."""
        entry = self._entries.get(arguments)
        if entry is None:
            entry = self._cache.load(_MACHINE, arguments, self.targetctx, _entry_of_kept)
            if entry is not None:
                self._cache_hits[arguments] += 1
                self._enter(arguments, entry)
        return entry

    def _enter(self, arguments: Any, entry: _Entry) -> None:
        """Let Python call machine code for arguments of these types."""
        self._entries[arguments] = entry
        self._insert([each._code for each in arguments], entry.called_by_python, False)

    def address(self, sig: Any) -> int:
        """Where the machine code for arguments of these types lies, for `call_at`; 0 while it is interpreted."""
        arguments, _ = _core.sigutils.normalize_signature(sig)
        if is_interpreting() and self.can_be_interpreted and self._at_hand(arguments) is None:
            return 0
        self.compile(arguments)
        return self._entries[arguments].address

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """How another kernel calls this one for arguments of these types, and what that returns; see Numba."""
        pysig, folded = self._compiler.fold_argument_types(args, kws)
        self._own_code(tuple(folded), None, keep=True)
        name = self.py_func.__name__
        template = _core.typing.make_concrete_template(name, key=name, signatures=self.nopython_signatures)
        return template, pysig, folded, {}

    def _own_code(self, arguments: Any, returned: Any, keep: bool = False) -> Any:
        """A result of Numba's compiler without machine code; kept on disk where other kernels call it."""
        with _core.compiler_lock.global_compiler_lock, self._compiling_counter:
            own = self.overloads.get(arguments)
            if own is None:
                own = self._cache.load(_OWN, arguments, self.targetctx, _own_code_of_kept) if keep else None
                if own is None:
                    with self._event(arguments, returned):
                        own = self._compiler.compile(arguments, returned)._replace(entry_point=object())
                    own.fndesc.typemap = own.fndesc.calltypes = None  # of this process, and large
                    if keep:
                        self._cache.save(_OWN, arguments, self.targetctx, _own_state(own))
                self.targetctx.insert_user_function(own.entry_point, own.fndesc, [own.library])
                self.overloads[arguments] = own
        return own

    def _machine_code(self, own: Any) -> tuple[_Entry, _MachineState | None]:
        """What Python calls, made of a kernel's own code, and what is kept of it."""
        context, flags = self.targetctx, _core.compiler.Flags()
        context.refresh()
        self.targetdescr.options.parse_as_flags(flags, self.targetoptions)
        library = KernelLibrary(context.codegen(), own.fndesc.qualname)
        library.enable_object_caching()
        library.asked_for = (own.fndesc.llvm_func_name,)
        library.add_linking_library(own.library)
        wrapping = _core.compiler._make_subtarget(context, flags)
        with _core.targetconfig.ConfigStack().enter(flags), wrapping.push_code_library(library):
            wrapping.create_cpython_wrapper(library, own.fndesc, own.environment, None, release_gil=flags.release_gil)
        entry = _entry(library, context, _entry_names(own.fndesc), own.environment)
        environments = list(own._replace(library=library)._find_referenced_environments())
        library.point_to(environments)
        if library.has_dynamic_globals:
            return entry, None
        code, symbols = library._get_compiled_object(), _defined(library._final_module)
        externals = _external_names(library._final_module)
        names = _entry_names(own.fndesc)
        state = _MachineState(code, symbols, externals, names, own.environment, environments, library._reload_init)
        return entry, state

    def _event(self, arguments: Any, returned: Any) -> AbstractContextManager[None]:
        """Tells Numba's listeners that something is compiled."""
        told = {"dispatcher": self, "args": arguments, "return_type": returned}
        event: AbstractContextManager[None] = _core.event.trigger_event("numba:compile", data=told)
        return event


def _uses_intrinsics(function: Any) -> bool:
    """Whether a function calls what only machine code can do."""
    called = (function.__globals__.get(name) for name in function.__code__.co_names)
    return any(isinstance(each, _core.extending._Intrinsic) for each in called)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Look for no garbage: a compiler keeps nearly all that it makes, and looking takes a fifth of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _without_wrappers(flags: Any) -> Any:
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    return flags


class _EntryNames(NamedTuple):
    """What Numba must know of a kernel to call its machine code."""

    llvm_cpython_wrapper_name: str
    llvm_func_name: str
    env_name: str
    qualname: str
    modname: str

    def lookup_module(self) -> ModuleType:
        return import_module(self.modname)


def _entry_names(function: Any) -> _EntryNames:
    return _EntryNames(*(getattr(function, name) for name in _EntryNames._fields))


class _MachineState(NamedTuple):
    """What is kept of machine code, and of what it calls; see Numba's `CompileResult`."""

    code: bytes
    symbols: list[str]
    externals: list[str]
    names: _EntryNames
    environment: Any
    environments: list[Any]
    reload: set[Any]


class _OwnState(NamedTuple):
    """What is kept of a kernel's own code."""

    bitcode: bytes
    function: Any
    environment: Any
    signature: Any
    reload: set[Any]


class _Entry(NamedTuple):
    """Machine code to be called: by Python, and where it lies."""

    called_by_python: Any
    address: int


def _entry(library: Any, context: Any, names: _EntryNames, environment: Any) -> _Entry:
    called_by_python = context.get_executable(library, names, environment)
    return _Entry(called_by_python, library.get_pointer_to_function(names.llvm_func_name))


def _entry_of_kept(context: Any, state: _MachineState) -> _Entry:
    make_linkable(state.externals, context)
    for reload in state.reload:
        reload()
    library = KernelLibrary(context.codegen(), state.names.qualname)
    library.enable_object_caching()
    library._set_compiled_object(state.code)
    library._finalize_final_module()
    library.codegen._engine._defined_symbols.update(state.symbols)
    entry = _entry(library, context, state.names, state.environment)
    library.point_to(state.environments)
    return entry


def _own_state(own: Any) -> _OwnState | None:
    module = own.library.linked()
    if any(each.name.startswith("numba.dynamic.globals") for each in module.global_variables):
        return None  # it holds an address that is another one in the next process
    return _OwnState(module.as_bitcode(), own.fndesc, own.environment, own.signature, own.library._reload_init)


def _own_code_of_kept(context: Any, state: _OwnState) -> Any:
    for reload in state.reload:
        reload()
    library = KernelLibrary(context.codegen(), state.function.qualname)
    library._final_module = _llvm.parse_bitcode(state.bitcode)
    library._reload_init.update(state.reload)
    return _core.compiler.compile_result(
        typing_context=context.typing_context, target_context=context, entry_point=object(), library=library,
        signature=state.signature, objectmode=False, lifted=(), fndesc=state.function, environment=state.environment,
    )  # fmt: skip


def _defined(module: Any) -> list[str]:
    return [each.name for each in (*module.functions, *module.global_variables) if not each.is_declaration]


def _external_names(module: Any) -> list[str]:
    """The names that machine code is linked to outside of itself."""
    declared = (each for each in (*module.functions, *module.global_variables) if each.is_declaration)
    return sorted(each.name for each in declared if not each.name.startswith("llvm."))
