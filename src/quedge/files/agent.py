"""An agent's file: what it has learned, where its training stands, and what determines that training."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.errors import is_integer, not_allowed
from quedge.files.atomic import content_of, whole_file
from quedge.files.fingerprint import ADDED_KEYS
from quedge.model.conditions import Conditions
from quedge.model.frame import DATA_QUEUE_MBIT, ENERGY_QUEUE, Range
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.model.security import SUITE_KEYS
from quedge.policy.learners import LEARNERS, converted, lydroo_of_object, settings_object
from quedge.policy.lydroo import AgentState, Lydroo, TrainedLydroo
from quedge.policy.lydroo.archive import Parts, archive_of, parts_of
from quedge.simulation.trace import RunState
from quedge.simulation.training import Training

SUFFIX = ".npz"

_PYTORCH = "in PyTorch's format, which quedge reads no more; docs/lydroo.md has the lines that make .npz of it"


def check_suffix(path: Path) -> None:
    """Refuse a name that does not end in .npz; a ValueError names it."""
    if path.suffix != SUFFIX:
        hint = f"; a .pt file is {_PYTORCH}" if path.suffix == ".pt" else ""
        raise ValueError(f"{path}: is not allowed; it must end in {SUFFIX}{hint}")


class PyTorchFileError(Exception):
    """A file is in PyTorch's format, in which agents were kept before."""


def read_parts(held: bytes) -> dict[str, Any]:
    """The parts of a file, from its bytes.

    Raises:
        PyTorchFileError: it is in PyTorch's format.
        Exception: it is no such file, of any kind.
    """
    with zipfile.ZipFile(io.BytesIO(held)) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("compressed")  # what is small here could be vast in memory
        if any(name.endswith("/data.pkl") for name in archive.namelist()):
            raise PyTorchFileError
    return parts_of(held)


class TrainingConfig(NamedTuple):
    """What determines a training, in plain values.

    Attributes:
        policy: the policy's name.
        settings: the agent's settings.
        scenario: the scenario's keys; the constants of its PQC module as they follow from its suite.
        seed: seed of the random streams.
        frames: number of frames of the whole training.
        world: digest of its channel gains and arrivals.
    """

    policy: str
    settings: dict[str, Any]
    scenario: dict[str, Any]
    seed: int
    frames: int
    world: str

    def difference(self, other: TrainingConfig) -> str | None:
        """The first thing in which another training differs from this one, in words; None where they are the same."""
        for name, here, there in zip(self._fields, self, other, strict=True):
            if name == "world":
                continue  # it follows from the others, but for recorded channels and arrivals
            if isinstance(here, dict) and isinstance(there, dict):
                for key in dict.fromkeys((*here, *there)):
                    if here.get(key) != there.get(key):
                        return f"{key} = {here.get(key)}, not {there.get(key)}"
            elif here != there:
                return f"{name} = {here}, not {there}"
        return None if self.world == other.world else "other channel gains or arrivals"


def training_config(
    policy: str, settings: Lydroo, scenario: Scenario, seed: int, frames: int, world: str
) -> TrainingConfig:
    """What determines a training, as a file gives it back."""
    keys = {name: getattr(scenario, name) for name in (*SUITE_KEYS, *PARAMETERS)} | scenario.derived  # causes first
    plain = json.loads(json.dumps({"settings": settings_object(settings), "scenario": keys}))
    return TrainingConfig(policy, plain["settings"], plain["scenario"], seed, frames, world)


_FORMAT, _VERSION, _UNNAMED = "quedge-agent", 2, 1
"""Files of version 1 are read, too: `converted` says how."""
_LATER_KEYS = {name: getattr(Scenario, name) for name in ("queue_exponent", "deadline_s", *ADDED_KEYS)}
"""Keys that older files do not know, with the values that mean what was done without them."""
_PARTS = ("format", "version", "course", "weights", "moments", "replay", "standing", "queues")
_Layout = dict[str, tuple[tuple[int, ...], Any]]
"""Shape and type of each of a file's arrays."""


class AgentFile(NamedTuple):
    """What an agent's file holds.

    Attributes:
        config: what determines the training.
        settings: the agent's settings.
        state: where the agent stands.
        run: where the run stands.
    """

    config: TrainingConfig
    settings: Lydroo
    state: AgentState
    run: RunState

    def resume(self) -> Training:
        """The training, to be gone on with."""
        return Training(self.settings.resume(self.state), self.state.frames, self.run)

    def policy(self) -> TrainedLydroo:
        """The agent as a policy that learns no more."""
        return TrainedLydroo(self.settings, self.state.weights, self.state.devices)


def save_agent(path: Path, config: TrainingConfig, training: Training) -> None:
    """Write where a training stands, as a whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    state = training.agent.state()
    standing = {
        "candidates": state.candidates,
        "winners": state.winners,
        "frames": training.frames,
        "random_state": training.run.random_state,
    }
    content: Parts = {
        "format": _FORMAT,
        "version": _VERSION,
        "course": json.dumps(config._asdict()),
        "weights": state.weights,
        "moments": state.moments,
        "replay": state.replay,
        "standing": json.dumps(standing),
        "queues": _stored_queues(training.run),
    }
    stored = archive_of(content)
    with whole_file(path) as file:
        file.write(stored)


def read_agent(path: Path) -> AgentFile:
    """Read an agent's file; a ValueError where it cannot be read or is not such a file; the message names it."""
    held = content_of(path)
    try:
        content = read_parts(held)
        if content["format"] != _FORMAT:
            raise ValueError
    except PyTorchFileError:
        raise ValueError(f"{path}: is {_PYTORCH}") from None
    except Exception:  # what is no such file fails in as many ways as there are files
        raise ValueError(f"{path}: is not an agent's file; `quedge train` makes one") from None
    try:
        if content["version"] not in (_VERSION, _UNNAMED):
            raise ValueError(
                f"it is of version {content['version']!r}, and this quedge reads versions {_UNNAMED} and {_VERSION}"
            )
        return _checked(content)
    except Exception as error:  # so does a damaged one
        raise ValueError(f"{path}: is an agent's file that cannot be used: {error}") from None


def _checked(content: Mapping[str, Any]) -> AgentFile:
    _require(content.keys() == set(_PARTS), f"its parts are {', '.join(content)}")
    config = TrainingConfig(**json.loads(content["course"]))
    if content["version"] == _UNNAMED:
        policy, plain = converted(config.policy, config.settings)
        config = config._replace(policy=policy, settings=plain)
    _require(config.policy in LEARNERS, f"policy: {config.policy!r} is none of {', '.join(LEARNERS)}")
    settings = lydroo_of_object(config.settings)
    unknown = config.scenario.keys() - PARAMETERS.keys()
    _require(not unknown, f"its scenario has unknown keys: {', '.join(sorted(unknown))}")
    config = config._replace(scenario=_LATER_KEYS | config.scenario)
    devices = Scenario(devices=config.scenario["devices"]).devices
    standing = json.loads(content["standing"])
    frames = _count(standing["frames"], config.frames, "frames")
    shapes = settings.actor.shapes(devices, settings.inputs.features)
    weights = _arrays(content["weights"], {name: (shape, np.float32) for name, shape in shapes.items()})
    state = AgentState(
        devices,
        weights,
        _checked_moments(content["moments"], shapes),
        _checked_replay(content["replay"], settings, devices, frames),
        _count(standing["candidates"], 10**6, "candidates"),
        [_count(winner, devices - 1, "winners") for winner in standing["winners"]],
        frames,
    )
    _require(len(state.winners) < settings.adapt_every, "winners: too many")
    np.random.default_rng().bit_generator.state = standing["random_state"]  # refuses what is no such state
    run = _checked_queues(content["queues"], config.scenario, devices)._replace(random_state=standing["random_state"])
    return AgentFile(config, settings, state, run)


def _stored_queues(run: RunState) -> dict[str, NDArray[np.float64]]:
    """Queues and conditions by name; what a scenario does not have is left out."""
    conditions = {} if run.conditions is None else run.conditions._asdict()
    stored = {"data_queue_mbit": run.data_queue_mbit, "energy_queue": run.energy_queue} | conditions
    return {name: values for name, values in stored.items() if values.size > 0}


def _checked_queues(stored: Mapping[str, Any], scenario: Mapping[str, Any], devices: int) -> RunState:
    """The same from a file, without a random state."""
    allowed = {"data_queue_mbit": DATA_QUEUE_MBIT, "energy_queue": ENERGY_QUEUE}
    if scenario["battery_j"] is not None:
        allowed["battery_j"] = Range(float(np.max(scenario["battery_j"])))
    if scenario["server_frequency_hz"] is not None:
        allowed["server_queue_mbit"] = DATA_QUEUE_MBIT
    queues = _arrays(stored, dict.fromkeys(allowed, ((devices,), np.float64)))
    for name, values in queues.items():
        _require(not allowed[name].excludes(values).any(), f"{name}: must be {allowed[name].allowed}")
    varied = [queues.pop(name, np.empty(0)) for name in Conditions._fields]
    conditions = Conditions(*varied)
    return RunState(**queues, random_state={}, conditions=conditions if conditions.vary else None)


def _checked_moments(stored: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    """Adam's memory; there is none before its first step."""
    if not stored:
        return {}
    layout: _Layout = {}
    for name, shape in shapes.items():
        layout |= {f"{name}:step": ((), np.float32)}
        layout |= {f"{name}:{moment}": (shape, np.float32) for moment in ("exp_avg", "exp_avg_sq")}
    moments = _arrays(stored, layout)
    for name, values in moments.items():
        _require(name.endswith("exp_avg") or bool((values >= 0.0).all()), f"{name}: must not be negative")
    return moments


def _checked_replay(stored: Mapping[str, Any], settings: Lydroo, devices: int, frames: int) -> dict[str, NDArray[Any]]:
    """The memory after so many frames of one cell."""
    held = min(frames, settings.memory)
    width = devices if held else 0
    replay = _arrays(
        stored,
        {
            "features": ((held, width, settings.inputs.features), np.float32),
            "offload": ((held, width), np.float32),
            "devices": ((held,), np.int64),
            "added": ((), np.int64),
        },
    )
    _require(int(replay["added"]) == frames, f"added: must be {frames}, the number of frames")
    _require(bool((replay["devices"] == devices).all()), f"devices: must be {devices} in every frame")
    _require(bool(np.isin(replay["offload"], (0.0, 1.0)).all()), "offload: must be 0 or 1")
    return replay


def _arrays(stored: Mapping[str, Any], layout: _Layout) -> dict[str, NDArray[Any]]:
    """A group's arrays in the order of the layout, each finite."""
    _require(stored.keys() == layout.keys(), f"{sorted(stored)} are not {sorted(layout)}")
    arrays = {}
    for name, (shape, kind) in layout.items():
        array = stored[name]
        fits = array.shape == shape and array.dtype == kind and array.flags.c_contiguous
        _require(
            fits and bool(np.isfinite(array).all()),
            f"{name}: must be a finite array of shape {shape} and type {np.dtype(kind)}",
        )
        arrays[name] = array
    return arrays


def _count(value: Any, highest: int, name: str) -> int:
    if not (is_integer(value) and 0 <= value <= highest):
        raise not_allowed(name, value, f"an integer, from 0 to {highest}")
    return value


def _require(fine: bool, complaint: str) -> None:
    if not fine:
        raise ValueError(complaint)
