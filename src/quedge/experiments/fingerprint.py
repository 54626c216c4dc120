"""Names for cells by what determines them, the sources that compute them included."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from quedge.experiments.job import Job
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.model.security import SUITE_KEYS
from quedge.pqc.costs import traffic_of

PACKAGE = Path(__file__).parent.parent

_ROOT = "quedge"
_DATA = ("data/**/*", "*/data/**/*")
_INSTALLED = ("site-packages", "dist-packages")
_DIGEST_BYTES = 6

_TYPES_ONLY = re.compile(r"^([ \t]*)if [\w.]*TYPE_CHECKING:[ \t]*\n(?:\1[ \t]+[^\n]*\n|[ \t]*\n)*", re.MULTILINE)
_IMPORT = re.compile(
    r"(?:^|[;:])[ \t\f]*(?:from[ \t]*([\w.]+)[ \t]*import\b[ \t]*(\([^)]*\)|[^\n;]*)|import[ \t]+([^\n;]+))",
    re.MULTILINE,
)
_NAME = re.compile(r"([\w.]+)(?:\s+as\s+\w+)?")


class OwnFiles(NamedTuple):
    """What decides a module that is none of this package's.

    Attributes:
        files: the module's file and those that it imports from beside it, by their place in the folder that holds its
            top-level module or package; of an installed package, the package's alone.
        imported: names that these files import from this package.
    """

    files: dict[str, Path]
    imported: frozenset[str]


def is_of_the_package(module: str) -> bool:
    """Whether a module, or a name in it, is this package's."""
    return module.partition(".")[0] == _ROOT


def imported_names(text: str, package: tuple[str, ...]) -> Iterator[str]:
    """Full names of all modules that a source imports, and of what it takes from them, which may be modules, too.

    Args:
        text: the source.
        package: the package that it stands in, for relative imports.
    """
    text = re.sub(r"#[^\n]*", "", text).replace("\\\n", " ")
    for module, taken, several in _IMPORT.findall(_TYPES_ONLY.sub("", text)):
        if several:
            for name in _NAME.findall(several):
                yield from (name.partition(".")[0], name)
            continue
        dots = len(module) - len(module.lstrip("."))
        above = package[: len(package) - dots + 1] if dots else ()
        full = ".".join((*above, *filter(None, [module.lstrip(".")])))
        yield full
        yield from (f"{full}.{name}" for name in _NAME.findall(taken))


def deciding_files(modules: Iterable[str], package: Path) -> list[Path]:
    """The sources of this package that modules of it reach by imports, and the data files that these name.

    The root's `__init__.py`, which only gathers names, is among them where one of its names is taken.

    Args:
        modules: full names.
        package: the package's folder.
    """
    sources: set[Path] = set()
    waiting = [path for module in modules for path in _files_of(package, module)]
    while waiting:
        path = waiting.pop()
        if path not in sources:
            sources.add(path)
            waiting += _source(path, package).reaches
    data = {path for source in sources for path in _source(source, package).data}
    return sorted(sources | data)


@functools.cache
def package_digest(modules: frozenset[str], package: Path) -> str:
    """A digest of `deciding_files`, as they were when it was first asked for."""
    files = deciding_files(modules, package)
    return digest_of_files({path.relative_to(package).as_posix(): path for path in files})


def own_files(module: str) -> OwnFiles:
    """What decides a loaded module that is none of this package's; no files where it has none, as in a notebook."""
    loaded = sys.modules.get(module)
    start = Path(getattr(loaded, "__file__", None) or "")
    if not start.is_file():
        return OwnFiles({}, frozenset())
    spec = getattr(loaded, "__spec__", None)  # none of a script, which is called __main__
    folder, parts = _place(start, start.stem if spec is None else spec.name)
    found, imported = {start}, set()
    waiting = [start, *_reached(folder, parts)]
    while waiting:
        path = waiting.pop()
        found.add(path)
        if path.suffix != ".py":
            continue
        for name in imported_names(_text(path), path.relative_to(folder).parent.parts):
            if is_of_the_package(name):
                imported.add(name)
            elif folder.name not in _INSTALLED or name.partition(".")[0] == parts[0]:
                waiting += [file for file in _reached(folder, name.split(".")) if file not in found]
    return OwnFiles({path.relative_to(folder).as_posix(): path for path in found}, frozenset(imported))


def digest_of_files(files: dict[str, Path]) -> str:
    """A digest of files and of the names under which they are known."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


class _Source(NamedTuple):
    """What a source of the package reaches at once: files that its imports run, and data files that it names."""

    reaches: tuple[Path, ...]
    data: tuple[Path, ...]


@functools.cache
def _source(path: Path, package: Path) -> _Source:
    text = _text(path)
    names = set(imported_names(text, (_ROOT, *path.relative_to(package).parent.parts)))
    reached = {file for name in names if is_of_the_package(name) for file in _files_of(package, name)}
    return _Source(tuple(reached), tuple(file for file in _data_files(package) if file.name in text))


@functools.cache
def _data_files(package: Path) -> list[Path]:
    return [path for pattern in _DATA for path in package.glob(pattern) if path.is_file()]


@functools.cache
def _files_of(package: Path, name: str) -> list[Path]:
    """The files of the package that an import of a name in it runs."""
    return list(_reached(package, name.split(".")[1:])) or [package / "__init__.py"]


def _reached(folder: Path, parts: list[str]) -> Iterator[Path]:
    """The files that an import of a name from a folder runs: of packages their `__init__.py`, and a module's."""
    for part in parts:
        inside, module = folder / part, folder / f"{part}.py"
        if (inside / "__init__.py").is_file():
            yield inside / "__init__.py"
        elif module.is_file():
            yield module
            return
        elif not inside.is_dir():
            return
        folder = inside


def _place(file: Path, name: str) -> tuple[Path, list[str]]:
    """The folder from which a module is imported, and the parts of its name."""
    parts = name.split(".")
    place = file.parent if file.name == "__init__.py" else file.with_suffix("")
    if list(place.parts[-len(parts) :]) == parts:
        return place.parents[len(parts) - 1], parts
    return file.parent, [file.stem]  # loaded under a name that is not its file's


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


_NAME_BYTES = 12


def determinants(job: Job) -> dict[str, Any]:
    """All that the findings of a job depend on, as plain JSON values.

    Raises:
        ValueError: a policy, probe or process that is no dataclass, so that nobody can tell what it depends on.
    """
    return {
        "scenario": scenario_object(job.scenario),
        "sends": _sends(job.scenario),
        "policy": plain(job.policy),
        "seed": job.seed,
        "frames": job.frames,
        "probe": plain(job.probe),
        "channel": plain(job.channel),
        "arrivals": plain(job.arrivals),
        "code": code_version(job),
    }


def scenario_object(scenario: Scenario) -> dict[str, Any]:
    """A scenario's keys as JSON has them, defaults filled in and a suite as the constants that follow from it."""
    return {name: _resolved(scenario, name) for name in PARAMETERS if name not in SUITE_KEYS}


def name_of(job: Job) -> str:
    """A job's name: it changes with anything that its findings depend on.

    Raises:
        ValueError: see `determinants`.
    """
    return digest_of(determinants(job))


def digest_of(determined_by: Mapping[str, Any]) -> str:
    """The name of the job that `determinants` gave."""
    text = json.dumps(determined_by, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=_NAME_BYTES).hexdigest()


def code_version(job: Job) -> str:
    """A digest of the sources and data that a job's findings depend on; figures and commands can change without it.

    They are the files of the classes that the job is made of, and of all that these import, as they were when this
    process first asked for them.
    """
    made_of = {type(job), *_kinds((job.policy, job.probe, job.channel, job.arrivals))}
    ours = {kind.__module__ for kind in made_of if is_of_the_package(kind.__module__)}
    own = [_own(kind) for kind in made_of if not is_of_the_package(kind.__module__)]
    for each in own:
        ours |= each.imported
    return " ".join((package_digest(frozenset(ours), PACKAGE), *sorted({each.digest for each in own})))


def joint_version(jobs: Iterable[Job]) -> str:
    """One version for the code of several jobs."""
    versions = {code_version(job) for job in jobs}
    return versions.pop() if len(versions) == 1 else digest_of({"code": sorted(versions)})


def _kinds(value: Any) -> Iterator[type]:
    """The classes of all objects in a value, wherever `plain` looks for them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        yield from _kinds([getattr(value, field.name) for field in dataclasses.fields(value)])
    elif isinstance(value, (tuple, list)):
        if hasattr(value, "_fields"):
            yield type(value)
        for each in value:
            yield from _kinds(each)
    elif isinstance(value, Mapping):
        yield from _kinds(list(value.values()))


def _sends(scenario: Scenario) -> Any:
    """What a scenario's suite sends, record by record; a probe may count it, and the constants are affine in it."""
    return None if scenario.secured_by is None else plain(traffic_of(scenario.secured_by, scenario.profiles))


def _resolved(scenario: Scenario, name: str) -> Any:
    """A key's value, defaults filled in; one number where all devices have the same. None where it is left out."""
    left_out = getattr(scenario, name) is None and PARAMETERS[name].example is not None
    if left_out or not PARAMETERS[name].per_device:
        return getattr(scenario, name)
    values = scenario.per_device(name)
    return float(values[0]) if (values == values[0]).all() else values.tolist()


def plain(value: Any) -> Any:
    """A value as JSON has it; objects as the name of their class with their fields.

    Raises:
        ValueError: an object that is no dataclass, so that nobody can tell what it depends on.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {**_class(type(value)), **fields}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {**_class(type(value)), **{name: plain(each) for name, each in zip(value._fields, value, strict=True)}}
    if isinstance(value, np.ndarray):
        content = hashlib.blake2b(np.ascontiguousarray(value).tobytes(), digest_size=16).hexdigest()
        return {"array": content, "type": str(value.dtype), "shape": list(value.shape)}
    if isinstance(value, bytes):
        return {"bytes": hashlib.blake2b(value, digest_size=16).hexdigest(), "size": len(value)}
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    kind = _class(type(value))["class"]
    raise ValueError(f"{kind}: is not allowed in an experiment or a service; it must be a dataclass, of settings")


def _class(kind: type) -> dict[str, str]:
    """A class by its name, and by the files that decide it where it is none of the package's."""
    name = {"class": f"{kind.__module__}.{kind.__qualname__}"}
    if is_of_the_package(kind.__module__):
        return name  # its code is part of the code version
    source = _own(kind).digest
    return name | {"source": source} if source else name


class _Own(NamedTuple):
    """The files that decide a class of a user's own.

    Attributes:
        digest: of them; empty where there is none, as in a notebook.
        imported: names that they import from the package.
    """

    digest: str
    imported: frozenset[str]


@functools.cache
def _own(kind: type) -> _Own:
    """Read once a class: a file that changes later is not what runs here."""
    files, imported = own_files(kind.__module__)
    return _Own(digest_of_files(files) if files else "", imported)
