"""PPO of TorchRL, trained in one cell, and compared with other policies in other worlds.

`python examples/torchrl_ppo.py`. Needs TorchRL (`pip install -c constraints.txt torchrl==0.14.1`), and the extra `gym`.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from tensordict import TensorDict
from tensordict.nn import ProbabilisticTensorDictModule, ProbabilisticTensorDictSequential, TensorDictModule
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent
from torchrl.collectors import Collector
from torchrl.envs import GymWrapper
from torchrl.modules import ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

import quedge
from quedge.gymnasium import TrainedModel

STEPS, EPOCHS, BATCH = 512, 6, 128


class Coins(Independent):
    """A coin a device; the probability of a decision is their product."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__(Bernoulli(logits=logits, validate_args=False), 1, validate_args=False)

    @property
    def deterministic_sample(self) -> Tensor:
        """The most likely decision."""
        return (self.base_dist.logits > 0.0).to(torch.int8)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """A decision, of the type of the environment's actions."""
        return super().sample(torch.Size(sample_shape)).to(torch.int8)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of a decision's probability."""
        return super().log_prob(value.to(torch.float32))


def network(inputs: int, outputs: int) -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(nn.Linear(inputs, 128), nn.Tanh(), nn.Linear(128, 128), nn.Tanh(), nn.Linear(128, outputs))


class Learned:
    """What `TrainedModel` asks of a model: two spaces, and `predict`."""

    def __init__(self, env: Any, logits: nn.Module) -> None:
        self.observation_space, self.action_space, self._logits = env.observation_space, env.action_space, logits

    def predict(self, observation: np.ndarray, *, deterministic: bool) -> tuple[np.ndarray, None]:
        """The most likely decision, or one that is drawn."""
        with torch.no_grad():
            coins = Coins(self._logits(torch.as_tensor(observation)))
        return (coins.deterministic_sample if deterministic else coins.sample()).numpy(), None


def train(scenario: quedge.Scenario, experience: int, seed: int = 0) -> Learned:
    """Train an agent from nothing on so many frames, in whole updates."""
    torch.manual_seed(seed)
    cell = gymnasium.make("quedge/Offloading-v0", scenario=scenario, frames=500, optimum=False)
    env = GymWrapper(cell)
    env.set_seed(seed)
    numbers, devices = cell.observation_space.shape[0], cell.action_space.shape[0]
    logits = network(numbers, devices)
    actor = ProbabilisticTensorDictSequential(
        TensorDictModule(logits, in_keys=["observation"], out_keys=["logits"]),
        ProbabilisticTensorDictModule(["logits"], ["action"], distribution_class=Coins, return_log_prob=True),
    )
    critic = ValueOperator(network(numbers, 1), in_keys=["observation"])
    loss = ClipPPOLoss(actor, critic, entropy_bonus=False, normalize_advantage=True)
    advantages = GAE(gamma=0.0, lmbda=0.95, value_network=critic)
    optimiser = torch.optim.Adam(loss.parameters(), 2e-3)
    frames = max(experience // STEPS, 1) * STEPS
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=frames // STEPS)
    collector = Collector(
        env, actor, frames_per_batch=STEPS, total_frames=frames, auto_register_policy_transforms=False
    )
    for collected in collector:
        for _ in range(EPOCHS):
            with torch.no_grad():
                advantages(collected)
            for part in torch.randperm(STEPS).split(BATCH):
                learn(loss, optimiser, collected.reshape(-1)[part])
        schedule.step()
    collector.shutdown()
    return Learned(cell, logits)


def learn(loss: ClipPPOLoss, optimiser: torch.optim.Optimizer, batch: TensorDict) -> None:
    """Take one gradient step."""
    losses = loss(batch)
    optimiser.zero_grad()
    (losses["loss_objective"] + losses["loss_critic"]).backward()
    nn.utils.clip_grad_norm_(loss.parameters(), 0.5)
    optimiser.step()


def main(scenario: quedge.Scenario | None = None, experience: int = 20_000, frames: int = 1000) -> quedge.Comparison:
    """Train on so many frames of experience, and compare what was learned over so many frames."""
    torch.set_num_threads(1)  # more slow down networks as small as these
    scenario = scenario or quedge.Scenario()
    policies = {"best-pair": quedge.BestPair(), "PPO": TrainedModel(train(scenario, experience))}
    return quedge.compare({**policies, "exact": quedge.Exact()}, scenario, frames, seeds=3)


if __name__ == "__main__":
    print(main())
