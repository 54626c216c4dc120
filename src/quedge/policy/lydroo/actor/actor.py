"""What an actor is: a network's shape, its forward pass, and its loss's gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quedge.policy.lydroo.replay import Batch

Weights = Mapping[str, NDArray[np.float32]]
"""Arrays by name: for each layer `name.weight`, shape (outputs, inputs), and `name.bias`, shape (outputs,).

They stand in the order of `Actor.shapes`, in which the kernels take them.
"""


class Actor(Protocol):
    """A network: how its weights look, what it makes of a frame's features, and where its loss falls."""

    def shapes(self, devices: int, features: int) -> dict[str, tuple[int, ...]]:
        """The shape of each of its weights.

        Args:
            devices: number of devices.
            features: number of features a device.
        """
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
    """Refuse what is no number of units of a layer.

    Raises:
        ValueError: naming the layer and the number.
    """
    if isinstance(units, bool) or not isinstance(units, int) or not 1 <= units <= 4096:
        raise ValueError(f"{name}: {units!r} is not allowed; it must be an integer, from 1 to 4096")


def wrong_devices(devices: int, made_for: int) -> ValueError:
    """The refusal of a number of devices that an actor was not made for."""
    return ValueError(
        f"devices: {devices} is not allowed; this mlp actor was made for {made_for}. The shared actor serves any number"
    )
