"""How PPO is trained."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from quedge.experiments.trainer import Trained
from quedge.model.extras import check_installed
from quedge.model.scenario import Scenario
from quedge.simulation.processes import ArrivalProcess, ChannelProcess
from quedge.simulation.side_by_side.action import Actions
from quedge.simulation.side_by_side.cells import SideBySide
from quedge.simulation.side_by_side.reward import Reward


@dataclass(frozen=True)
class Ppo:
    """PPO of Stable-Baselines3, which decides who offloads; powers are allocated greedily, as LyDROO's are.

    It observes what the environment shows. Other settings of `stable_baselines3.PPO` have their defaults. No discount
    was measured to be better than 0: a frame's objective holds all that the drift-plus-penalty bound asks of it
    (docs/gymnasium.md).

    Attributes:
        experience: frames of training for each frame of the run that follows.
        cells: cells that run side by side.
        episode: frames of an episode.
        steps: frames of each cell from one update to the next.
        batch: frames of a gradient step.
        epochs: times that each update goes over its frames.
        learning_rate: of Adam, falling to 0 in proportion to the frames left.
        discount: γ.
        hidden: units of the hidden layers, of the actor and of the critic.
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
        """Train from nothing; see `Trainer.train`."""
        check_installed("stable_baselines3", "PPO", "Stable-Baselines3", "ppo")
        from quedge.experiments.ppo.training import trained

        cells = SideBySide(scenario, self.cells, self.episode, Actions.OFFLOAD, self.reward, channel, arrivals)
        cells.restart([seed] * self.cells)
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
