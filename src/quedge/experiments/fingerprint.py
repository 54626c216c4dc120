"""Names for cells by what determines them: the same cell has the same name in every process, on every machine."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from quedge.experiments import sources
from quedge.experiments.job import Job
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.model.security import SUITE_KEYS
from quedge.pqc.costs import traffic_of

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
    ours = {kind.__module__ for kind in made_of if sources.is_of_the_package(kind.__module__)}
    own = [_own(kind) for kind in made_of if not sources.is_of_the_package(kind.__module__)]
    for each in own:
        ours |= each.imported
    return " ".join((sources.package_digest(frozenset(ours), sources.PACKAGE), *sorted({each.digest for each in own})))


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
    if sources.is_of_the_package(kind.__module__):
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
    files, imported = sources.own_files(kind.__module__)
    return _Own(sources.digest_of_files(files) if files else "", imported)
