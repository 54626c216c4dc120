"""What the actor sees: the one place where its inputs are built and scaled."""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from quedge.allocation.greedy import greedy_level
from quedge.model.frame import Frame, PackedFrame, packed_frame, unpacked_frame
from quedge.model.kernels import Floats, Floats32, kernel
from quedge.model.terms import Terms, frame_terms, step_objective

GAIN_FEATURES = 1
STATE_FEATURES = 3
MODEL_FEATURES = 9
OUT_OF_COVERAGE = -6.0
"""The feature of a channel gain of 0: that of a gain 30 dB below the noise."""
ROUNDING = 1e-13
"""Advantages that differ by less, over the frame's largest objective, are equal, and one so small is none."""


class Inputs(StrEnum):
    """Which features of each device an actor sees.

    Example:
        >>> agent = quedge.Lydroo(inputs=quedge.Inputs.MODEL)
        >>> print({str(inputs): inputs.features for inputs in quedge.Inputs})
        {'gain': 1, 'state': 3, 'linear': 3, 'model': 9}
    """

    GAIN = "gain"
    """The channel gain alone, on the log scale of `STATE`: what DROO sees, but for the scale."""
    STATE = "state"
    """The frame's state alone: channel gain, data queue and energy queue, as in the paper."""
    LINEAR = "linear"
    """The state as LyDROO's public code scales it for frames of 1 s: h · 1e10, Q / 1e4, Y / 1e4."""
    MODEL = "model"
    """The state, and what the model gives without any search about the device alone and beside the best one."""

    @property
    def features(self) -> int:
        """Number of features a device."""
        if self is Inputs.GAIN:
            return GAIN_FEATURES
        return MODEL_FEATURES if self is Inputs.MODEL else STATE_FEATURES


def device_features(frame: Frame, inputs: Inputs) -> Floats32:
    """What an actor sees of each device; docs/onnx.md defines each feature.

    Args:
        frame: the frame.
        inputs: which features.

    Returns:
        An array of shape (devices, `inputs.features`), float32.

    Example:
        >>> print(quedge.device_features(frame, quedge.Inputs.STATE).round(2))
        [[ 0.4   0.9   1.03]
         [-0.3   1.15  0.  ]
         [-1.12  0.8   1.2 ]]
    """
    if inputs is Inputs.LINEAR:
        return _linear_state(frame)
    features = model_features(frame)
    return features if inputs is Inputs.MODEL else np.ascontiguousarray(features[:, : inputs.features])


def _linear_state(frame: Frame) -> Floats32:
    """The state on the linear scales of LyDROO's public code; of frames of another length as of 1 s."""
    length = frame.cell.frame_s
    data, energy = frame.data_queue_mbit / length, frame.energy_queue / math.sqrt(length)
    return np.column_stack((frame.channel_gain * 1e10, data / 1e4, energy / 1e4)).astype(np.float32)


def model_features(frame: Frame) -> Floats32:
    """Features of each device, of order one.

    Returns:
        An array of shape (devices, MODEL_FEATURES); the first STATE_FEATURES of them are the state itself.

        0. channel gain to noise, log scale; -6 where the gain is 0;
        1. data queue over the frame's length, log scale;
        2. weighted energy queue over the frame's length, log scale;
        3. objective (17) of the device when it alone offloads, over the largest one that a device has in this frame;
        4. that minus its objective of local computing - its advantage -, on the same scale;
        5. ln(1 + SINR) when it alone offloads;
        6. the share of its transmit power that it then uses;
        7. its advantage over the frame's largest, at least -1;
        8. what it adds beside the device of the largest advantage, the leader, on the scale of 3; the leader's own
           advantage for the leader. Of several the weakest leads.

    LyDROO's actor sees the state only; the equivariant agent's sees all of them (docs/lydroo.md).
    """
    return _model_features(packed_frame(frame))


@kernel
def _model_features(packed: PackedFrame) -> Floats32:
    frame = unpacked_frame(*packed)
    cell, channel_gain, data_queue_mbit, energy_queue = frame
    terms = frame_terms(*frame)
    n = terms.device.size
    features = np.zeros((n, MODEL_FEATURES), np.float32)
    level = np.empty(n)
    single = np.empty(n)
    scale, lead = 0.0, -math.inf
    for k in range(n):
        level[k] = greedy_level(terms, k, 1.0)
        single[k] = step_objective(terms, k, 1.0, level[k])
        scale = max(scale, abs(single[k]), terms.local_value[k])
        lead = max(lead, single[k] - terms.local_value[k])
    unit = 1.0 / scale if scale > 0.0 else 0.0  # in an empty cell nothing is worth anything
    leader = 0
    while single[leader] - terms.local_value[leader] < lead - ROUNDING * scale:
        leader += 1
    for k in range(n):
        i = terms.device[k]
        advantage = single[k] - terms.local_value[k]
        features[i, 0] = OUT_OF_COVERAGE
        if channel_gain[i] > 0.0:
            features[i, 0] = math.log10(channel_gain[i] / cell.noise_w) - 3.0
        features[i, 1] = 0.5 * math.log1p(data_queue_mbit[i] / cell.frame_s)
        features[i, 2] = 0.25 * math.log1p(cell.nu * energy_queue[i] / cell.frame_s)
        features[i, 3] = single[k] * unit
        features[i, 4] = advantage * unit
        features[i, 5] = 0.2 * math.log(level[k])
        features[i, 6] = min((level[k] - 1.0) / terms.step_limit[k], 1.0) if terms.step_limit[k] > 0.0 else 0.0
        features[i, 7] = max(advantage / lead, -1.0) if lead > ROUNDING * scale else -1.0
        beside = advantage
        if k != leader:
            beside = _pair_objective(terms, leader, k, level) - single[leader] - terms.local_value[k]
        features[i, 8] = beside * unit
    return features


@kernel
def _pair_objective(terms: Terms, one: int, other: int, level: Floats) -> float:
    """Objective of two devices that offload together; `level` is the level of each when it offloads alone."""
    later, earlier = min(one, other), max(one, other)  # the chain begins with the last decoded
    after = greedy_level(terms, earlier, level[later])
    return step_objective(terms, later, 1.0, level[later]) + step_objective(terms, earlier, level[later], after)
