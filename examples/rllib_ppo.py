"""PPO of RLlib, trained in one cell, and compared with other policies in other worlds.

`python examples/rllib_ppo.py`. Needs the extra `gym`, and RLlib (`pip install 'ray[rllib]==2.60.0'`), which asks for
Gymnasium 1.2.2.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.tune.registry import register_env

import quedge
from quedge.gymnasium import TrainedModel

STEPS = 512


def cell(settings: dict[str, Any]) -> Any:
    """The environment; RLlib knows no MultiBinary actions."""
    return gymnasium.make("quedge/Offloading-v0", actions="multidiscrete", optimum=False, **settings)


class Learned:
    """What `TrainedModel` asks of a model: two spaces, and `predict`."""

    def __init__(self, env: Any, module: Any) -> None:
        self.observation_space, self.action_space, self._module = env.observation_space, env.action_space, module

    def predict(self, observation: np.ndarray, *, deterministic: bool) -> tuple[np.ndarray, None]:
        """The most likely decision; of each device, there are logits of both."""
        if not deterministic:
            raise ValueError("deterministic: False is not allowed; it must be True")
        with torch.no_grad():
            told = self._module.forward_inference({"obs": torch.as_tensor(observation)[np.newaxis]})
        return told["action_dist_inputs"].numpy().reshape(-1, 2).argmax(axis=1), None


def train(settings: dict[str, Any], experience: int) -> Learned:
    """Train an agent from nothing on so many frames, in whole updates."""
    register_env("quedge", cell)
    config = (
        PPOConfig()
        .environment("quedge", env_config=settings)
        .env_runners(num_env_runners=0)
        .training(gamma=0.0, lr=2e-3, train_batch_size=min(STEPS, experience), minibatch_size=128, num_epochs=6)
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[128, 128], fcnet_activation="tanh"))
        .debugging(seed=0, log_level="ERROR")
    )
    algorithm = config.build_algo()
    for _ in range(max(experience // STEPS, 1)):
        algorithm.train()
    return Learned(cell(settings), algorithm.get_module())


def main(scenario: quedge.Scenario | None = None, experience: int = 20_000, frames: int = 1000) -> quedge.Comparison:
    """Train on so many frames of experience, and compare what was learned over so many frames."""
    scenario = scenario or quedge.Scenario()
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        model = train({"scenario": scenario, "frames": 500}, experience)
        policies = {"best-pair": quedge.BestPair(), "PPO": TrainedModel(model), "exact": quedge.Exact()}
        return quedge.compare(policies, scenario, frames, seeds=3)
    finally:
        ray.shutdown()


if __name__ == "__main__":
    print(main())
