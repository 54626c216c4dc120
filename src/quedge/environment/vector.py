"""Many cells as one vector environment of Gymnasium's, stepped in one compiled call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from quedge.environment.cells import (
    FRAMES,
    ScenarioLike,
    action_space,
    carried_out,
    laid_out,
    observation_space,
)
from quedge.simulation.processes import ArrivalProcess, ChannelProcess

_Floats32 = NDArray[np.float32]


class OffloadingVectorEnv(gymnasium.vector.VectorEnv[_Floats32, NDArray[Any], NDArray[Any]]):
    """Independent cells of one scenario, each as in `OffloadingEnv`, bit for bit.

    Episodes end together. The step after their end ignores its actions and begins the next ones, as in Gymnasium's own
    vector environments (autoreset mode NEXT_STEP).
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012 - as Gymnasium declares it

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
    ) -> None:
        """Lay out the cells.

        Args:
            num_envs: how many, at least 1.
            scenario: as in `OffloadingEnv`, like the four below it.
            frames: frames of an episode; the worlds of all cells take 16 bytes a frame and device,
                24 where channels are estimated with errors.
            actions: what an action decides.
            reward: what is rewarded.
            optimum: whether `infos` has each frame's exact optimum, which takes far longer than all else.
            channel: where channel gains come from.
            arrivals: where arrivals come from.

        Raises:
            ValueError: naming the argument, its value and what is allowed.
        """
        self._cells = laid_out(scenario, num_envs, frames, actions, reward, channel, arrivals)
        self._optimum = optimum
        self.num_envs = self._cells.cells
        devices = self._cells.scenario.devices
        self.single_observation_space = observation_space(devices)
        self.single_action_space = action_space(self._cells.actions, devices)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._begun = False

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[_Floats32, dict[str, Any]]:
        """Begin an episode in every cell.

        Args:
            seed: seeds of the worlds, one a cell; a single one stands for itself and those that follow it; without one,
                the next in the order that each cell's last seed gave.
            options: a mask of the cells to reset is refused: they restart together.

        Returns:
            The observations, and in `infos` each world's `seed`.

        Raises:
            ValueError: as many seeds as cells are needed, or some cells only are to be reset.
        """
        if options is not None and "reset_mask" in options:
            raise ValueError("options: 'reset_mask' is not allowed; all cells restart together")
        if seed is None or isinstance(seed, (int, np.integer)):
            super().reset(seed=None if seed is None else int(seed))
            seed = [None if seed is None else int(seed) + b for b in range(self.num_envs)]
        return self._restarted(seed)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[_Floats32, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Carry out a frame of every cell, or begin the next episodes after the last one's end.

        Args:
            actions: an action a cell, shape (num_envs, ...).

        Returns:
            Next observations, rewards, terminations (never), truncations, and what each frame brought, as `info` of
            `OffloadingEnv` has it.

        Raises:
            ValueError: bad actions.
            gymnasium.error.ResetNeeded: nothing was reset yet.
        """
        if not self._begun:
            raise gymnasium.error.ResetNeeded("there is no frame to decide: call reset() to begin an episode")
        never = np.zeros(self.num_envs, np.bool_)
        if self._cells.ended:
            seen, infos = self._restarted([None] * self.num_envs)
            return seen, np.zeros(self.num_envs), never, never.copy(), infos
        told, seen, reward = carried_out(self._cells, actions, self._optimum)
        return seen, reward, never, np.full(self.num_envs, self._cells.ended), _of_all(told)

    def _restarted(self, seeds: Sequence[int | None]) -> tuple[_Floats32, dict[str, Any]]:
        used = self._cells.restart(seeds)
        self._begun = True
        return self._cells.observations(), _of_all({"seed": np.array(used)})


def _of_all(told: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Vector environments say beside every entry of `infos` which cells it is of: of all, in one array."""
    all_cells = np.ones(len(next(iter(told.values()))), np.bool_)
    infos: dict[str, Any] = {}
    for name, values in told.items():
        infos[name], infos[f"_{name}"] = values, all_cells
    return infos
