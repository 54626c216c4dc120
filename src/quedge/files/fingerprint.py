"""Settings as plain JSON values that cover the code behind them, a user's own modules included."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from quedge.model.scenario import PARAMETERS, Scenario
from quedge.model.security import SUITE_KEYS

ROOT = "quedge"
_INSTALLED = ("site-packages", "dist-packages")
_DIGEST_BYTES = 6

_TYPES_ONLY = re.compile(r"^([ \t]*)if [\w.]*TYPE_CHECKING:[ \t]*\n(?:\1[ \t]+[^\n]*\n|[ \t]*\n)*", re.MULTILINE)
_IMPORT = re.compile(
    r"(?:^|[;:])[ \t\f]*(?:from[ \t]*([\w.]+)[ \t]*import\b[ \t]*(\([^)]*\)|[^\n;]*)|import[ \t]+([^\n;]+))",
    re.MULTILINE,
)
_NAME = re.compile(r"([\w.]+)(?:\s+as\s+\w+)?")


def plain(value: Any) -> Any:
    """A value as JSON has it; objects as the name of their class with their fields.

    Raises:
        ValueError: an object that is no dataclass, so that what it depends on is unknown.
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
    """A class by its name; outside this package also by a digest of the files that decide it."""
    name = {"class": f"{kind.__module__}.{kind.__qualname__}"}
    if is_of_the_package(kind.__module__):
        return name
    digest = own_code(kind).digest
    return name | {"source": digest} if digest else name


ADDED_KEYS = (
    "cells", "cell_distance_m", "assumed_interference", "frequency_levels", "idle_power_w", "battery_j", "harvest_w",
    "server_frequency_hz", "server_cycles_per_bit", "result_ratio", "downlink_mbps", "outage_probability",
    "rate_adaptation", "offloading", "subchannels", "group_size_max", "frequency_selective",
)  # fmt: skip
"""Keys that scenarios did not have at first: states and findings of before do not know them, and mean the defaults."""


def scenario_object(scenario: Scenario) -> dict[str, Any]:
    """A scenario's keys as JSON has them, with defaults filled in and a suite as the constants that follow from it.

    Added keys with their defaults are left out, so that what was stored before they were there stays what it is.
    """
    names = [name for name in PARAMETERS if name not in SUITE_KEYS]
    left_out = {name for name in ADDED_KEYS if getattr(scenario, name) == getattr(Scenario, name)}
    return {name: _resolved(scenario, name) for name in names if name not in left_out}


def _resolved(scenario: Scenario, name: str) -> Any:
    """A key's value; one number where all devices have the same, None where it is left out."""
    left_out = getattr(scenario, name) is None and PARAMETERS[name].example is not None
    if left_out or not PARAMETERS[name].per_device:
        return getattr(scenario, name)
    values = scenario.per_device(name)
    return float(values[0]) if (values == values[0]).all() else values.tolist()


class OwnCode(NamedTuple):
    """The code that decides a class of a user's own.

    Attributes:
        digest: of its files; empty where there are none, as in a notebook.
        imported: names that they import from this package.
    """

    digest: str
    imported: frozenset[str]


@functools.cache
def own_code(kind: type) -> OwnCode:
    """The code of a class outside this package, read once: files that change later are not what runs here."""
    files, imported = own_files(kind.__module__)
    return OwnCode(digest_of_files(files) if files else "", imported)


class OwnFiles(NamedTuple):
    """The files that decide a module outside this package.

    Attributes:
        files: the module's file and those that it imports from beside it, by their place in the folder that holds its
            top-level module or package; of an installed package, the package's files alone.
        imported: names that these files import from this package.
    """

    files: dict[str, Path]
    imported: frozenset[str]


def own_files(module: str) -> OwnFiles:
    """The files that decide a loaded module outside this package; none where it has no file, as in a notebook."""
    loaded = sys.modules.get(module)
    start = Path(getattr(loaded, "__file__", None) or "")
    if not start.is_file():
        return OwnFiles({}, frozenset())
    spec = getattr(loaded, "__spec__", None)  # a script, which is called __main__, has none
    folder, parts = _place(start, start.stem if spec is None else spec.name)
    found, imported = {start}, set()
    waiting = [start, *files_of(folder, parts)]
    while waiting:
        path = waiting.pop()
        found.add(path)
        if path.suffix != ".py":
            continue
        for name in imported_names(text_of(path), path.relative_to(folder).parent.parts):
            if is_of_the_package(name):
                imported.add(name)
            elif folder.name not in _INSTALLED or name.partition(".")[0] == parts[0]:
                waiting += [file for file in files_of(folder, name.split(".")) if file not in found]
    return OwnFiles({path.relative_to(folder).as_posix(): path for path in found}, frozenset(imported))


def _place(file: Path, name: str) -> tuple[Path, list[str]]:
    """The folder from which a module is imported, and the parts of its name."""
    parts = name.split(".")
    place = file.parent if file.name == "__init__.py" else file.with_suffix("")
    if list(place.parts[-len(parts) :]) == parts:
        return place.parents[len(parts) - 1], parts
    return file.parent, [file.stem]  # loaded under a name that is not its file's


def is_of_the_package(module: str) -> bool:
    """Whether a module, or a name in it, is this package's."""
    return module.partition(".")[0] == ROOT


def imported_names(text: str, package: tuple[str, ...]) -> Iterator[str]:
    """Full names of all modules that a source imports, and of what it takes from them, which may be modules, too.

    Relative imports start from `package`, in which it stands.
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


def files_of(folder: Path, parts: list[str]) -> Iterator[Path]:
    """The files that importing a name from a folder runs: the packages' `__init__.py`, and the module."""
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


def text_of(path: Path) -> str:
    """A source's text."""
    return path.read_text(encoding="utf-8", errors="replace")


def digest_of_files(files: dict[str, Path]) -> str:
    """A digest of files and of the names under which they are known."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
