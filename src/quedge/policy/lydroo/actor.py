"""The two actors: their weights, and their forward pass in compiled code.

A decision needs the forward pass alone and takes it here, without PyTorch; `network.py` has the same two networks for
training. Both work on the same memory, so that what is learned counts from the next decision on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quedge.model.compiled import Floats, Floats32, kernel

Weights = Mapping[str, NDArray[np.float32]]
"""Arrays by name: for each layer `name.weight`, shape (outputs, inputs), and `name.bias`, shape (outputs,).

They stand in the order of `Actor.shapes`, in which the kernels take them.
"""


class Actor(Protocol):
    """A network's shape: how its weights look, and what it makes of a frame's features."""

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


@dataclass(frozen=True)
class SharedActor:
    """One small network for every device, which sees its own features and a summary of all devices.

    Each device's features are embedded; mean and maximum of the embeddings over all devices are the context; a second
    layer sees the device's own embedding and the context. Permuting the devices permutes the output, and the same
    weights serve any number of devices.

    Attributes:
        embedding: units of the first layer.
        hidden: units of the second layer.
    """

    embedding: int = 32
    hidden: int = 32

    def __post_init__(self) -> None:
        _check_units("embedding", self.embedding)
        _check_units("hidden", self.hidden)

    def shapes(self, devices: int, features: int) -> dict[str, tuple[int, ...]]:
        """The shape of each weight, whatever the number of devices; see `Actor.shapes`."""
        return {
            "embed.weight": (self.embedding, features),
            "embed.bias": (self.embedding,),
            "own.weight": (self.hidden, self.embedding),
            "context.weight": (self.hidden, 2 * self.embedding),
            "context.bias": (self.hidden,),
            "output.weight": (1, self.hidden),
            "output.bias": (1,),
        }

    def logits(self, weights: Weights, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """One logit a device; see `Actor.logits`."""
        return _shared_logits(features, *weights.values())


@dataclass(frozen=True)
class MlpActor:
    """The paper's actor: one fully connected network that sees all devices at once, made for their number.

    Attributes:
        hidden: units of the two hidden layers.

    Source: Section VI-A; LyDROO.
    """

    hidden: tuple[int, int] = (256, 128)

    def __post_init__(self) -> None:
        if len(self.hidden) != 2:
            raise ValueError(f"hidden: {self.hidden!r} is not allowed; it must be two numbers of units")
        for units in self.hidden:
            _check_units("hidden", units)

    def shapes(self, devices: int, features: int) -> dict[str, tuple[int, ...]]:
        """The shape of each weight; see `Actor.shapes`."""
        first, second = self.hidden
        return {
            "first.weight": (first, devices * features),
            "first.bias": (first,),
            "second.weight": (second, first),
            "second.bias": (second,),
            "output.weight": (devices, second),
            "output.bias": (devices,),
        }

    def logits(self, weights: Weights, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """One logit a device; see `Actor.logits`.

        Raises:
            ValueError: the actor was made for another number of devices.
        """
        made_for = weights["output.bias"].size
        if features.shape[0] != made_for:
            raise wrong_devices(features.shape[0], made_for)
        return _mlp_logits(features.reshape(-1), *weights.values())


def wrong_devices(devices: int, made_for: int) -> ValueError:
    """The refusal of a number of devices that an actor was not made for."""
    return ValueError(
        f"devices: {devices} is not allowed; this mlp actor was made for {made_for}. The shared actor serves any number"
    )


def fresh_weights(shapes: Mapping[str, tuple[int, ...]], rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Weights of an untrained actor: uniform within ±1/sqrt(inputs) of the layer, PyTorch's usual choice."""
    weights = {}
    for name, shape in shapes.items():
        layer = name.partition(".")[0]
        bound = 1.0 / math.sqrt(shapes[f"{layer}.weight"][1])
        weights[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
    return weights


def _check_units(name: str, units: int) -> None:
    if isinstance(units, bool) or not isinstance(units, int) or not 1 <= units <= 4096:
        raise ValueError(f"{name}: {units!r} is not allowed; it must be an integer, from 1 to 4096")


@kernel
def _shared_logits(
    features: Floats32, embed: Floats32, embed_bias: Floats32, own: Floats32,
    context: Floats32, context_bias: Floats32, output: Floats32, output_bias: Floats32,
) -> Floats:  # fmt: skip
    devices, units = features.shape[0], embed.shape[0]
    embedded = np.maximum(np.dot(features, embed.T) + embed_bias, np.float32(0.0))
    pooled = np.zeros(2 * units, np.float32)
    for i in range(devices):
        for unit in range(units):
            pooled[unit] += embedded[i, unit] / np.float32(devices)
            pooled[units + unit] = max(pooled[units + unit], embedded[i, unit])  # at least 0, as all of them are
    shared = np.dot(context, pooled) + context_bias
    hidden = np.maximum(np.dot(embedded, own.T) + shared, np.float32(0.0))
    logits = np.empty(devices)
    for i in range(devices):
        logits[i] = np.dot(hidden[i], output[0]) + output_bias[0]
    return logits


@kernel
def _mlp_logits(
    features: Floats32, first: Floats32, first_bias: Floats32, second: Floats32, second_bias: Floats32,
    output: Floats32, output_bias: Floats32,
) -> Floats:  # fmt: skip
    hidden = np.maximum(np.dot(first, features) + first_bias, np.float32(0.0))
    hidden = np.maximum(np.dot(second, hidden) + second_bias, np.float32(0.0))
    logits = np.empty(output_bias.size)
    logits[:] = np.dot(output, hidden) + output_bias
    return logits
