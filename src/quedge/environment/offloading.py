"""One cell, or many stepped in one compiled call, as environments of Gymnasium's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from quedge.errors import is_integer, not_allowed, one_of
from quedge.files.scenario import read_scenario
from quedge.model.frame import Frame
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


class OffloadingEnv(gymnasium.Env[NDArray[Any], NDArray[Any]]):
    """One cell: a step decides a frame, and an episode is truncated at the end of its world.

    Attributes:
        observation_space: a Box of shape (3 · devices,); see `quedge.simulation.vector_cells.observation`.
        action_space: MultiBinary(devices), MultiDiscrete of as many twos, or a Box of shape (2 · devices,); see
            `Actions`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self,
        scenario: ScenarioLike = None,
        frames: int = FRAMES,
        actions: str = "offload",
        reward: str = "objective",
        optimum: bool = True,
        channel: ChannelProcess | None = None,
        arrivals: ArrivalProcess | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Set up the cell.

        Args:
            scenario: a scenario, or a scenario file; the paper's cell by default.
            frames: frames of an episode, at least 1.
            actions: what an action decides: "offload", the same as "multidiscrete", or "powers".
            reward: what is rewarded: "objective" or "drift-plus-penalty".
            optimum: whether `info` has the frame's exact optimum, which takes some 25 µs with ten devices.
            channel: where channel gains come from; Rician fading by default.
            arrivals: where arrivals come from; exponential by default.
            render_mode: None; there is nothing to render.

        Raises:
            ValueError: naming the argument, its value and what is allowed.
        """
        check_render_mode(render_mode)
        self._cells = make_cells(scenario, 1, frames, actions, reward, channel, arrivals)
        self._optimum = optimum
        self.observation_space, self.action_space = spaces_of(self._cells)

    @property
    def frame(self) -> Frame:
        """The state that the next action decides, as policies take it."""
        return self._cells.frame_of(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """Begin an episode in a new world, with empty queues.

        Args:
            seed: seed of the world, the same world as in `simulate`; by default the next one drawn from the last seed.
            options: not used.

        Returns:
            The observation, and in `info` the world's `seed`.
        """
        super().reset(seed=seed)
        (used,) = self._cells.restart([seed])
        return self._cells.observations()[0], {"seed": used}

    def step(self, action: NDArray[Any]) -> tuple[Floats32, float, bool, bool, dict[str, Any]]:
        """Carry out a frame.

        Args:
            action: the decision.

        Returns:
            The next observation, the reward, False, whether the episode is over, and in `info` the frame's row of a
            trace, with its exact optimum.

        Raises:
            ValueError: a bad action.
            gymnasium.error.ResetNeeded: there is no episode.
        """
        if self._cells.ended:
            raise gymnasium.error.ResetNeeded("there is no frame to decide: call reset() to begin an episode")
        info, seen, reward = step_cells(self._cells, np.asarray(action)[np.newaxis], self._optimum)
        own = {name: values[0].item() if values.ndim == 1 else values[0].copy() for name, values in info.items()}
        return seen[0], float(reward[0]), False, self._cells.ended, own


class OffloadingVectorEnv(gymnasium.vector.VectorEnv[Floats32, NDArray[Any], NDArray[Any]]):
    """Independent cells of one scenario, each as in `OffloadingEnv`, bit for bit.

    Episodes end together. The step after their end ignores its actions and begins the next ones, as in Gymnasium's own
    vector environments (autoreset mode NEXT_STEP).

    Attributes:
        autoreset_mode: NEXT_STEP.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012 - as Gymnasium declares it
    autoreset_mode = AutoresetMode.NEXT_STEP

    def __init__(
        self,
        num_envs: int = 1,
        scenario: ScenarioLike = None,
        frames: int = FRAMES,
        actions: str = "offload",
        reward: str = "objective",
        optimum: bool = False,
        channel: ChannelProcess | None = None,
        arrivals: ArrivalProcess | None = None,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
    ) -> None:
        """Set up the cells.

        `num_envs` is their number, at least 1; with `max_episode_steps` episodes are truncated after that many frames,
        as `gymnasium.make` does, if their worlds have as many (None or -1: at the end of their worlds). All other
        arguments are those of `OffloadingEnv`. Worlds take 16 bytes per cell, frame and device, 24 with estimation
        errors. Each frame's exact optimum takes far longer than all else.

        Raises:
            ValueError: naming the argument, its value and what is allowed.
        """
        check_render_mode(render_mode)
        self._longest_episode = checked_episode(max_episode_steps)
        self._cells = make_cells(scenario, num_envs, frames, actions, reward, channel, arrivals)
        self._optimum = optimum
        self.num_envs = self._cells.cells
        self.single_observation_space, self.single_action_space = spaces_of(self._cells)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._begun = False

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """Begin an episode in every cell.

        Args:
            seed: seeds of the worlds, one per cell; a single seed s stands for s, s + 1 ...; by default the next ones
                drawn from the cells' last seeds.
            options: `reset_mask` is refused, since all cells restart together.

        Returns:
            The observations, and in `infos` each world's `seed`.

        Raises:
            ValueError: there are not as many seeds as cells, or only some cells are to restart.
        """
        if options is not None and "reset_mask" in options:
            raise ValueError("options: 'reset_mask' is not allowed; all cells restart together")
        if seed is None or isinstance(seed, (int, np.integer)):
            super().reset(seed=None if seed is None else int(seed))
            seed = [None if seed is None else int(seed) + b for b in range(self.num_envs)]
        return self._restarted(seed)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Floats32, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Carry out a frame of every cell, or begin the next episodes after the last one's end.

        Args:
            actions: one action per cell, shape (num_envs, ...).

        Returns:
            Next observations, rewards, terminations (never), truncations, and `infos` as in `OffloadingEnv`.

        Raises:
            ValueError: bad actions.
            gymnasium.error.ResetNeeded: `reset` was not called yet.
        """
        if not self._begun:
            raise gymnasium.error.ResetNeeded("there is no frame to decide: call reset() to begin an episode")
        never = np.zeros(self.num_envs, np.bool_)
        if self._ended:
            seen, infos = self._restarted([None] * self.num_envs)
            return seen, np.zeros(self.num_envs), never, never.copy(), infos
        info, seen, reward = step_cells(self._cells, actions, self._optimum)
        return seen, reward, never, np.full(self.num_envs, self._ended), _with_masks(info)

    @property
    def _ended(self) -> bool:
        """Whether the episodes have ended."""
        cut = self._longest_episode is not None and self._cells.frame >= self._longest_episode
        return cut or self._cells.ended

    def _restarted(self, seeds: Sequence[int | None]) -> tuple[Floats32, dict[str, Any]]:
        used = self._cells.restart(seeds)
        self._begun = True
        return self._cells.observations(), _with_masks({"seed": np.array(used)})


def _with_masks(info: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """`infos` with the masks that Gymnasium wants beside every entry: all cells have it."""
    all_cells = np.ones(len(next(iter(info.values()))), np.bool_)
    return dict(info) | {f"_{name}": all_cells for name in info}


def check_render_mode(render_mode: str | None) -> None:
    """Refuse all render modes but None."""
    if render_mode is not None:
        raise not_allowed("render_mode", render_mode, "None; there is nothing to render")


def checked_episode(max_episode_steps: int | None) -> int | None:
    """The most frames of an episode; None where only its world ends it."""
    if max_episode_steps is None or max_episode_steps == -1:
        return None
    if not is_integer(max_episode_steps) or max_episode_steps < 1:
        raise not_allowed("max_episode_steps", max_episode_steps, "an integer, at least 1, or None or -1 for no limit")
    return max_episode_steps


def make_cells(
    scenario: ScenarioLike, cells: int, frames: int, actions: str, reward: str, channel: ChannelProcess | None,
    arrivals: ArrivalProcess | None,
) -> VectorCells:  # fmt: skip
    """The cells of an environment; arguments and errors as there."""
    if scenario is None or isinstance(scenario, (str, Path)):
        scenario = read_scenario(scenario).scenario
    if not isinstance(scenario, Scenario):
        raise not_allowed("scenario", scenario, "a Scenario or a scenario file")
    chosen = _choice("actions", Actions, actions), _choice("reward", Reward, reward)
    return VectorCells(scenario, cells, frames, *chosen, channel, arrivals)


def _choice(argument: str, kind: type[_Choice], name: str) -> _Choice:
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
