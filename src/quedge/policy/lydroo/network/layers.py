"""What both networks are made of: fully connected layers, rectified, and the loss; forward and backward.

Rows are independent inputs of a layer. A backward pass skips slopes of zero, which are what a rectifier leaves of about
half of them.
"""

from __future__ import annotations

import math

import numpy as np

from quedge.model.arrays import copy_into
from quedge.model.kernels import Floats32, Ints, kernel, summing_kernel


@kernel
def layer(inputs: Floats32, weight: Floats32, bias: Floats32) -> Floats32:
    """A layer's outputs, shape (rows, outputs), before they are rectified; arguments as in `add_product`."""
    outputs = np.empty((inputs.shape[0], weight.shape[0]), np.float32)
    for row in range(outputs.shape[0]):
        copy_into(outputs[row], bias)
    add_product(inputs, weight, outputs)
    return outputs


@kernel
def add_product(inputs: Floats32, weight: Floats32, outputs: Floats32) -> None:
    """Add what a layer makes of its inputs.

    `inputs` are of shape (rows, inputs), `weight` of shape (outputs, inputs), `outputs` of shape (rows, outputs).
    """
    for row in range(inputs.shape[0]):
        for unit in range(weight.shape[0]):
            outputs[row, unit] += _dot(weight[unit], inputs[row])


@kernel
def rectify(outputs: Floats32) -> None:
    """Replace what is negative by zero, in place; shape (rows, outputs)."""
    for row in range(outputs.shape[0]):
        for unit in range(outputs.shape[1]):
            outputs[row, unit] = max(outputs[row, unit], np.float32(0.0))


@kernel
def rectify_slopes(outputs: Floats32, slopes: Floats32) -> None:
    """Replace the slopes of outputs that were rectified by zero, in place; both of shape (rows, outputs)."""
    for row in range(outputs.shape[0]):
        for unit in range(outputs.shape[1]):
            if outputs[row, unit] <= 0.0:
                slopes[row, unit] = 0.0


@kernel
def weight_slopes(inputs: Floats32, slopes: Floats32, weight: Floats32) -> None:
    """Overwrite `weight` by the loss's gradient in a layer's weights, shape (outputs, inputs).

    `slopes` is the gradient in the layer's outputs, shape (rows, outputs); `inputs` are of shape (rows, inputs).
    """
    weight[:] = 0.0
    for row in range(inputs.shape[0]):
        for unit in range(slopes.shape[1]):
            slope = slopes[row, unit]
            if slope != 0.0:
                for i in range(inputs.shape[1]):
                    weight[unit, i] += slope * inputs[row, i]


@kernel
def bias_slopes(slopes: Floats32, bias: Floats32) -> None:
    """The loss's gradient in a layer's bias, shape (outputs,), overwritten; from `slopes`, shape (rows, outputs)."""
    bias[:] = 0.0
    for row in range(slopes.shape[0]):
        for unit in range(slopes.shape[1]):
            bias[unit] += slopes[row, unit]


@kernel
def input_slopes(slopes: Floats32, weight: Floats32) -> Floats32:
    """The loss's gradient in a layer's inputs, shape (rows, inputs), by that in its outputs, shape (rows, outputs)."""
    inputs = np.zeros((slopes.shape[0], weight.shape[1]), np.float32)
    for row in range(slopes.shape[0]):
        for unit in range(slopes.shape[1]):
            slope = slopes[row, unit]
            if slope != 0.0:
                for i in range(weight.shape[1]):
                    inputs[row, i] += slope * weight[unit, i]
    return inputs


@kernel
def cross_entropy(logits: Floats32, offload: Floats32, devices: Ints, slopes: Floats32) -> float:
    """The binary cross-entropy between relaxed and carried-out decisions, averaged over all devices.

    Args:
        logits: the relaxed decisions before the sigmoid, shape (frames, devices).
        offload: the carried-out decisions, 0 or 1, shape (frames, devices).
        devices: number of devices in each frame, shape (frames,); the rest is padding.
        slopes: the average's gradient in the logits, shape (frames, devices), zero in the padding; overwritten.
    """
    share = 1.0 / devices.sum()
    loss = 0.0
    slopes[:] = 0.0
    for frame in range(logits.shape[0]):
        for i in range(devices[frame]):
            logit, label = float(logits[frame, i]), float(offload[frame, i])
            decay = math.exp(-abs(logit))  # at most 1: nothing overflows
            loss += share * (max(logit, 0.0) - label * logit + math.log1p(decay))
            relaxed = (1.0 if logit >= 0.0 else decay) / (1.0 + decay)
            slopes[frame, i] = share * (relaxed - label)
    return loss


@summing_kernel
def _dot(one: Floats32, other: Floats32) -> np.float32:
    total = np.float32(0.0)
    for i in range(one.size):
        total += one[i] * other[i]
    return total
