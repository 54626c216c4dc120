"""What an exported actor takes and gives: the names and shapes that the graph and whoever runs it agree on."""

from __future__ import annotations

from quedge.model.cell import Cell
from quedge.policy.lydroo.features import Inputs

STATE = ("channel_gain", "data_queue_mbit", "energy_queue")
"""The frame's state, one value a device each."""

SCALARS = ("frame_s", "v", "nu", "noise_w")
"""The constants of a cell that are one number."""

LOGITS = "logits"
"""The relaxed decision before the sigmoid, one value a device."""

DEVICES = "devices"
"""Name of the one axis, where the number of devices is free."""

_UNSEEN = ("power_budget_w",)  # the energy queue stands for it


def constants(inputs: Inputs) -> tuple[str, ...]:
    """The fields of `Cell` that the features depend on, in its order."""
    if inputs is Inputs.STATE:
        return ("frame_s", "nu", "noise_w")
    return tuple(name for name in Cell._fields if name not in _UNSEEN)


def taken(inputs: Inputs) -> tuple[str, ...]:
    """Names of all that the graph takes, all of type float64: fields of `Frame`, then of `Cell`."""
    return STATE + constants(inputs)
