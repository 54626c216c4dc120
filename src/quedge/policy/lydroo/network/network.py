"""What a network is, and how it learns: steps of Adam on the loss, in compiled code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed
from quedge.model.kernels import Floats32, kernel
from quedge.policy.lydroo.replay import Batch

Weights = Mapping[str, NDArray[np.float32]]
"""Arrays by name: for each layer `name.weight`, shape (outputs, inputs), and `name.bias`, shape (outputs,).

They stand in the order of `Actor.shapes`, in which the kernels take them.
"""


class Actor(Protocol):
    """A network: how its weights look, what it makes of a frame's features, and where its loss falls."""

    def shapes(self, devices: int, features: int) -> dict[str, tuple[int, ...]]:
        """The shape of each of its weights, for so many devices and features of each."""
        ...

    def logits(self, weights: Weights, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The relaxed decision before the sigmoid, shape (devices,); `features` of shape (devices, features)."""
        ...

    def gradient(self, weights: Weights, batch: Batch, gradient: Weights) -> float:
        """The loss on a batch, and its gradient.

        Args:
            weights: the weights.
            batch: the frames.
            gradient: the loss's derivative in each weight, shaped as the weights; overwritten.

        Returns:
            The binary cross-entropy between relaxed and remembered decisions, averaged over the devices of all frames.
        """
        ...


def fresh_weights(shapes: Mapping[str, tuple[int, ...]], rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Weights of an untrained actor: uniform within ±1/sqrt(inputs) of the layer, PyTorch's usual choice."""
    weights = {}
    for name, shape in shapes.items():
        layer = name.partition(".")[0]
        bound = 1.0 / math.sqrt(shapes[f"{layer}.weight"][1])
        weights[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
    return weights


def check_units(name: str, units: int) -> None:
    """Refuse what is no number of units of a layer; a ValueError names the layer and the number."""
    if isinstance(units, bool) or not isinstance(units, int) or not 1 <= units <= 4096:
        raise not_allowed(name, units, "an integer, from 1 to 4096")


def wrong_devices(devices: int, made_for: int) -> ValueError:
    """The refusal of a number of devices that an actor was not made for."""
    return ValueError(
        f"devices: {devices} is not allowed; this mlp actor was made for {made_for}. The shared actor serves any number"
    )


_MEAN_DECAY, _SQUARE_DECAY = 0.9, 0.999
_SMALLEST = 1e-8


@kernel
def adam(
    weights: Floats32, gradient: Floats32, mean: Floats32, square: Floats32,
    step: float, learning_rate: float, weight_decay: float
) -> None:  # fmt: skip
    """One step of Adam, in place; all arrays of shape (weights,).

    `mean` and `square` are the running means of the gradients and of their squares; steps count from 1. The loss has
    half the weights' sum of squares with the weight `weight_decay`.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, Algorithm 1 with its constants.
    """
    rate = np.float32(learning_rate / (1.0 - _MEAN_DECAY**step))
    unbiased = np.float32(math.sqrt(1.0 - _SQUARE_DECAY**step))
    decay = np.float32(weight_decay)
    for i in range(weights.size):
        slope = gradient[i] + decay * weights[i]
        mean[i] += np.float32(1.0 - _MEAN_DECAY) * (slope - mean[i])
        square[i] += np.float32(1.0 - _SQUARE_DECAY) * (slope * slope - square[i])
        weights[i] -= rate * mean[i] / (np.sqrt(square[i]) / unbiased + np.float32(_SMALLEST))


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
