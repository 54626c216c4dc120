"""`quedge doctor`: what is installed, what is missing and how to get it, and what keeps quedge from running well."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NamedTuple

import typer

from quedge import __version__
from quedge.cli.options import AsJson

_FOR_DEVELOPERS = {"docs", "package", "test"}
_REQUIREMENT = re.compile(r"""^([\w.-]+)\s*(?:>=\s*([\w.]+))?[^;]*(?:;.*extra\s*==\s*['"]([\w-]+)['"])?""")
_THREADS = re.compile(r"^[A-Z]+_NUM_THREADS$")


class Requirement(NamedTuple):
    """A library that quedge, or one of its extras, asks for.

    Attributes:
        library: its name.
        least: its oldest version that is allowed; empty where any is.
        extra: the extra that asks for it; empty where quedge itself does.
    """

    library: str
    least: str
    extra: str

    def installed(self) -> str | None:
        """The version that is installed; None where there is none."""
        try:
            return importlib.metadata.version(self.library)
        except importlib.metadata.PackageNotFoundError:
            return None

    def lack(self) -> str | None:
        """What is wrong with it; None where it is installed and new enough."""
        found = self.installed()
        if found is None:
            return f"{self.library} is not installed"
        if _numbers(found) < _numbers(self.least):
            return f"{self.library} {found} is older than {self.least}"
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with, without zeros at the end."""
    numbers = [int(each) for each in re.findall(r"\d+", re.match(r"[\d.]*", version).group())]  # type: ignore[union-attr]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def requirements_of(lines: Iterable[str]) -> Iterator[Requirement]:
    """The requirements that the lines of a distribution's metadata state, but for those of its developers."""
    for line in lines:
        if (match := _REQUIREMENT.match(line)) and match[1] != "quedge" and match[3] not in _FOR_DEVELOPERS:
            yield Requirement(match[1], match[2] or "", match[3] or "")


def doctor(
    licences: Annotated[
        bool, typer.Option("--licences", help="Tell the licence of each library instead, as its metadata has it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell which libraries and extras are installed, how to get what is missing, and where machine code is kept.

    Ends with 1 where something is broken that quedge needs.
    """
    if licences:
        told = licences_of(_required())
        print(json.dumps(told) if as_json else "\n".join(f"{name}: {licence}" for name, licence in told.items()))
        return
    found = examination()
    if as_json:
        print(json.dumps(found, allow_nan=False))
    else:
        print("\n".join(_lines(found)))
    if found["problems"]:
        raise typer.Exit(1)


def examination() -> dict[str, Any]:
    """What `--json` tells."""
    required = _required()
    needed = [each for each in required if not each.extra]
    folder, problems = _machine_code_folder()
    extras: dict[str, Any] = {}
    for name in sorted({each.extra for each in required if each.extra}):
        lacks = [lack for each in required if each.extra == name and (lack := each.lack()) is not None]
        extras[name] = {"installed": not lacks, "missing": lacks, "install": f"pip install 'quedge[{name}]'"}
    return {
        "quedge": __version__,
        "installed_as_a_package": bool(required),
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "system": platform.platform(),
        "libraries": {each.library: each.installed() for each in sorted(set(required), key=lambda each: each.library)},
        "extras": extras,
        "machine_code_folder": folder,
        "cores": {"usable": _usable_cores(), "of_the_machine": os.cpu_count()},
        "threads": {name: value for name, value in sorted(os.environ.items()) if _THREADS.match(name)},
        "problems": [lack for each in needed if (lack := each.lack()) is not None] + problems,
    }


def _required() -> list[Requirement]:
    """What quedge and its extras ask for; nothing where it is run from its sources."""
    try:
        return list(requirements_of(importlib.metadata.requires("quedge") or ()))
    except importlib.metadata.PackageNotFoundError:
        return []


def licences_of(required: Iterable[Requirement]) -> dict[str, str]:
    """The licence of each library that is installed, of quedge first, by name; and which are not installed."""
    found = {}
    for library in ("quedge", *sorted({each.library for each in required})):
        try:
            found[library] = _licence(importlib.metadata.metadata(library))
        except importlib.metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found


def _licence(metadata: Any) -> str:
    """The licence that metadata states: as an expression, by its classifiers, or the first line of a text."""
    if metadata["License-Expression"]:
        return str(metadata["License-Expression"])
    kinds = [
        each.rsplit(" :: ", 1)[-1] for each in metadata.get_all("Classifier") or () if each.startswith("License ::")
    ]
    if kinds:
        return ", ".join(kinds)
    return str(metadata["License"] or "not stated").strip().splitlines()[0]


def _usable_cores() -> int | None:
    """The cores that this process may run on, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _machine_code_folder() -> tuple[str | None, list[str]]:
    """Where machine code is kept, and what is wrong with that."""
    try:
        kernel_cache = importlib.import_module("quedge.model.kernel_cache")
    except ImportError as error:
        return None, [f"the compiler cannot be loaded: {error}"]
    folder = kernel_cache.machine_code_folder()
    if folder is None:
        return None, ["machine code cannot be kept: no folder for it can be written (NUMBA_CACHE_DIR)"]
    return str(folder), []


def _lines(found: dict[str, Any]) -> Iterator[str]:
    """What people read."""
    python, cores = found["python"], found["cores"]
    yield f"quedge {found['quedge']}, Python {python['version']} ({python['executable']})"
    yield found["system"]
    yield f"cores: {cores['usable']} usable of {cores['of_the_machine']}"
    threads = ", ".join(f"{name}={value}" for name, value in found["threads"].items())
    yield f"threads: {threads or 'as many as cores; no *_NUM_THREADS is set'}"
    yield f"machine code: {found['machine_code_folder'] or 'kept nowhere'}"
    if not found["installed_as_a_package"]:
        yield "libraries and extras: unknown, since quedge is run from its sources and is not installed"
    present = {name: version for name, version in found["libraries"].items() if version is not None}
    if present:
        yield "libraries: " + ", ".join(f"{name} {version}" for name, version in present.items())
        yield "extras installed: " + (
            ", ".join(n for n, each in found["extras"].items() if each["installed"]) or "none"
        )
    for each in found["extras"].values():
        if not each["installed"]:
            yield f"  {each['install']}: {', '.join(each['missing'])}"
    yield from (f"broken: {problem}" for problem in found["problems"])
    if not found["problems"]:
        yield "Nothing that quedge needs is broken."
