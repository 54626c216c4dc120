"""Names for jobs by what determines their findings, the sources that compute them included."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import quedge
from quedge.experiments.job import Job
from quedge.files import fingerprint
from quedge.model.scenario import Scenario
from quedge.pqc.costs import traffic_of

PACKAGE = Path(__file__).parent.parent

_DATA = ("data/**/*", "*/data/**/*")
_NAME_BYTES = 12


def name_of(job: Job) -> str:
    """A job's name: it changes with anything that its findings depend on; a ValueError: see `determinants`."""
    return digest_of(determinants(job))


def digest_of(determined_by: Mapping[str, Any]) -> str:
    """The name of the job that `determinants` gave."""
    text = json.dumps(determined_by, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=_NAME_BYTES).hexdigest()


def determinants(job: Job) -> dict[str, Any]:
    """All that the findings of a job depend on, as plain JSON values.

    Raises:
        ValueError: a policy, probe or process that is no dataclass, so that what it depends on is unknown.
    """
    return {
        "scenario": fingerprint.scenario_object(job.scenario),
        "sends": _sends(job.scenario),
        "policy": fingerprint.plain(job.policy),
        "seed": job.seed,
        "frames": job.frames,
        "probe": fingerprint.plain(job.probe),
        "channel": fingerprint.plain(job.channel),
        "arrivals": fingerprint.plain(job.arrivals),
        "code": code_version(job),
    }


def _sends(scenario: Scenario) -> Any:
    """What a scenario's suite sends, record by record, which a probe may count beside the constants."""
    return (
        None if scenario.secured_by is None else fingerprint.plain(traffic_of(scenario.secured_by, scenario.profiles))
    )


def code_version(job: Job) -> str:
    """A digest of the sources and data that a job's findings depend on; figures and commands are not among them.

    They are the files of the classes that the job is made of, and of all that these import, as they were when this
    process first asked for them.
    """
    made_of = {type(job), *_kinds((job.policy, job.probe, job.channel, job.arrivals))}
    ours = {kind.__module__ for kind in made_of if fingerprint.is_of_the_package(kind.__module__)}
    own = [fingerprint.own_code(kind) for kind in made_of if not fingerprint.is_of_the_package(kind.__module__)]
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


@functools.cache
def package_digest(modules: frozenset[str], package: Path) -> str:
    """A digest of `deciding_files`, as they were when it was first asked for."""
    files = deciding_files(modules, package)
    return fingerprint.digest_of_files({path.relative_to(package).as_posix(): path for path in files})


def deciding_files(modules: Iterable[str], package: Path) -> list[Path]:
    """The sources of this package that modules of it reach by imports, and the data files that these name.

    The root's `__init__.py`, which only gathers names, is among them where one of its names is taken.
    """
    sources: set[Path] = set()
    waiting = [path for module in modules for path in _package_files(package, module)]
    while waiting:
        path = waiting.pop()
        if path not in sources:
            sources.add(path)
            waiting += _reached(path, package)
    return sorted(sources.union(*(_named_data(source, package) for source in sources)))


@functools.cache
def _reached(path: Path, package: Path) -> list[Path]:
    """The files of the package that the imports of one of its sources run."""
    names = set(
        fingerprint.imported_names(
            fingerprint.text_of(path), (fingerprint.ROOT, *path.relative_to(package).parent.parts)
        )
    )
    if path == package / "__init__.py":  # it loads what it gathers when that is asked for
        names |= {f"{fingerprint.ROOT}.{quedge._PLACES[name]}" for name in quedge.__all__}
    return [file for name in names if fingerprint.is_of_the_package(name) for file in _package_files(package, name)]


@functools.cache
def _named_data(path: Path, package: Path) -> list[Path]:
    """The data files that a source names."""
    text = fingerprint.text_of(path)
    return [file for file in _data_files(package) if file.name in text]


@functools.cache
def _data_files(package: Path) -> list[Path]:
    return [path for pattern in _DATA for path in package.glob(pattern) if path.is_file()]


@functools.cache
def _package_files(package: Path, name: str) -> list[Path]:
    """The files of the package that importing a name in it runs."""
    return list(fingerprint.files_of(package, name.split(".")[1:])) or [package / "__init__.py"]
