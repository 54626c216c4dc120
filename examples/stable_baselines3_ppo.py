"""PPO of Stable-Baselines3, trained in 64 cells at once, and compared with other policies in other worlds.

`python examples/stable_baselines3_ppo.py`, or, from this folder and after it has run there,
`quedge run --policy stable_baselines3_ppo:trained --policy exact`. Needs the extra `ppo`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from stable_baselines3 import PPO

import quedge
from quedge.environment.vector import OffloadingVectorEnv
from quedge.gymnasium import StableBaselinesEnv, TrainedModel

FILE = Path("stable_baselines3_ppo.zip")


def trained() -> TrainedModel:
    """What was learned and kept, as a policy."""
    return TrainedModel(PPO.load(FILE, device="cpu"))


def main(scenario: quedge.Scenario | None = None, experience: int = 100_000, frames: int = 1000) -> quedge.Comparison:
    """Train on so many frames of experience, keep the model, and compare it over so many frames."""
    torch.set_num_threads(1)  # more slow down networks as small as these
    scenario = scenario or quedge.Scenario()
    cells = StableBaselinesEnv(OffloadingVectorEnv(64, scenario, frames=500), seed=0)
    model = PPO(
        "MlpPolicy", cells, n_steps=32, batch_size=256, n_epochs=6, gamma=0.0, seed=0, device="cpu",
        learning_rate=lambda left: 2e-3 * left, policy_kwargs={"net_arch": [128, 128]},
    )  # fmt: skip
    model.learn(experience).save(FILE)
    policies = {"best-pair": quedge.BestPair(), "PPO": trained(), "exact": quedge.Exact()}
    return quedge.compare(policies, scenario, frames, seeds=3)


if __name__ == "__main__":
    print(main())
