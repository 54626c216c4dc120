"""The actor that serves any number of devices with the same weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.model.kernels import Floats32, Ints, kernel, unlocked_kernel
from quedge.policy.lydroo.network import layers
from quedge.policy.lydroo.network.network import Weights, check_units
from quedge.policy.lydroo.replay import Batch


@dataclass(frozen=True)
class SharedActor:
    """One small network for every device, which sees its own features and a summary of all devices.

    Each device's features are embedded; mean and maximum of the embeddings over all devices are the context; a second
    layer sees the device's own embedding and the context. Permuting the devices permutes the output, and the same
    weights serve any number of devices.

    Attributes:
        embedding: units of the first layer.
        hidden: units of the second layer.

    Example:
        >>> actor = quedge.SharedActor(embedding=16, hidden=16)
        >>> print(actor.shapes(devices=10, features=3) == actor.shapes(devices=50, features=3))
        True
        >>> agent = quedge.Lydroo(actor=actor)
    """

    embedding: int = 32
    hidden: int = 32

    def __post_init__(self) -> None:
        check_units("embedding", self.embedding)
        check_units("hidden", self.hidden)

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
        devices = np.array([features.shape[0]])
        logits = _forward(features[np.newaxis], devices, tuple(weights.values()))[3][0]
        return np.asarray(logits, dtype=np.float64)

    def gradient(self, weights: Weights, batch: Batch, gradient: Weights) -> float:
        """The loss and its gradient; see `Actor.gradient`.

        Where several devices share an embedding's maximum, its slope is shared evenly among them.
        """
        return _gradient(*batch, tuple(weights.values()), tuple(gradient.values()))


@kernel
def _forward(
    features: Floats32, devices: Ints, weights: tuple[Floats32, ...]
) -> tuple[Floats32, Floats32, Floats32, Floats32]:
    """What the network makes of frames of up to as many devices, shape (frames, devices, features).

    Returns:
        embeddings, shape (frames · devices, embedding); their mean and maximum in each frame, shape (frames,
        2 · embedding); second layer, shape (frames · devices, hidden); logits, shape (frames, devices).
    """
    embed, embed_bias, own, context, context_bias, output, output_bias = weights
    frames, most, inputs = features.shape
    rows = frames * most
    embedded = layers.layer(features.reshape((rows, inputs)), embed, embed_bias)
    layers.rectify(embedded)
    pooled = np.zeros((frames, 2 * embed.shape[0]), np.float32)
    for frame in range(frames):
        _pool(embedded[frame * most : frame * most + devices[frame]], pooled[frame])
    shared = layers.layer(pooled, context, context_bias)
    hidden = np.empty((rows, own.shape[0]), np.float32)
    for row in range(rows):
        hidden[row] = shared[row // most]
    layers.add_product(embedded, own, hidden)
    layers.rectify(hidden)
    return embedded, pooled, hidden, layers.layer(hidden, output, output_bias).reshape((frames, most))


@unlocked_kernel
def _gradient(
    features: Floats32, offload: Floats32, devices: Ints, weights: tuple[Floats32, ...], gradient: tuple[Floats32, ...]
) -> float:
    """Fill in the loss's gradient in each of the weights; returns the loss."""
    _, _, own, context, _, output, _ = weights
    embed_slopes, embed_bias_slopes, own_slopes, context_slopes, context_bias_slopes = gradient[:5]
    output_slopes, output_bias_slopes = gradient[5:]
    embedded, pooled, hidden, logits = _forward(features, devices, weights)
    frames, most, inputs = features.shape
    rows = frames * most
    of_logits = np.empty((frames, most), np.float32)
    loss = layers.cross_entropy(logits, offload, devices, of_logits)
    of_output = of_logits.reshape((rows, 1))
    layers.weight_slopes(hidden, of_output, output_slopes)
    layers.bias_slopes(of_output, output_bias_slopes)
    of_hidden = layers.input_slopes(of_output, output)
    layers.rectify_slopes(hidden, of_hidden)
    layers.weight_slopes(embedded, of_hidden, own_slopes)
    of_embedded = layers.input_slopes(of_hidden, own)
    of_shared = np.zeros((frames, own.shape[0]), np.float32)
    for row in range(rows):
        of_shared[row // most] += of_hidden[row]
    layers.weight_slopes(pooled, of_shared, context_slopes)
    layers.bias_slopes(of_shared, context_bias_slopes)
    of_pooled = layers.input_slopes(of_shared, context)
    for frame in range(frames):
        there = slice(frame * most, frame * most + devices[frame])
        _add_pool_slopes(embedded[there], pooled[frame], of_pooled[frame], of_embedded[there])
    layers.rectify_slopes(embedded, of_embedded)
    layers.weight_slopes(features.reshape((rows, inputs)), of_embedded, embed_slopes)
    layers.bias_slopes(of_embedded, embed_bias_slopes)
    return loss


@kernel
def _pool(embedded: Floats32, pooled: Floats32) -> None:
    """Mean and maximum of a frame's embeddings, shape (devices, units), into zeros of shape (2 · units,)."""
    devices, units = embedded.shape
    for i in range(devices):
        for unit in range(units):
            pooled[unit] += embedded[i, unit] / np.float32(devices)
            pooled[units + unit] = max(pooled[units + unit], embedded[i, unit])  # at least 0, as all of them are


@kernel
def _add_pool_slopes(embedded: Floats32, pooled: Floats32, of_pooled: Floats32, of_embedded: Floats32) -> None:
    """Add to the slopes of a frame's embeddings those that come from their mean and maximum; shapes as in `_pool`."""
    devices, units = embedded.shape
    for unit in range(units):
        largest, holders = pooled[units + unit], 0
        for i in range(devices):
            holders += embedded[i, unit] == largest
        of_mean, of_largest = of_pooled[unit] / np.float32(devices), of_pooled[units + unit] / np.float32(holders)
        for i in range(devices):
            of_embedded[i, unit] += of_mean
            if embedded[i, unit] == largest:
                of_embedded[i, unit] += of_largest
