"""PPO in one file of plain PyTorch, trained in 64 cells at once, and compared with other policies.

Schulman, Wolski, Dhariwal, Radford, Klimov, arXiv:1707.06347, 2017, with generalised advantages (arXiv:1506.02438).
Each device has a probability of its own, and the probability of a decision is their product.

`python examples/single_file_ppo.py`. Needs Gymnasium and PyTorch (extra `ppo`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

import quedge
from quedge.gymnasium import TrainedModel


@dataclass(frozen=True)
class Settings:
    """Settings of the training.

    Attributes:
        cells: that step together.
        episode: frames of an episode.
        steps: frames of each cell from update to update.
        epochs: passes over them.
        batch: decisions of a gradient step.
        learning_rate: of Adam, falling to 0.
        discount: γ; a frame's objective holds all that a decision is worth, so that 0 is best (docs/gymnasium.md).
        trace: λ of the generalised advantages.
        clip: how far the probability of a decision may move in an update.
        value_weight: weight of the critic's loss.
    """

    cells: int = 64
    episode: int = 500
    steps: int = 32
    epochs: int = 6
    batch: int = 256
    learning_rate: float = 2e-3
    discount: float = 0.0
    trace: float = 0.95
    clip: float = 0.2
    value_weight: float = 0.5


def network(inputs: int, outputs: int) -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(nn.Linear(inputs, 128), nn.Tanh(), nn.Linear(128, 128), nn.Tanh(), nn.Linear(128, outputs))


class Agent(nn.Module):
    """Actor and critic; with its two spaces and `predict`, `TrainedModel` makes it a policy."""

    def __init__(self, cells: Any) -> None:
        super().__init__()
        self.observation_space, self.action_space = cells.single_observation_space, cells.single_action_space
        numbers, devices = self.observation_space.shape[0], self.action_space.shape[0]
        self.actor, self.critic = network(numbers, devices), network(numbers, 1)

    def decisions(self, seen: Tensor) -> Independent:
        """Where decisions are drawn from: a coin a device."""
        return Independent(Bernoulli(logits=self.actor(seen)), 1)

    def values(self, seen: Tensor) -> Tensor:
        """What is expected from states on."""
        return self.critic(seen).squeeze(-1)

    def predict(self, observation: np.ndarray, *, deterministic: bool) -> tuple[np.ndarray, None]:
        """The most likely decision, or one that is drawn."""
        seen = torch.as_tensor(observation)
        with torch.no_grad():
            decision = self.actor(seen) > 0.0 if deterministic else self.decisions(seen).sample()
        return decision.numpy(), None


def experience_of(agent: Agent, cells: Any, seen: Tensor, settings: Settings) -> tuple[list[Tensor], Tensor]:
    """States, decisions, their log-probabilities, advantages and returns of some frames, and the state after them."""
    kept: list[list[Tensor]] = []
    with torch.no_grad():
        for _ in range(settings.steps):
            coins = agent.decisions(seen)
            decision = coins.sample()
            after, reward, _, ended, info = cells.step(decision.numpy().astype(np.int8))
            last = torch.as_tensor(np.stack(list(info["final_obs"]))) if ended.all() else torch.as_tensor(after)
            surprise = torch.as_tensor(reward, dtype=torch.float32) - agent.values(seen)
            surprise += settings.discount * agent.values(last)  # episodes are cut and do not end: their value goes on
            goes_on = torch.as_tensor(~ended, dtype=torch.float32)
            kept.append([seen, decision, coins.log_prob(decision), surprise, goes_on])
            seen = torch.as_tensor(after)
        states, decisions, chances, surprises, goes_on = (torch.stack(each) for each in zip(*kept, strict=True))
        advantages, following = torch.zeros_like(surprises), torch.zeros(settings.cells)
        for t in reversed(range(settings.steps)):
            following = surprises[t] + settings.discount * settings.trace * goes_on[t] * following
            advantages[t] = following
        returns = advantages + agent.values(states)
    return [each.flatten(0, 1) for each in (states, decisions, chances, advantages, returns)], seen


def update(agent: Agent, optimiser: torch.optim.Optimizer, experience: list[Tensor], settings: Settings) -> None:
    """Learn from some frames."""
    for _ in range(settings.epochs):
        for part in torch.randperm(len(experience[0])).split(settings.batch):
            states, decisions, chances, advantages, returns = (each[part] for each in experience)
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
            ratio = (agent.decisions(states).log_prob(decisions) - chances).exp()
            clipped = ratio.clamp(1.0 - settings.clip, 1.0 + settings.clip)
            loss = -torch.minimum(ratio * advantages, clipped * advantages).mean()
            loss = loss + settings.value_weight * (agent.values(states) - returns).square().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimiser.step()


def train(scenario: quedge.Scenario, experience: int, settings: Settings, seed: int = 0) -> Agent:
    """Train an agent from nothing on so many frames, over all cells, in whole updates."""
    torch.manual_seed(seed)
    cells = gymnasium.make_vec(
        "quedge/Offloading-v0", settings.cells, scenario=scenario, frames=settings.episode, autoreset_mode="SameStep"
    )
    agent = Agent(cells)
    optimiser = torch.optim.Adam(agent.parameters(), settings.learning_rate)
    updates = max(experience // (settings.cells * settings.steps), 1)
    seen = torch.as_tensor(cells.reset(seed=seed)[0])
    for done in range(updates):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * (1.0 - done / updates)
        kept, seen = experience_of(agent, cells, seen, settings)
        update(agent, optimiser, kept, settings)
    return agent


def main(scenario: quedge.Scenario | None = None, experience: int = 100_000, frames: int = 1000) -> quedge.Comparison:
    """Train on so many frames of experience, and compare what was learned over so many frames."""
    torch.set_num_threads(1)  # more slow down networks as small as these
    scenario = scenario or quedge.Scenario()
    agent = train(scenario, experience, Settings())
    policies = {"best-pair": quedge.BestPair(), "PPO": TrainedModel(agent), "exact": quedge.Exact()}
    return quedge.compare(policies, scenario, frames, seeds=3)


if __name__ == "__main__":
    print(main())
