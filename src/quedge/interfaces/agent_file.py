"""An agent's file: what it has learned, and where its training stands.

The file is PyTorch's own format, read weights-only: arrays and plain values, never code.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.training import Training
from quedge.interfaces.lydroo_settings import CRITICS, lydroo_of_object, settings_object
from quedge.interfaces.whole_file import whole_file
from quedge.model.extras import MissingExtraError
from quedge.model.scenario import Scenario
from quedge.policy.lydroo import AgentState, Lydroo, TrainedLydroo
from quedge.simulation.trace import RunState

_FORMAT, _VERSION = "quedge-agent", 1


class Course(NamedTuple):
    """What determines a training; only the same course can be gone on with.

    Attributes:
        policy: the policy's name.
        settings: the agent's settings as plain values.
        scenario: the scenario's keys.
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

    def check_same(self, other: Course, path: Path) -> None:
        """Refuse to go on with this course, which stands in a file, by another one.

        Raises:
            ValueError: naming the file and the first thing in which they differ.
        """
        if self.world != other.world and self._replace(world=other.world) == other:
            raise ValueError(f"{path}: was trained with other channel gains or arrivals")
        for name, here, there in zip(self._fields, self, other, strict=True):
            if isinstance(here, dict) and isinstance(there, dict) and here != there:
                name = next(key for key in here if here[key] != there[key])
                here, there = here[name], there[name]
            if here != there:
                raise ValueError(f"{path}: was trained with {name} = {here}, not {there}; give the same command again")


class AgentFile(NamedTuple):
    """What an agent's file holds.

    Attributes:
        course: the training's course.
        settings: the agent's settings, with the critic of its policy.
        state: where the agent stands.
        done: number of frames decided.
        run: where the run stands.
    """

    course: Course
    settings: Lydroo
    state: AgentState
    done: int
    run: RunState

    def resume(self) -> Training:
        """The training, to be gone on with."""
        return Training(self.settings.resume(self.state), self.done, self.run)

    def policy(self) -> TrainedLydroo:
        """The agent as a policy that learns no more."""
        return TrainedLydroo(self.settings, self.state.weights, self.state.devices)


def course_of(policy: str, settings: Lydroo, scenario: Scenario, seed: int, frames: int, world: str) -> Course:
    """A training's course in plain values, as a file gives it back."""
    keys = {field.name: getattr(scenario, field.name) for field in dataclasses.fields(scenario)}
    plain = json.loads(json.dumps({"settings": settings_object(settings), "scenario": keys}))
    return Course(policy, plain["settings"], plain["scenario"], seed, frames, world)


def save_agent(path: Path, course: Course, training: Training) -> None:
    """Write where a training stands, as a whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    import torch

    state = training.agent.state()

    def tensors(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        return {name: torch.from_numpy(np.array(values, order="C")) for name, values in arrays.items()}

    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "course": json.dumps(course._asdict()),
        "weights": tensors(state.weights),
        "moments": tensors(state.moments),
        "replay": tensors(state.replay),
        "standing": json.dumps(
            {
                "candidates": state.candidates,
                "winners": state.winners,
                "frames": state.frames,
                "done": training.frames,
                "random_state": training.run.random_state,
            }
        ),
        "queues": tensors({"data_queue_mbit": training.run.data_queue_mbit, "energy_queue": training.run.energy_queue}),
    }
    with whole_file(path) as file:
        torch.save(content, file)


def read_agent(path: Path) -> AgentFile:
    """Read an agent's file.

    Raises:
        ValueError: it cannot be read or is not such a file; the message names it.
        MissingExtraError: PyTorch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("an agent's file", "PyTorch", "learn")
    import torch

    try:
        held = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        content = torch.load(held, map_location="cpu", weights_only=True)
    except Exception:  # what is no such file fails in as many ways as there are files
        raise ValueError(f"{path}: is not an agent's file; `quedge train` makes one") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"{path}: is not an agent's file; `quedge train` makes one")
    if content.get("version") != _VERSION:
        raise ValueError(f"{path}: is of version {content.get('version')!r}; this quedge reads version {_VERSION}")
    try:
        return _checked(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: is a damaged agent's file: {error}") from None


def _checked(content: Mapping[str, Any]) -> AgentFile:
    course = Course(**json.loads(content["course"]))
    if course.policy not in CRITICS:
        raise ValueError(f"policy: {course.policy!r} is none of {', '.join(CRITICS)}")
    settings = dataclasses.replace(lydroo_of_object(course.settings), allocator=CRITICS[course.policy])
    scenario = Scenario(**course.scenario)
    standing = json.loads(content["standing"])
    devices, features = scenario.devices, settings.inputs.features
    shapes = settings.actor.shapes(devices, features)
    weights = _arrays(content["weights"], shapes, np.float32)
    moments: dict[str, NDArray[Any]] = {}
    if content["moments"]:
        expected = {f"{name}:{moment}": shape for name, shape in shapes.items() for moment in ("exp_avg", "exp_avg_sq")}
        moments = _arrays(content["moments"], expected | {f"{name}:step": () for name in shapes}, np.float32)
    held = int(content["replay"]["devices"].shape[0])
    if held > settings.memory:
        raise ValueError(f"replay: {held} frames are more than its memory of {settings.memory}")
    width = devices if held else 0
    replay = {
        **_arrays(_part(content["replay"], "features"), {"features": (held, width, features)}, np.float32),
        **_arrays(_part(content["replay"], "offload"), {"offload": (held, width)}, np.float32),
        **_arrays(_part(content["replay"], "devices"), {"devices": (held,)}, np.int64),
        **_arrays(_part(content["replay"], "added"), {"added": ()}, np.int64),
    }
    if held and not (replay["devices"] == devices).all():
        raise ValueError("replay: frames of another number of devices")
    queues = _arrays(content["queues"], dict.fromkeys(("data_queue_mbit", "energy_queue"), (devices,)), np.float64)
    np.random.default_rng().bit_generator.state = standing["random_state"]  # refuses what is no such state
    state = AgentState(
        devices, weights, moments, replay, _count(standing, "candidates"),
        [int(winner) for winner in standing["winners"]], _count(standing, "frames"),
    )  # fmt: skip
    run = RunState(queues["data_queue_mbit"], queues["energy_queue"], standing["random_state"])
    return AgentFile(course, settings, state, _count(standing, "done"), run)


def _part(tensors: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {name: tensors[name]}


def _arrays(tensors: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], kind: Any) -> dict[str, NDArray[Any]]:
    """Tensors as arrays in the order of `shapes`, each of its shape and kind and finite."""
    if tensors.keys() != shapes.keys():
        raise ValueError(f"{sorted(tensors)} are not {sorted(shapes)}")
    arrays = {}
    for name, shape in shapes.items():
        array = tensors[name].numpy()
        if array.shape != shape or array.dtype != kind or not np.isfinite(array).all():
            raise ValueError(f"{name}: is not a finite array of shape {shape} and type {np.dtype(kind)}")
        arrays[name] = array
    return arrays


def _count(standing: Mapping[str, Any], name: str) -> int:
    value = standing[name]
    if not isinstance(value, int) or not 0 <= value < math.inf:
        raise ValueError(f"{name}: {value!r} is not a count")
    return value
