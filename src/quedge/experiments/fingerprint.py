"""Names for cells by what determines them: the same cell has the same name in every process, on every machine."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from quedge.experiments.job import Job
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.model.security import SUITE_KEYS

_PACKAGE = Path(__file__).parent.parent
_DECIDING = ("model", "allocation", "policy", "simulation", "data", "experiments/probes", "experiments/ppo")
_NAME_BYTES = 12


def determinants(job: Job) -> dict[str, Any]:
    """All that the findings of a job depend on, as plain JSON values.

    Raises:
        ValueError: a policy, probe or process that is no dataclass, so that nobody can tell what it depends on.
    """
    return {
        "scenario": scenario_object(job.scenario),
        "policy": plain(job.policy),
        "seed": job.seed,
        "frames": job.frames,
        "probe": plain(job.probe),
        "channel": plain(job.channel),
        "arrivals": plain(job.arrivals),
        "code": code_version(),
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


@functools.cache
def code_version() -> str:
    """A digest of the sources and data that findings depend on; figures and commands can change without it."""
    digest = hashlib.blake2b(digest_size=6)
    for part in _DECIDING:
        for path in sorted((_PACKAGE / part).rglob("*")):
            if path.suffix in (".py", ".npz", ".mat"):
                digest.update(path.relative_to(_PACKAGE).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


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
    """A class by its name, and by the file that it comes from where that is none of the package's."""
    name = {"class": f"{kind.__module__}.{kind.__qualname__}"}
    if kind.__module__.partition(".")[0] == "quedge":
        return name  # its code is part of the code version
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return name if file is None else name | {"source": _digest_of(Path(file))}


def _digest_of(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=6).hexdigest()
