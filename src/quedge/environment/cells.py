"""Cells in Gymnasium: registration, spaces, and what is told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from quedge.errors import check_installed
from quedge.files.scenario import read_scenario
from quedge.model.scenario import Scenario
from quedge.simulation.processes import ArrivalProcess, ChannelProcess
from quedge.simulation.vector_cells.action import Actions
from quedge.simulation.vector_cells.cells import SideBySide
from quedge.simulation.vector_cells.observation import Reward, observation_bounds

ScenarioLike = Scenario | str | Path | None
"""A scenario, a scenario file, or None for the paper's cell."""

FRAMES = 1_000
"""Frames of an episode, where nothing else is said."""

Choice = TypeVar("Choice", bound=StrEnum)


def laid_out(
    scenario: ScenarioLike,
    cells: int,
    frames: int,
    actions: str,
    reward: str,
    channel: ChannelProcess | None,
    arrivals: ArrivalProcess | None,
) -> SideBySide:
    """The cells of an environment.

    Args:
        scenario: the scenario of every cell.
        cells: how many, at least 1.
        frames: frames of an episode, at least 1.
        actions: name of an `Actions`.
        reward: name of a `Reward`.
        channel: where channel gains come from; Rician fading by default.
        arrivals: where arrivals come from; exponential by default.

    Raises:
        ValueError: naming the argument, its value and what is allowed.
    """
    if scenario is None or isinstance(scenario, (str, Path)):
        scenario = read_scenario(scenario).scenario
    if not isinstance(scenario, Scenario):
        raise ValueError(f"scenario: {scenario!r} is not allowed; it must be a Scenario or a scenario file")
    chosen = _named("actions", Actions, actions), _named("reward", Reward, reward)
    return SideBySide(scenario, cells, frames, *chosen, channel, arrivals)


def observation_space(devices: int) -> spaces.Box:
    """What is observed of one cell; see `quedge.simulation.vector_cells.observation`."""
    low, high = observation_bounds(devices)
    return spaces.Box(low, high, dtype=np.float32)


def action_space(actions: Actions, devices: int) -> spaces.MultiBinary | spaces.Box:
    """What one cell's action may be; see `Actions`."""
    if actions is Actions.OFFLOAD:
        return spaces.MultiBinary(devices)
    return spaces.Box(-1.0, 1.0, (actions.width(devices),), np.float32)


def carried_out(
    cells: SideBySide, actions: Any, optimum: bool
) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.float32], NDArray[np.float64]]:
    """Step all cells.

    Args:
        cells: the cells.
        actions: an action a cell.
        optimum: whether the frame's optimum is told, too.

    Returns:
        All that is told of the frame, by the names that a trace has for it, an array over the cells each, estimates and
        promises only where they may differ from what is true; the next observations; the rewards.
    """
    state, frame = cells.states(), cells.frame
    best = cells.optimum() if optimum else None
    stepped, seen = cells.step(actions)
    told: dict[str, NDArray[Any]] = {"frame": np.full(cells.cells, frame), **state._asdict(), **stepped._asdict()}
    reward = told.pop("reward")
    if cells.as_assumed:
        for name in ("channel_estimate", "promised_rate_mbps", "promised_objective"):
            del told[name]
    if best is not None:
        told["optimal_objective"], told["upper_bound"] = best
        told["gap"] = gap(stepped.promised_objective, best.objective)
    return told, seen, reward


def gap(objective: NDArray[np.float64], optimal_objective: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 − objective, as promised, over its optimum; where there is nothing to win, 0 if nothing was lost, else 1."""
    lost = np.where(objective >= 0.0, 0.0, 1.0)
    worth = optimal_objective > 0.0
    return np.divide(optimal_objective - objective, optimal_objective, out=lost, where=worth)


def _named(argument: str, kind: type[Choice], name: str) -> Choice:
    try:
        return kind(name)
    except ValueError:
        raise ValueError(f"{argument}: {name!r} is not allowed; it must be one of {', '.join(kind)}") from None


IDS = {"quedge/Offloading-v0": Actions.OFFLOAD, "quedge/OffloadingPowers-v0": Actions.POWERS}
"""What an action decides, by the name of the environment."""


def register_environments() -> None:
    """Register them; those that are registered already are left as they are.

    Raises:
        MissingExtraError: Gymnasium is not installed.
    """
    check_installed("gymnasium", "quedge.gymnasium", "Gymnasium", "gym")
    import gymnasium

    for name, actions in IDS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name,
                entry_point="quedge.environment.single:OffloadingEnv",
                vector_entry_point="quedge.environment.vector:OffloadingVectorEnv",
                kwargs={"actions": str(actions)},
            )
