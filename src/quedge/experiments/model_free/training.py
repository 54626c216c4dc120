"""Training by Stable-Baselines3: the one place where it enters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from quedge.experiments.model_free.ppo import TrainedPpo
from quedge.simulation.vector_cells.cells import SideBySide
from quedge.simulation.vector_cells.observation import observation_bounds


class CellsForPpo(VecEnv):
    """Cells side by side as Stable-Baselines3 takes them; they restart in the step that ends their worlds."""

    def __init__(self, cells: SideBySide, seed: int) -> None:
        """Take some cells over.

        Args:
            cells: the cells.
            seed: from which the seeds of all their worlds are drawn.
        """
        self._cells = cells
        self._seeds_drawn = np.random.default_rng(seed)
        self._actions: NDArray[Any] = np.zeros(0)
        self.render_mode = None
        devices = cells.scenario.devices
        low, high = observation_bounds(devices)
        super().__init__(cells.cells, spaces.Box(low, high, dtype=np.float32), spaces.MultiBinary(devices))

    def reset(self) -> NDArray[np.float32]:
        """Begin new worlds."""
        self._cells.restart([int(seed) for seed in self._seeds_drawn.integers(2**31, size=self.num_envs)])
        return self._cells.observations()

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions of a frame."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Carry them out."""
        stepped, seen = self._cells.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = self._cells.ended
        if ended:
            infos = [{"terminal_observation": last, "TimeLimit.truncated": True} for last in seen]
            seen = self.reset()
        return seen, stepped.reward, np.full(self.num_envs, ended), infos

    def close(self) -> None:
        """Nothing is held."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute, the same for every cell."""
        return [getattr(self, attr_name)] * len(self._chosen(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Cells have nothing to set.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Cells have nothing to call.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No cell is."""
        return [False] * len(self._chosen(indices))

    def _chosen(self, indices: Any) -> Sequence[int]:
        return list(self._get_indices(indices))


def trained(
    cells: SideBySide, frames: int, seed: int, hidden: Sequence[int], settings: dict[str, Any]
) -> tuple[TrainedPpo, int]:
    """Train PPO from nothing.

    Args:
        cells: where it gathers its experience.
        frames: how many frames of it, over all cells, at least; rounded up to whole updates.
        seed: of the first weights, the actions and the worlds.
        hidden: units of the hidden layers, of the actor and of the critic.
        settings: arguments of `stable_baselines3.PPO`.

    Returns:
        What was learned, and how many frames it took.
    """
    with _one_thread():
        agent = PPO(
            "MlpPolicy", CellsForPpo(cells, seed), policy_kwargs={"net_arch": list(hidden)}, seed=seed, device="cpu",
            **settings,
        )  # fmt: skip
        agent.learn(frames)
        weights = {name: values.cpu().numpy().astype(np.float32) for name, values in agent.policy.state_dict().items()}
        layers = [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]
        actor = [name for name in layers if name.startswith(("mlp_extractor.policy_net", "action_net"))]
        learned = TrainedPpo(tuple((weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in actor))
        return learned, agent.num_timesteps


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch on one thread: networks as small as these lose by more, and sums would depend on their number.

    The process's own setting is left as it was.
    """
    threads = torch.get_num_threads()
    if threads != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if threads != 1:
            torch.set_num_threads(threads)
