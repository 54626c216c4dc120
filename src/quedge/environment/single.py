"""One cell as an environment of Gymnasium's."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from quedge.environment.cells import (
    FRAMES,
    ScenarioLike,
    action_space,
    carried_out,
    laid_out,
    observation_space,
)
from quedge.model.frame import Frame
from quedge.simulation.processes import ArrivalProcess, ChannelProcess


class OffloadingEnv(gymnasium.Env[NDArray[Any], NDArray[Any]]):
    """One cell: a step is a frame, an action decides it, and an episode ends, truncated, with its world.

    Attributes:
        observation_space: a Box of shape (3 · devices,); see `quedge.simulation.vector_cells.observation`.
        action_space: MultiBinary(devices), or a Box of shape (2 · devices,); see `Actions`.
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
    ) -> None:
        """Lay out the cell.

        Args:
            scenario: a scenario, or a scenario file; the paper's cell by default.
            frames: frames of an episode, at least 1.
            actions: what an action decides: "offload" or "powers".
            reward: what is rewarded: "objective" or "drift-plus-penalty".
            optimum: whether `info` has the frame's exact optimum; it takes some 25 µs with ten devices.
            channel: where channel gains come from; Rician fading by default.
            arrivals: where arrivals come from; exponential by default.

        Raises:
            ValueError: naming the argument, its value and what is allowed.
        """
        self._cells = laid_out(scenario, 1, frames, actions, reward, channel, arrivals)
        self._optimum = optimum
        devices = self._cells.scenario.devices
        self.observation_space = observation_space(devices)
        self.action_space = action_space(self._cells.actions, devices)

    @property
    def frame(self) -> Frame:
        """The state that the next action decides, as quedge's policies take it."""
        return self._cells.frame_of(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in a new world, with empty queues.

        Args:
            seed: seed of the world, which is the one that `simulate` meets with it; without one, the next in the order
                that the last seed gave.
            options: not used.

        Returns:
            The observation, and in `info` the world's `seed`.
        """
        super().reset(seed=seed)
        (used,) = self._cells.restart([seed])
        return self._cells.observations()[0], {"seed": used}

    def step(self, action: NDArray[Any]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Carry out a frame.

        Args:
            action: the decision.

        Returns:
            The next observation, the reward, False, whether the episode is over, and in `info` all that the frame's
            row of a trace holds, with its exact optimum.

        Raises:
            ValueError: a bad action.
            gymnasium.error.ResetNeeded: there is no episode.
        """
        if self._cells.ended:
            raise gymnasium.error.ResetNeeded("there is no frame to decide: call reset() to begin an episode")
        told, seen, reward = carried_out(self._cells, np.asarray(action)[np.newaxis], self._optimum)
        info = {name: values[0].item() if values.ndim == 1 else values[0].copy() for name, values in told.items()}
        return seen[0], float(reward[0]), False, self._cells.ended, info
