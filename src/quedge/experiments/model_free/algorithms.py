"""The algorithms of Stable-Baselines3 as data: what an action is, settings, and where the trained network stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quedge.environment.agent_actions import Action


@dataclass(frozen=True)
class Algorithm:
    """An algorithm of Stable-Baselines3.

    Attributes:
        name: its class.
        action: what its action is.
        layers: what the names of the layers of the network that decides begin with, among the trained weights.
        activation: between these layers, "tanh" or "relu".
        settings: arguments of its class; others have the library's defaults.
        noise: standard deviation of Gaussian noise on the actions of training, for algorithms without any of their own.
    """

    name: str
    action: Action
    layers: tuple[str, ...]
    activation: str
    settings: Mapping[str, float | int] = field(default_factory=dict)
    noise: float = 0.0


PPO = Algorithm(
    "PPO", Action.BINARY, ("mlp_extractor.policy_net", "action_net"), "tanh",
    {"n_steps": 32, "batch_size": 256, "n_epochs": 6},
)  # fmt: skip
"""Proximal policy optimisation (Schulman, Wolski, Dhariwal, Radford, Klimov, arXiv:1707.06347, 2017)."""

_OFF_POLICY: Mapping[str, float | int] = {
    "batch_size": 128, "buffer_size": 100_000, "learning_starts": 2_000, "train_freq": 1, "gradient_steps": 5,
}  # fmt: skip

SAC = Algorithm("SAC", Action.SCORES, ("actor.latent_pi", "actor.mu"), "relu", _OFF_POLICY)
"""Soft actor-critic (Haarnoja, Zhou, Abbeel, Levine, ICML 2018)."""

TD3 = Algorithm("TD3", Action.SCORES, ("actor.mu",), "relu", _OFF_POLICY, noise=0.3)
"""Twin delayed deep deterministic policy gradient (Fujimoto, van Hoof, Meger, ICML 2018)."""

DDPG = Algorithm("DDPG", Action.SCORES, ("actor.mu",), "relu", _OFF_POLICY, noise=0.3)
"""Deep deterministic policy gradient (Lillicrap and others, ICLR 2016)."""

DQN = Algorithm(
    "DQN", Action.JOINT, ("q_net.q_net",), "relu", {**_OFF_POLICY, "exploration_fraction": 0.5}
)  # fmt: skip
"""Deep Q-network (Mnih and others, Nature 518, 2015), over all 2^N decisions: see `Action.JOINT`."""
