"""Many cells in Stable-Baselines3's own interface for vectors of environments."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from quedge.environment.agent_actions import Action
from quedge.environment.vector import OffloadingVectorEnv
from quedge.errors import not_allowed

_MAX_SEED = 2**31


class StableBaselinesEnv(VecEnv):
    """An `OffloadingVectorEnv` in Stable-Baselines3's interface: cells restart in the step that ends their episode.

    Example:
        >>> from quedge.environment.vector import OffloadingVectorEnv
        >>> from quedge.gymnasium import StableBaselinesEnv
        >>> cells = StableBaselinesEnv(OffloadingVectorEnv(8, scenario=quedge.Scenario(devices=3), frames=20), seed=0)
        >>> observations = cells.reset()
        >>> observations, rewards, ended, infos = cells.step(np.zeros((8, 3), dtype=np.int8))
        >>> print(observations.shape, rewards.shape)
        (8, 9) (8,)
    """

    def __init__(self, cells: OffloadingVectorEnv, seed: int, action: Action = Action.BINARY) -> None:
        """Wrap an environment for such actions, and draw the seeds of all its worlds from one.

        Raises:
            ValueError: the environment begins episodes in the step that ends others, which this does itself.
        """
        if cells.autoreset_mode is AutoresetMode.SAME_STEP:
            raise not_allowed("cells.autoreset_mode", cells.autoreset_mode.value, "'NextStep' or 'Disabled'")
        self._cells = cells
        self._action = action
        self._devices = spaces.flatdim(cells.single_action_space)
        self._world_seeds = np.random.default_rng(seed)
        self._actions: NDArray[Any] = np.zeros(0)
        self.render_mode = None
        super().__init__(cells.num_envs, cells.single_observation_space, _action_space(cells, action))

    def reset(self) -> NDArray[np.float32]:
        """Begin episodes in new worlds."""
        seeds = [int(seed) for seed in self._world_seeds.integers(_MAX_SEED, size=self.num_envs)]
        return self._cells.reset(seed=seeds)[0]

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions of a frame."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Carry them out."""
        seen, reward, _, ended, _ = self._cells.step(self._action.offload(self._actions, self._devices))
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if ended.all():  # all cells end together
            infos = [{"terminal_observation": last, "TimeLimit.truncated": True} for last in seen]
            seen = self.reset()
        return seen, reward, ended, infos

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute, the same for every cell."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Raise NotImplementedError: cells have no attributes to set."""
        raise NotImplementedError

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Raise NotImplementedError: cells have no methods to call."""
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No cell is wrapped."""
        return [False for _ in self._get_indices(indices)]


def _action_space(cells: OffloadingVectorEnv, action: Action) -> spaces.Space[Any]:
    """The space of a cell's actions."""
    devices = spaces.flatdim(cells.single_action_space)
    if action is Action.SCORES:
        return spaces.Box(-1.0, 1.0, (devices,), np.float32)
    return spaces.Discrete(2**devices) if action is Action.JOINT else cells.single_action_space
