"""The memory of past frames from which the actor learns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Batch(NamedTuple):
    """Frames drawn from the memory; those with fewer devices are padded with zeros.

    Attributes:
        features: shape (frames, devices, features).
        offload: the decisions that were carried out, as 0 and 1, shape (frames, devices).
        devices: number of devices in each frame, shape (frames,).
    """

    features: NDArray[np.float32]
    offload: NDArray[np.float32]
    devices: NDArray[np.int64]


class Replay:
    """The last frames, each with the decision that was carried out in it; the oldest gives way to the newest.

    Frames may differ in their number of devices: the room grows to the largest.
    """

    def __init__(self, capacity: int, features: int) -> None:
        self._features = np.zeros((capacity, 0, features), dtype=np.float32)
        self._offload = np.zeros((capacity, 0), dtype=np.float32)
        self._devices = np.zeros(capacity, dtype=np.int64)
        self._added = 0

    def __len__(self) -> int:
        """Number of frames that it holds."""
        return min(self._added, self._devices.size)

    def add(self, features: NDArray[np.float32], offload: NDArray[np.bool_]) -> None:
        """Remember a frame: features of shape (devices, features), and the decision, of shape (devices,)."""
        devices = offload.size
        if devices > self._offload.shape[1]:
            self._widen(devices)
        row = self._added % self._devices.size
        self._features[row, :devices] = features
        self._offload[row, :devices] = offload
        self._features[row, devices:] = 0.0
        self._offload[row, devices:] = 0.0
        self._devices[row] = devices
        self._added += 1

    def _widen(self, devices: int) -> None:
        held, narrow = len(self), self._offload.shape[1]
        features, offload = self._features, self._offload
        # memory from `zeros` is taken only as frames come in
        self._features = np.zeros((features.shape[0], devices, features.shape[2]), dtype=np.float32)
        self._offload = np.zeros((features.shape[0], devices), dtype=np.float32)
        self._features[:held, :narrow], self._offload[:held, :narrow] = features[:held], offload[:held]

    def sample(self, frames: int, rng: np.random.Generator) -> Batch:
        """Draw frames evenly, with replacement; at least one must have been added."""
        rows = rng.integers(0, len(self), frames)
        devices = self._devices[rows]
        most = int(devices.max())
        return Batch(self._features[rows, :most], self._offload[rows, :most], devices)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """All that it holds, as arrays."""
        return {
            "features": self._features[: len(self)].copy(),
            "offload": self._offload[: len(self)].copy(),
            "devices": self._devices[: len(self)].copy(),
            "added": np.array(self._added),
        }

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Hold what `state` gave."""
        held, capacity = state["devices"].size, self._devices.size
        self._features = np.zeros((capacity, *state["features"].shape[1:]), dtype=np.float32)
        self._offload = np.zeros((capacity, state["offload"].shape[1]), dtype=np.float32)
        self._features[:held], self._offload[:held] = state["features"], state["offload"]
        self._devices[:held] = state["devices"]
        self._added = int(state["added"])
