"""What the actions of other libraries' agents say of who offloads."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed

_MOST_JOINT_DEVICES = 12


class Action(StrEnum):
    """What an algorithm's action is, and who offloads by it; powers are allocated greedily."""

    BINARY = "binary"
    """N binary numbers: who offloads."""
    SCORES = "scores"
    """N numbers from −1 to 1: who has one above 0 offloads."""
    JOINT = "joint"
    """One of 2^N numbers, whose bits say who offloads: for at most 12 devices, 4,096 decisions."""

    def check_devices(self, devices: int) -> None:
        """Refuse more devices than such an action can decide.

        Raises:
            ValueError: naming their number.
        """
        if self is Action.JOINT and devices > _MOST_JOINT_DEVICES:
            raise not_allowed(
                "devices", devices, f"at most {_MOST_JOINT_DEVICES} where an action is one of 2^N decisions"
            )

    def offload(self, taken: NDArray[Any], devices: int) -> NDArray[np.bool_]:
        """Who offloads by actions, shape (cells, devices).

        Args:
            taken: one action per cell, shape (cells, devices) or, of joint ones, (cells,).
            devices: number of devices.
        """
        if self is Action.JOINT:
            return np.asarray((taken[:, np.newaxis].astype(np.int64) >> np.arange(devices)) & 1, dtype=np.bool_)
        return np.asarray(taken > 0)

    def most_likely(self, output: NDArray[np.float32], devices: int) -> NDArray[np.bool_]:
        """Who offloads by the output of the trained network, without any exploration; shape (devices,).

        Args:
            output: logits, scores before they are squashed, or the value of each joint decision.
            devices: number of devices.
        """
        taken = np.argmax(output, keepdims=True) if self is Action.JOINT else output[np.newaxis]
        return np.asarray(self.offload(taken, devices)[0])
