"""The algorithms of Stable-Baselines3 as data: what an action is, settings, and where the trained network stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed

_MOST_JOINT_DEVICES = 12


class Action(StrEnum):
    """What an algorithm's action is, and who offloads by it; powers are allocated greedily."""

    BINARY = "binary"
    """N binary numbers: who offloads."""
    SCORES = "scores"
    """N numbers from −1 to 1: who has one above 0 offloads."""
    JOINT = "joint"
    """One of 2^N numbers, whose bits say who offloads: for at most 12 devices, 4,096 decisions."""

    def check_devices(self, devices: int) -> None:
        """Refuse more devices than such an action can decide.

        Raises:
            ValueError: naming their number.
        """
        if self is Action.JOINT and devices > _MOST_JOINT_DEVICES:
            raise not_allowed(
                "devices", devices, f"at most {_MOST_JOINT_DEVICES} where an action is one of 2^N decisions"
            )

    def offload(self, taken: NDArray[Any], devices: int) -> NDArray[np.bool_]:
        """Who offloads by actions, shape (cells, devices).

        Args:
            taken: one action per cell, shape (cells, devices) or, of joint ones, (cells,).
            devices: number of devices.
        """
        if self is Action.JOINT:
            return np.asarray((taken[:, np.newaxis].astype(np.int64) >> np.arange(devices)) & 1, dtype=np.bool_)
        return np.asarray(taken > 0)

    def most_likely(self, output: NDArray[np.float32], devices: int) -> NDArray[np.bool_]:
        """Who offloads by the output of the trained network, without any exploration; shape (devices,).

        Args:
            output: logits, scores before they are squashed, or the value of each joint decision.
            devices: number of devices.
        """
        taken = np.argmax(output, keepdims=True) if self is Action.JOINT else output[np.newaxis]
        return np.asarray(self.offload(taken, devices)[0])


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
