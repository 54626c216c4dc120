"""One cell as an environment of Gymnasium's."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from quedge.environment.making import FRAMES, ScenarioLike, make_cells, spaces_of, step_cells, with_frames
from quedge.environment.rendering import RENDER_FPS, RENDER_MODES, RenderMode, Showing, checked_mode
from quedge.model.frame import Frame
from quedge.model.kernels import Floats32
from quedge.simulation.processes import ArrivalProcess, ChannelProcess


class OffloadingEnv(gymnasium.Env[NDArray[Any], NDArray[Any]]):
    """One cell: a step decides a frame, and an episode is truncated at the end of its world.

    Attributes:
        observation_space: a Box of shape (3 · devices,), up to (5 · devices,); see
            `quedge.simulation.vector_cells.observation`.
        action_space: MultiBinary(devices), MultiDiscrete of as many twos, or a Box of shape (2 · devices,); see
            `Actions`.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": RENDER_FPS}  # noqa: RUF012 - as Gymnasium declares it

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
            render_mode: how the last frame is shown: "ansi", "rgb_array", "human" or not at all; see `RenderMode`.

        Raises:
            ValueError: naming the argument, its value and what is allowed.
            MissingExtraError: pictures are to be shown, and Matplotlib is not installed.
        """
        self.render_mode = render_mode
        self._cells = make_cells(scenario, 1, frames, actions, reward, channel, arrivals)
        mode = checked_mode(render_mode)
        self._showing = None if mode is None else Showing(self._cells.scenario, mode)
        self._optimum = optimum
        self._spec: EnvSpec | None = None
        self.observation_space, self.action_space = spaces_of(self._cells)

    @property
    def frame(self) -> Frame:
        """The state that the next action decides, as policies take it."""
        return self._cells.frame_of(0)

    @property
    def spec(self) -> EnvSpec | None:
        """What `gymnasium.make` made it from; its `max_episode_steps` are the frames of an episode."""
        return self._spec

    @spec.setter
    def spec(self, made_from: EnvSpec | None) -> None:
        self._spec = with_frames(made_from, self._cells.frames)

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
        if self._showing is not None:
            self._showing.restart()
            self._show_in_window()
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
        if self._showing is not None:
            self._showing.add(own, self._cells.states().data_queue_mbit[0])
            self._show_in_window()
        return seen[0], float(reward[0]), False, self._cells.ended, own

    def render(self) -> Any:
        """The last frame: text, a picture of shape (height, width, 3), or None where it is shown in a window."""
        return None if self._showing is None else self._showing.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._showing is not None:
            self._showing.close()

    def _show_in_window(self) -> None:
        if self._showing is not None and self._showing.mode is RenderMode.HUMAN:
            self._showing.render()
