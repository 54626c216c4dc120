"""How an actor learns: steps of Adam on the loss, in compiled code."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from quedge.policy.lydroo.actor.actor import Actor, Weights
from quedge.policy.lydroo.actor.adam import adam
from quedge.policy.lydroo.replay import Batch

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # as PyTorch's Adam calls them


class Trainer:
    """Steps of Adam on the mean binary cross-entropy.

    The weights change in place: whoever holds the arrays sees them change.
    """

    def __init__(self, actor: Actor, weights: Weights, weight_decay: float = 0.0, keeps_moments: bool = True) -> None:
        """A trainer before its first step.

        Args:
            actor: the network's shape.
            weights: its weights.
            weight_decay: weight of half the weights' sum of squares in the loss.
            keeps_moments: whether Adam keeps its moments from step to step; without them each weight moves by the
                learning rate against the sign of its gradient.
        """
        self._actor = actor
        self._weights = weights
        self._weight_decay = weight_decay
        self._keeps_moments = keeps_moments
        self._gradient = {name: np.zeros_like(values) for name, values in weights.items()}
        self._moments: dict[str, dict[str, NDArray[np.float32]]] = {}

    def step(self, batch: Batch, learning_rate: float) -> float:
        """One step on a batch; returns the loss before it."""
        loss = self._actor.gradient(self._weights, batch, self._gradient)
        if not self._keeps_moments:
            self._moments.clear()
        for name, weights in self._weights.items():
            self._descend(name, weights, learning_rate)
        return loss

    def moments(self) -> dict[str, NDArray[np.float32]]:
        """Adam's memory, by `weight:moment`; empty before the first step."""
        return {
            f"{name}:{moment}": values.copy()
            for name, moments in self._moments.items()
            for moment, values in moments.items()
        }

    def restore(self, moments: Mapping[str, NDArray[np.float32]]) -> None:
        """Go on with the memory that `moments` gave."""
        names = list(self._weights) if moments else []
        self._moments = {name: {moment: np.array(moments[f"{name}:{moment}"]) for moment in _MOMENTS} for name in names}

    def _descend(self, name: str, weights: NDArray[np.float32], learning_rate: float) -> None:
        """A step of Adam for one array of weights."""
        if name not in self._moments:
            self._moments[name] = {
                "step": np.zeros((), np.float32),
                "exp_avg": np.zeros_like(weights),
                "exp_avg_sq": np.zeros_like(weights),
            }
        step, mean, square = self._moments[name].values()
        step += np.float32(1.0)
        gradient = self._gradient[name]
        adam(
            weights.reshape(-1), gradient.reshape(-1), mean.reshape(-1), square.reshape(-1),
            float(step), learning_rate, self._weight_decay,
        )  # fmt: skip
