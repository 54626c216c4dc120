"""Adam's step, compiled."""

from __future__ import annotations

import math

import numpy as np

from quedge.model.compiled import Floats32, kernel

_MEAN_DECAY, _SQUARE_DECAY = 0.9, 0.999
_SMALLEST = 1e-8


@kernel
def adam(
    weights: Floats32, gradient: Floats32, mean: Floats32, square: Floats32,
    step: float, learning_rate: float, weight_decay: float,
) -> None:  # fmt: skip
    """One step, in place.

    Args:
        weights: the weights, shape (weights,), like all arrays; overwritten.
        gradient: the loss's gradient in them.
        mean: the gradients' running mean; overwritten.
        square: the running mean of their squares; overwritten.
        step: number of this step, from 1.
        learning_rate: the step size.
        weight_decay: weight of half the weights' sum of squares in the loss.

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
