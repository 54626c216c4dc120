"""An agent's file: what it has learned, and where its training stands.

Everything in it is checked before anything is made of it; `agent_storage.py` says how it is stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.training import Training
from quedge.experiments.whole_file import whole_file
from quedge.interfaces.agent_storage import Parts, as_array, read_parts, stored_parts
from quedge.interfaces.course import Course
from quedge.interfaces.lydroo_settings import LEARNERS, converted, lydroo_of_object
from quedge.model.extras import MissingExtraError
from quedge.model.ranges import DATA_QUEUE_MBIT, ENERGY_QUEUE
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.policy.lydroo import AgentState, Lydroo, TrainedLydroo
from quedge.simulation.trace import RunState

_FORMAT, _VERSION, _UNNAMED = "quedge-agent", 2, 1
"""Files of version 1 are read, too: `converted` says how."""
_PARTS = ("format", "version", "course", "weights", "moments", "replay", "standing", "queues")
_Layout = dict[str, tuple[tuple[int, ...], Any]]
"""Shape and type of each of a file's arrays."""


class AgentFile(NamedTuple):
    """What an agent's file holds.

    Attributes:
        course: the training's course.
        settings: the agent's settings.
        state: where the agent stands.
        run: where the run stands.
    """

    course: Course
    settings: Lydroo
    state: AgentState
    run: RunState

    def resume(self) -> Training:
        """The training, to be gone on with."""
        return Training(self.settings.resume(self.state), self.state.frames, self.run)

    def policy(self) -> TrainedLydroo:
        """The agent as a policy that learns no more."""
        return TrainedLydroo(self.settings, self.state.weights, self.state.devices)


def save_agent(path: Path, course: Course, training: Training) -> None:
    """Write where a training stands, as a whole or not at all; the file's ending is one that `check_storage` allows.

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
        "course": json.dumps(course._asdict()),
        "weights": state.weights,
        "moments": state.moments,
        "replay": state.replay,
        "standing": json.dumps(standing),
        "queues": {"data_queue_mbit": training.run.data_queue_mbit, "energy_queue": training.run.energy_queue},
    }
    stored = stored_parts(content, path.suffix)
    with whole_file(path) as file:
        file.write(stored)


def read_agent(path: Path) -> AgentFile:
    """Read an agent's file.

    Raises:
        ValueError: it cannot be read or is not such a file; the message names it.
        MissingExtraError: it is in PyTorch's format, and PyTorch is not installed.
    """
    try:
        held = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        content = read_parts(held)
        if content["format"] != _FORMAT:
            raise ValueError
    except MissingExtraError:
        raise
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
    course = Course(**json.loads(content["course"]))
    if content["version"] == _UNNAMED:
        policy, plain = converted(course.policy, course.settings)
        course = course._replace(policy=policy, settings=plain)
    _require(course.policy in LEARNERS, f"policy: {course.policy!r} is none of {', '.join(LEARNERS)}")
    settings = lydroo_of_object(course.settings)
    unknown = course.scenario.keys() - PARAMETERS.keys()
    _require(not unknown, f"its scenario has unknown keys: {', '.join(sorted(unknown))}")
    devices = Scenario(devices=course.scenario["devices"]).devices
    standing = json.loads(content["standing"])
    frames = _count(standing["frames"], course.frames, "frames")
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
    queues = _arrays(content["queues"], dict.fromkeys(("data_queue_mbit", "energy_queue"), ((devices,), np.float64)))
    for name, allowed in (("data_queue_mbit", DATA_QUEUE_MBIT), ("energy_queue", ENERGY_QUEUE)):
        _require(not allowed.excludes(queues[name]).any(), f"{name}: must be {allowed.allowed}")
    return AgentFile(course, settings, state, RunState(**queues, random_state=standing["random_state"]))


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
        array = as_array(stored[name])
        _require(
            array.shape == shape and array.dtype == kind and bool(np.isfinite(array).all()),
            f"{name}: must be a finite array of shape {shape} and type {np.dtype(kind)}",
        )
        arrays[name] = array
    return arrays


def _count(value: Any, most: int, name: str) -> int:
    _require(
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most,
        f"{name}: {value!r} is not allowed; it must be an integer, from 0 to {most}",
    )
    return int(value)


def _require(fine: bool, complaint: str) -> None:
    if not fine:
        raise ValueError(complaint)
