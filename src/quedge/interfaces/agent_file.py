"""An agent's file: what it has learned, and where its training stands.

The file is PyTorch's own format, read weights-only: arrays and plain values, never code. Everything in it is checked
before anything is made of it.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.training import Training
from quedge.experiments.whole_file import whole_file
from quedge.interfaces.course import Course
from quedge.interfaces.lydroo_settings import CRITICS, lydroo_of_object
from quedge.model.extras import check_pytorch
from quedge.model.ranges import DATA_QUEUE_MBIT, ENERGY_QUEUE
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.policy.lydroo import AgentState, Lydroo, TrainedLydroo
from quedge.simulation.trace import RunState

_FORMAT, _VERSION = "quedge-agent", 1
_PARTS = ("format", "version", "course", "weights", "moments", "replay", "standing", "queues")
_Layout = dict[str, tuple[tuple[int, ...], Any]]
"""Shape and type of each of a file's arrays."""


class AgentFile(NamedTuple):
    """What an agent's file holds.

    Attributes:
        course: the training's course.
        settings: the agent's settings, with the critic of its policy.
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
    """Write where a training stands, as a whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    import torch

    def tensors(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        return {name: torch.from_numpy(np.array(values, order="C")) for name, values in arrays.items()}

    state = training.agent.state()
    standing = {
        "candidates": state.candidates,
        "winners": state.winners,
        "frames": training.frames,
        "random_state": training.run.random_state,
    }
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "course": json.dumps(course._asdict()),
        "weights": tensors(state.weights),
        "moments": tensors(state.moments),
        "replay": tensors(state.replay),
        "standing": json.dumps(standing),
        "queues": tensors({"data_queue_mbit": training.run.data_queue_mbit, "energy_queue": training.run.energy_queue}),
    }
    written = io.BytesIO()  # PyTorch hides what goes wrong with a file
    torch.save(content, written)
    with whole_file(path) as file:
        file.write(written.getbuffer())


def read_agent(path: Path) -> AgentFile:
    """Read an agent's file.

    Raises:
        ValueError: it cannot be read or is not such a file; the message names it.
        MissingExtraError: PyTorch is not installed.
    """
    check_pytorch("an agent's file")
    import torch

    try:
        held = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        with zipfile.ZipFile(io.BytesIO(held)) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError  # what is small here could be vast in memory
        content = torch.load(io.BytesIO(held), map_location="cpu", weights_only=True)
        if content["format"] != _FORMAT:
            raise ValueError
    except Exception:  # what is no such file fails in as many ways as there are files
        raise ValueError(f"{path}: is not an agent's file; `quedge train` makes one") from None
    try:
        if content["version"] != _VERSION:
            raise ValueError(f"it is of version {content['version']!r}, and this quedge reads version {_VERSION}")
        return _checked(content)
    except Exception as error:  # so does a damaged one
        raise ValueError(f"{path}: is an agent's file that cannot be used: {error}") from None


def _checked(content: Mapping[str, Any]) -> AgentFile:
    _require(content.keys() == set(_PARTS), f"its parts are {', '.join(content)}")
    course = Course(**json.loads(content["course"]))
    _require(course.policy in CRITICS, f"policy: {course.policy!r} is none of {', '.join(CRITICS)}")
    settings = dataclasses.replace(lydroo_of_object(course.settings), allocator=CRITICS[course.policy])
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


def _checked_moments(tensors: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    """Adam's memory; there is none before its first step."""
    if not tensors:
        return {}
    layout: _Layout = {}
    for name, shape in shapes.items():
        layout |= {f"{name}:step": ((), np.float32)}
        layout |= {f"{name}:{moment}": (shape, np.float32) for moment in ("exp_avg", "exp_avg_sq")}
    moments = _arrays(tensors, layout)
    for name, values in moments.items():
        _require(name.endswith("exp_avg") or bool((values >= 0.0).all()), f"{name}: must not be negative")
    return moments


def _checked_replay(tensors: Mapping[str, Any], settings: Lydroo, devices: int, frames: int) -> dict[str, NDArray[Any]]:
    """The memory after so many frames of one cell."""
    held = min(frames, settings.memory)
    width = devices if held else 0
    replay = _arrays(
        tensors,
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


def _arrays(tensors: Mapping[str, Any], layout: _Layout) -> dict[str, NDArray[Any]]:
    """Tensors as arrays in the order of the layout, each finite and holding its own numbers."""
    _require(tensors.keys() == layout.keys(), f"{sorted(tensors)} are not {sorted(layout)}")
    arrays = {}
    for name, (shape, kind) in layout.items():
        tensor = tensors[name].detach()
        own = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()  # not one number many times
        fits = tuple(tensor.shape) == shape and tensor.is_contiguous() and own
        array = tensor.numpy() if fits else np.empty(0)
        _require(
            fits and array.dtype == kind and bool(np.isfinite(array).all()),
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
