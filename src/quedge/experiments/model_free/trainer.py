"""Model-free training as settings, and the policy that comes of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.greedy import NomaGreedy
from quedge.environment.agent_actions import Action
from quedge.errors import check_installed
from quedge.experiments.job import Trained
from quedge.experiments.model_free.algorithms import PPO, Algorithm
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.simulation.processes import ArrivalProcess, ChannelProcess
from quedge.simulation.vector_cells.observation import Reward, observation_of, observed_in

Layers = tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
"""Weights, shape (outputs, inputs), and biases, shape (outputs,), of each layer of a network."""


@dataclass(frozen=True)
class ModelFree:
    """An algorithm of Stable-Baselines3, which decides who offloads; powers are allocated greedily, as LyDROO's are.

    It trains on `OffloadingVectorEnv`. A discount of 0 was measured to be the best: a frame's objective holds all of
    the drift-plus-penalty bound (docs/gymnasium.md).

    Attributes:
        algorithm: which one, with its own settings.
        experience: frames of training per frame of the run that follows.
        cells: number of cells that step together.
        episode: frames of an episode.
        learning_rate: of Adam, falling to 0 in proportion to the frames left.
        discount: γ.
        hidden: units of the hidden layers of every network.
        reward: what is rewarded.
    """

    algorithm: Algorithm = PPO
    experience: int = 80
    cells: int = 64
    episode: int = 500
    learning_rate: float = 2e-3
    discount: float = 0.0
    hidden: tuple[int, ...] = (128, 128)
    reward: Reward = Reward.OBJECTIVE

    def train(
        self, scenario: Scenario, frames: int, seed: int, channel: ChannelProcess, arrivals: ArrivalProcess
    ) -> Trained:
        """See `PolicyTrainer.train`.

        Raises:
            ValueError: the algorithm's actions cannot decide so many devices.
        """
        check_model_free(self.algorithm)
        self.algorithm.action.check_devices(scenario.devices)
        from quedge.environment.vector import OffloadingVectorEnv
        from quedge.experiments.model_free.training import trained_layers

        cells = OffloadingVectorEnv(
            self.cells, scenario, self.episode, reward=self.reward, channel=channel, arrivals=arrivals
        )
        cells.reset(seed=[seed] * self.cells)
        cells.step(np.zeros((self.cells, scenario.devices)))  # compiles, which is no part of the training
        settings = {
            "learning_rate": lambda left: self.learning_rate * left,
            "gamma": self.discount,
            "policy_kwargs": {"net_arch": list(self.hidden)},
            **self.algorithm.settings,
        }
        began = time.process_time()
        layers, used = trained_layers(self.algorithm, cells, self.experience * frames, seed, settings)
        policy = TrainedNetwork(layers, self.algorithm.action, self.algorithm.activation)
        return Trained(policy, used, time.process_time() - began)


def check_model_free(algorithm: Algorithm) -> None:
    """Refuse to train where Stable-Baselines3 is not installed.

    Raises:
        MissingExtraError: naming the algorithm.
    """
    check_installed("stable_baselines3", algorithm.name, "Stable-Baselines3", "ppo")


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """The network that an algorithm trained, at its most likely decision; powers are allocated greedily.

    Attributes:
        layers: of the network.
        action: what its output says.
        activation: between the layers, "tanh" or "relu".
    """

    layers: Layers
    action: Action
    activation: str

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`."""
        offload = self.action.most_likely(self.output(frame), frame.cell.devices)
        return NomaGreedy().allocate(frame, offload)

    def output(self, frame: Frame) -> NDArray[np.float32]:
        """Output of the last layer: of PPO the logarithm of the odds that each device offloads, shape (devices,)."""
        numbers = self.layers[0][0].shape[1] // frame.cell.devices
        seen = observation_of(frame, observed_in(frame.cell, numbers))
        *hidden, (weight, bias) = self.layers
        for inner_weight, inner_bias in hidden:
            seen = inner_weight @ seen + inner_bias
            seen = np.tanh(seen) if self.activation == "tanh" else np.maximum(seen, 0.0)
        return np.asarray(weight @ seen + bias)
