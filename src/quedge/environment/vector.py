"""Many cells, stepped in one compiled call, as a vector environment of Gymnasium's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from quedge.environment.making import FRAMES, ScenarioLike, make_cells, spaces_of, step_cells, with_frames
from quedge.environment.rendering import RENDER_FPS, RenderMode, Showing, checked_mode
from quedge.errors import is_integer, not_allowed, one_of
from quedge.model.kernels import Floats32
from quedge.simulation.processes import ArrivalProcess, ChannelProcess

VECTOR_RENDER_MODES = [str(RenderMode.ANSI), str(RenderMode.RGB_ARRAY)]


class OffloadingVectorEnv(gymnasium.vector.VectorEnv[Floats32, NDArray[Any], NDArray[Any]]):
    """Independent cells of one scenario, each as in `OffloadingEnv`, bit for bit.

    Episodes end together; what begins the next ones is Gymnasium's autoreset mode.

    Attributes:
        autoreset_mode: NEXT_STEP, where the step after the end ignores its actions and begins the next episodes;
            SAME_STEP, where the step of the end does, with the last observations and infos as `final_obs` and
            `final_info`; or DISABLED, where only `reset` does.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as Gymnasium declares it
        "render_modes": VECTOR_RENDER_MODES, "render_fps": RENDER_FPS, "autoreset_mode": AutoresetMode.NEXT_STEP,
    }  # fmt: skip

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
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        """Set up the cells.

        `num_envs` is their number, at least 1; with `max_episode_steps` episodes are truncated after that many frames,
        as `gymnasium.make` does, if their worlds have as many (None or -1: at the end of their worlds);
        `autoreset_mode` is one of Gymnasium's, or its value, such as "SameStep"; `render_mode` "ansi" or "rgb_array",
        one text or picture a cell, or None. All other arguments are those of `OffloadingEnv`. Worlds take 16 bytes per
        cell, frame and device, 24 with estimation errors. Each frame's exact optimum takes far longer than all else.

        Raises:
            ValueError: naming the argument, its value and what is allowed.
        """
        self.autoreset_mode = _checked_mode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        if render_mode is not None and render_mode not in VECTOR_RENDER_MODES:
            raise not_allowed("render_mode", render_mode, f"None or {one_of(VECTOR_RENDER_MODES)}")
        self.render_mode, mode = render_mode, checked_mode(render_mode)
        self._longest_episode = checked_episode(max_episode_steps)
        self._cells = make_cells(scenario, num_envs, frames, actions, reward, channel, arrivals)
        self._optimum = optimum
        self._spec: EnvSpec | None = None
        self.num_envs = self._cells.cells
        self._showing = [] if mode is None else [Showing(self._cells.scenario, mode) for _ in range(self.num_envs)]
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
            options: a `reset_mask` must be of all cells, since they restart together.

        Returns:
            The observations, and in `infos` each world's `seed`.

        Raises:
            ValueError: there are not as many seeds as cells, or only some cells are to restart.
        """
        if options is not None and not np.all(options.get("reset_mask", True)):
            raise not_allowed(
                "options['reset_mask']", options["reset_mask"], "true of every cell: they restart together"
            )
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
            Next observations, rewards, terminations (never), truncations, and `infos` as in `OffloadingEnv`; in the
            step that ends episodes and begins others, the `seed` of the others, `final_obs` and `final_info`.

        Raises:
            ValueError: bad actions.
            gymnasium.error.ResetNeeded: `reset` was not called yet, or after the end of episodes that only it begins.
        """
        if not self._begun or (self._ended and self.autoreset_mode is AutoresetMode.DISABLED):
            raise gymnasium.error.ResetNeeded("there is no frame to decide: call reset() to begin an episode")
        never = np.zeros(self.num_envs, np.bool_)
        if self._ended:
            seen, infos = self._restarted([None] * self.num_envs)
            return seen, np.zeros(self.num_envs), never, never.copy(), infos
        info, seen, reward = step_cells(self._cells, actions, self._optimum)
        truncated, infos = np.full(self.num_envs, self._ended), _with_masks(info)
        self._show(infos)
        if self._ended and self.autoreset_mode is AutoresetMode.SAME_STEP:
            last, all_cells = np.full(self.num_envs, None, np.object_), np.ones(self.num_envs, np.bool_)
            for b in range(self.num_envs):
                last[b] = seen[b]
            seen, begun = self._restarted([None] * self.num_envs)
            infos = {"final_obs": last, "_final_obs": all_cells, "final_info": infos, "_final_info": all_cells.copy()}
            infos |= begun
        return seen, reward, never, truncated, infos

    def render(self) -> tuple[Any, ...] | None:
        """The last frame of every cell as text or picture; see `OffloadingEnv.render`."""
        return tuple(each.render() for each in self._showing) if self._showing else None

    @property
    def spec(self) -> EnvSpec | None:
        """What `gymnasium.make_vec` made it from; its `max_episode_steps` are the frames of an episode."""
        return self._spec

    @spec.setter
    def spec(self, made_from: EnvSpec | None) -> None:
        frames = self._cells.frames
        self._spec = with_frames(made_from, min(self._longest_episode or frames, frames))

    def _show(self, infos: Mapping[str, Any]) -> None:
        """Take a frame of every cell, to be shown."""
        if self._showing:
            queues = self._cells.states().data_queue_mbit
            for b, each in enumerate(self._showing):
                each.add({name: infos[name][b] for name in ("offload", "transmit_power_w", "power_w")}, queues[b])

    @property
    def _ended(self) -> bool:
        """Whether the episodes have ended."""
        cut = self._longest_episode is not None and self._cells.frame >= self._longest_episode
        return cut or self._cells.ended

    def _restarted(self, seeds: Sequence[int | None]) -> tuple[Floats32, dict[str, Any]]:
        used = self._cells.restart(seeds)
        self._begun = True
        for each in self._showing:
            each.restart()
        return self._cells.observations(), _with_masks({"seed": np.array(used)})


def _with_masks(info: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """`infos` with the masks that Gymnasium wants beside every entry: all cells have it."""
    all_cells = np.ones(len(next(iter(info.values()))), np.bool_)
    return dict(info) | {f"_{name}": all_cells for name in info}


def _checked_mode(mode: str | AutoresetMode) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError:
        raise not_allowed("autoreset_mode", mode, one_of(each.value for each in AutoresetMode)) from None


def checked_episode(max_episode_steps: int | None) -> int | None:
    """The most frames of an episode; None where only its world ends it."""
    if max_episode_steps is None or max_episode_steps == -1:
        return None
    if not is_integer(max_episode_steps) or max_episode_steps < 1:
        raise not_allowed("max_episode_steps", max_episode_steps, "an integer, at least 1, or None or -1 for no limit")
    return max_episode_steps
