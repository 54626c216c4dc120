"""What the environments have in common: their cells, spaces and steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from quedge.errors import not_allowed, one_of
from quedge.files.scenario import read_scenario
from quedge.model.kernels import Floats32
from quedge.model.scenario import Scenario
from quedge.simulation.processes import ArrivalProcess, ChannelProcess
from quedge.simulation.vector_cells.action import Actions
from quedge.simulation.vector_cells.cells import VectorCells
from quedge.simulation.vector_cells.observation import Reward, observation_bounds

ScenarioLike = Scenario | str | Path | None
"""A scenario, a scenario file, or None for the paper's cell."""

FRAMES = 1_000
"""Default number of frames of an episode."""

_Choice = TypeVar("_Choice", bound=StrEnum)


def make_cells(
    scenario: ScenarioLike, cells: int, frames: int, actions: str, reward: str, channel: ChannelProcess | None,
    arrivals: ArrivalProcess | None,
) -> VectorCells:  # fmt: skip
    """The cells of an environment; arguments and errors as there."""
    if scenario is None or isinstance(scenario, (str, Path)):
        scenario = read_scenario(scenario).scenario
    if not isinstance(scenario, Scenario):
        raise not_allowed("scenario", scenario, "a Scenario or a scenario file")
    chosen = choice("actions", Actions, actions), choice("reward", Reward, reward)
    return VectorCells(scenario, cells, frames, *chosen, channel, arrivals)


def choice(argument: str, kind: type[_Choice], name: str) -> _Choice:
    """One of a kind by its name; a ValueError names the argument and what is allowed."""
    try:
        return kind(name)
    except ValueError:
        raise not_allowed(argument, name, one_of(kind)) from None


def spaces_of(cells: VectorCells) -> tuple[spaces.Box, spaces.MultiBinary | spaces.MultiDiscrete | spaces.Box]:
    """What is observed of one cell, and what its action may be; see `fill_observation` and `Actions`."""
    devices = cells.scenario.devices
    observed = spaces.Box(*observation_bounds(cells.scenario), dtype=np.float32)
    if cells.actions is Actions.OFFLOAD:
        return observed, spaces.MultiBinary(devices)
    if cells.actions is Actions.MULTIDISCRETE:
        return observed, spaces.MultiDiscrete(np.full(devices, 2))
    return observed, spaces.Box(-1.0, 1.0, (cells.actions.width(devices),), np.float32)


def step_cells(
    cells: VectorCells, actions: Any, optimum: bool
) -> tuple[Mapping[str, NDArray[Any]], Floats32, NDArray[np.float64]]:
    """Step all cells by one action each; with the frame's optimum where it is wanted.

    Returns:
        The frame by the names of a trace, one array over the cells each, with estimates and promises only in imperfect
        worlds; the next observations; the rewards.
    """
    state, frame = cells.states(), cells.frame
    best = cells.optimum() if optimum else None
    result, seen = cells.step(actions)
    info: dict[str, NDArray[Any]] = {"frame": np.full(cells.cells, frame), **state._asdict(), **result._asdict()}
    info = {name: values for name, values in info.items() if values.size > 0}
    reward = info.pop("reward")
    if cells.as_assumed:
        for name in ("channel_estimate", "promised_rate_mbps", "promised_objective"):
            del info[name]
    if best is not None:
        info["optimal_objective"], info["upper_bound"] = best
        info["gap"] = gap(result.promised_objective, best.objective)
    return info, seen, reward


def gap(objective: NDArray[np.float64], optimal_objective: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 − promised objective over its optimum; where the optimum is 0, 0 if it was reached, else 1."""
    lost = np.where(objective >= 0.0, 0.0, 1.0)
    return np.divide(optimal_objective - objective, optimal_objective, out=lost, where=optimal_objective > 0.0)


def with_frames(spec: EnvSpec | None, frames: int) -> EnvSpec | None:
    """What an environment was made from, with the frames of its episodes where it says none."""
    if spec is None or spec.max_episode_steps is not None:
        return spec
    return dataclasses.replace(spec, max_episode_steps=frames)
