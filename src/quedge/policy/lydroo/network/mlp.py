"""The paper's actor, made for one number of devices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed
from quedge.model.kernels import Floats32, Ints, kernel, unlocked_kernel
from quedge.policy.lydroo.network import layers
from quedge.policy.lydroo.network.network import Weights, check_units, wrong_devices
from quedge.policy.lydroo.replay import Batch


@dataclass(frozen=True)
class MlpActor:
    """The paper's actor: one fully connected network that sees all devices at once, made for their number.

    Attributes:
        hidden: units of the two hidden layers.

    Example:
        >>> agent = quedge.Lydroo(actor=quedge.MlpActor(hidden=(64, 32)))
        >>> print(agent.actor.shapes(devices=10, features=3)["first.weight"])
        (64, 30)

    Source: Section VI-A; LyDROO.
    """

    hidden: tuple[int, int] = (256, 128)

    def __post_init__(self) -> None:
        if len(self.hidden) != 2:
            raise not_allowed("hidden", self.hidden, "two numbers of units")
        for units in self.hidden:
            check_units("hidden", units)

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
        logits = _forward(features.reshape(1, -1), tuple(weights.values()))[2][0]
        return np.asarray(logits, dtype=np.float64)

    def gradient(self, weights: Weights, batch: Batch, gradient: Weights) -> float:
        """The loss and its gradient; see `Actor.gradient`."""
        return _gradient(*batch, tuple(weights.values()), tuple(gradient.values()))


@kernel
def _forward(features: Floats32, weights: tuple[Floats32, ...]) -> tuple[Floats32, Floats32, Floats32]:
    """What the network makes of frames, shape (frames, devices · features).

    Returns:
        first layer, second layer and logits, each of shape (frames, units).
    """
    first, first_bias, second, second_bias, output, output_bias = weights
    lower = layers.layer(features, first, first_bias)
    layers.rectify(lower)
    upper = layers.layer(lower, second, second_bias)
    layers.rectify(upper)
    return lower, upper, layers.layer(upper, output, output_bias)


@unlocked_kernel
def _gradient(
    features: Floats32, offload: Floats32, devices: Ints, weights: tuple[Floats32, ...], gradient: tuple[Floats32, ...]
) -> float:
    """Fill in the loss's gradient in each of the weights; returns the loss."""
    _, _, second, _, output, _ = weights
    first_slopes, first_bias_slopes, second_slopes, second_bias_slopes, output_slopes, output_bias_slopes = gradient
    seen = features.reshape((features.shape[0], features.shape[1] * features.shape[2]))
    lower, upper, logits = _forward(seen, weights)
    of_logits = np.empty(logits.shape, np.float32)
    loss = layers.cross_entropy(logits, offload, devices, of_logits)
    layers.weight_slopes(upper, of_logits, output_slopes)
    layers.bias_slopes(of_logits, output_bias_slopes)
    of_upper = layers.input_slopes(of_logits, output)
    layers.rectify_slopes(upper, of_upper)
    layers.weight_slopes(lower, of_upper, second_slopes)
    layers.bias_slopes(of_upper, second_bias_slopes)
    of_lower = layers.input_slopes(of_upper, second)
    layers.rectify_slopes(lower, of_lower)
    layers.weight_slopes(seen, of_lower, first_slopes)
    layers.bias_slopes(of_lower, first_bias_slopes)
    return loss
