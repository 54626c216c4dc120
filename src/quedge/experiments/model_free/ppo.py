"""PPO: the settings of its training, and the trained policy."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.greedy import NomaGreedy
from quedge.errors import check_installed
from quedge.experiments.job import Trained
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.simulation.processes import ArrivalProcess, ChannelProcess
from quedge.simulation.vector_cells.observation import OBSERVED, Reward, observe


@dataclass(frozen=True)
class Ppo:
    """PPO of Stable-Baselines3, which decides who offloads; powers are allocated greedily, as LyDROO's are.

    It trains on `OffloadingVectorEnv`. Other settings of `stable_baselines3.PPO` have their defaults. A discount of 0
    was measured to be the best: a frame's objective holds all of the drift-plus-penalty bound (docs/gymnasium.md).

    Attributes:
        experience: frames of training per frame of the run that follows.
        cells: number of cells that step together.
        episode: frames of an episode.
        steps: frames of each cell from one update to the next.
        batch: frames of a gradient step.
        epochs: times that each update goes over its frames.
        learning_rate: of Adam, falling to 0 in proportion to the frames left.
        discount: γ.
        hidden: units of the hidden layers of actor and critic.
        reward: what is rewarded.
    """

    experience: int = 80
    cells: int = 64
    episode: int = 500
    steps: int = 32
    batch: int = 256
    epochs: int = 6
    learning_rate: float = 2e-3
    discount: float = 0.0
    hidden: tuple[int, ...] = (128, 128)
    reward: Reward = Reward.OBJECTIVE

    def train(
        self, scenario: Scenario, frames: int, seed: int, channel: ChannelProcess, arrivals: ArrivalProcess
    ) -> Trained:
        """See `PolicyTrainer.train`."""
        check_installed("stable_baselines3", "PPO", "Stable-Baselines3", "ppo")
        from quedge.environment.offloading import OffloadingVectorEnv
        from quedge.experiments.model_free.training import trained

        cells = OffloadingVectorEnv(
            self.cells, scenario, self.episode, reward=self.reward, channel=channel, arrivals=arrivals
        )
        cells.reset(seed=[seed] * self.cells)
        cells.step(np.zeros((self.cells, scenario.devices)))  # compiles, which is no part of the training
        settings = {
            "n_steps": self.steps,
            "batch_size": self.batch,
            "n_epochs": self.epochs,
            "learning_rate": lambda left: self.learning_rate * left,
            "gamma": self.discount,
        }
        began = time.process_time()
        policy, used = trained(cells, self.experience * frames, seed, self.hidden, settings)
        return Trained(policy, used, time.process_time() - began)


@dataclass(frozen=True, eq=False)
class TrainedPpo:
    """The network that PPO trained, at its most likely decision; powers are allocated greedily.

    Attributes:
        layers: weights, shape (outputs, inputs), and biases, shape (outputs,), of each layer, tanh between them; the
            last layer's output is above 0 where a device offloads.
    """

    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`."""
        return NomaGreedy().allocate(frame, self.logits(frame) > 0.0)

    def logits(self, frame: Frame) -> NDArray[np.float32]:
        """The logarithm of the odds that each device offloads, shape (devices,)."""
        seen = np.empty(OBSERVED * frame.cell.devices, np.float32)
        observe(*frame, seen)
        *hidden, (weight, bias) = self.layers
        for inner_weight, inner_bias in hidden:
            seen = np.tanh(inner_weight @ seen + inner_bias)
        return np.asarray(weight @ seen + bias)
