"""What PPO has learned, as a policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.noma_greedy import NomaGreedy
from quedge.model.frame import Decision, Frame
from quedge.simulation.side_by_side.observation import OBSERVED, observe


@dataclass(frozen=True, eq=False)
class TrainedPpo:
    """The network that PPO trained, at its most likely decision; powers are allocated greedily.

    Attributes:
        layers: weights, shape (outputs, inputs), and biases, shape (outputs,), of each layer, tanh between them; the
            last layer's output is above 0 where a device offloads.
    """

    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`."""
        return NomaGreedy().allocate(frame, self.logits(frame) > 0.0)

    def logits(self, frame: Frame) -> NDArray[np.float32]:
        """The logarithm of the odds that each device offloads, shape (devices,)."""
        seen = np.empty(OBSERVED * frame.cell.devices, np.float32)
        observe(*frame, seen)
        *hidden, (weight, bias) = self.layers
        for inner_weight, inner_bias in hidden:
            seen = np.tanh(inner_weight @ seen + inner_bias)
        return np.asarray(weight @ seen + bias)
