"""An exported actor as a policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quedge.errors import check_installed
from quedge.policy.lydroo.agent import AgentState, Lydroo, LydrooAgent

if TYPE_CHECKING:
    from quedge.policy.lydroo.onnx.forward import Forward


@dataclass(frozen=True)
class ExportedLydroo:
    """What `TrainedLydroo` is, but that its actor's network is an ONNX graph, run by ONNX Runtime.

    Attributes:
        settings: the agent's settings, with its critic.
        model: the ONNX file's content.
        devices: number of devices that it was trained with.
    """

    settings: Lydroo
    model: bytes
    devices: int

    def new_agent(self, devices: int, rng: np.random.Generator) -> LydrooAgent:
        """An agent with this actor, which learns no more; see `Learner.new_agent`.

        Raises:
            ValueError: the actor serves another number of devices only, or the model is none of this package's.
        """
        self.check_devices(devices)
        return LydrooAgent(self.settings, {}, self.devices, forward=self.forward().logits)

    def resume(self, state: AgentState) -> LydrooAgent:
        """An agent that stands where another stood; see `Lydroo.resume`."""
        return LydrooAgent(self.settings, {}, self.devices, forward=self.forward().logits).restored(state)

    def forward(self) -> Forward:
        """The graph, loaded.

        Raises:
            MissingExtraError: ONNX Runtime is not installed.
            ValueError: the model is none of this package's.
        """
        check_installed("onnxruntime", "an exported actor", "ONNX Runtime", "onnx")
        from quedge.policy.lydroo.onnx.forward import Forward

        return Forward(self.model, self.settings.inputs.features, self.devices if self._serves_one else None)

    def check_devices(self, devices: int) -> None:
        """See `Lydroo.check_devices`."""
        self.settings.check_devices(devices, self.devices)

    @property
    def _serves_one(self) -> bool:
        """Whether the actor serves one number of devices only."""
        actor, features = self.settings.actor, self.settings.inputs.features
        return actor.shapes(self.devices, features) != actor.shapes(self.devices + 1, features)
