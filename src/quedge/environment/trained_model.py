"""What another library trained in these environments, as a policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from quedge.allocation.greedy import NomaGreedy
from quedge.environment.agent_actions import Action
from quedge.errors import not_allowed
from quedge.model.cell import refuse_partial
from quedge.model.frame import NO_TIME_SHARES, Allocation, Decision, Frame
from quedge.model.uplink import predicted_outcome
from quedge.simulation.vector_cells.action import Actions, checked_actions, powers_of_shares
from quedge.simulation.vector_cells.observation import observation_of, observed_in

_FEWEST, _MOST = 3, 5  # numbers that are observed of a device


class Model(Protocol):
    """What decides by observations, as models of Stable-Baselines3 do.

    Attributes:
        observation_space: of the environment that it was trained in.
        action_space: of the same.
    """

    observation_space: Any
    action_space: Any

    def predict(self, observation: NDArray[np.float32], *, deterministic: bool) -> tuple[NDArray[Any], Any]:
        """The action for an observation, the most likely one if `deterministic`, and a state, which is not used."""
        ...


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model that was trained in quedge's environments, at its most likely action: a policy for `compare` and others.

    What an action decides follows from its space: MultiBinary(N), MultiDiscrete of N twos, a Box of shape (N,) where
    who has a number above 0 offloads, or Discrete(2^N), whose bits say who does: powers are allocated greedily. A Box
    of shape (2 N,) decides powers, too, as in `quedge/OffloadingPowers-v0`.

    Attributes:
        model: a model of Stable-Baselines3, or whatever has its `predict` and its two spaces.

    Example:
        >>> import gymnasium
        >>> from quedge.gymnasium import TrainedModel
        >>> class Model:  # in the place of one of Stable-Baselines3
        ...     observation_space = gymnasium.spaces.Box(-16.0, 16.0, (9,))
        ...     action_space = gymnasium.spaces.MultiBinary(3)
        ...     def predict(self, observation, deterministic):
        ...         return observation[:3] > observation[:3].mean(), None
        ...
        >>> policies = {"trained": TrainedModel(Model()), "single": quedge.BestSingle()}
        >>> compared = quedge.compare(policies, quedge.Scenario(devices=3), frames=20, seeds=2)
    """

    model: Model

    def __post_init__(self) -> None:
        for name in ("predict", "observation_space", "action_space"):
            if not hasattr(self.model, name):
                allowed = "an object with predict(), observation_space and action_space, as Stable-Baselines3's models"
                raise not_allowed("model", self.model, allowed)
        devices, observed = self.devices, spaces.flatdim(self.model.observation_space)
        if observed % devices or not _FEWEST <= observed // devices <= _MOST:
            allowed = f"of {devices} devices: {_FEWEST * devices} to {_MOST * devices} numbers, so many each"
            raise not_allowed("model.observation_space", self.model.observation_space, allowed)

    @property
    def devices(self) -> int:
        """The number of devices that it decides for."""
        space = self.model.action_space
        if isinstance(space, spaces.Discrete):
            return max(int(space.n).bit_length() - 1, 1)
        width = int(spaces.flatdim(space)) if isinstance(space, spaces.Box | spaces.MultiBinary) else len(space.nvec)
        return width // 2 if self._decides_powers else width

    @property
    def _decides_powers(self) -> bool:
        space = self.model.action_space
        observed = int(spaces.flatdim(self.model.observation_space))
        return isinstance(space, spaces.Box) and observed < _FEWEST * int(spaces.flatdim(space))

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame; see `Policy.decide`.

        Raises:
            ValueError: the frame has another number of devices than the model decides for.
        """
        devices = self.devices
        if frame.channel_gain.size != devices:
            raise not_allowed("devices", frame.channel_gain.size, f"{devices}, as many as the model was trained for")
        numbers = int(spaces.flatdim(self.model.observation_space)) // devices
        seen = observation_of(frame, observed_in(frame.cell, numbers))
        action = np.asarray(self.model.predict(seen, deterministic=True)[0])
        if self._decides_powers:
            return _by_powers(frame, action)
        kind = Action.JOINT if isinstance(self.model.action_space, spaces.Discrete) else Action.SCORES
        (offload,) = kind.offload(action[np.newaxis], devices)
        return NomaGreedy().allocate(frame, offload & (frame.channel_gain > 0.0))


def _by_powers(frame: Frame, action: NDArray[Any]) -> Decision:
    """The decision of an action of kind `POWERS`; a ValueError where offloading is partial."""
    refuse_partial(frame.cell.is_partial > 0.0, "a model that decides powers")
    devices = frame.channel_gain.size
    (checked,) = checked_actions(Actions.POWERS, action[np.newaxis], 1, devices)
    offload, transmit_power_w, cpu_frequency_hz = np.empty(devices, np.bool_), np.empty(devices), np.empty(devices)
    powers_of_shares(frame, checked, offload, transmit_power_w, cpu_frequency_hz)
    brought = predicted_outcome(frame, Allocation(offload, transmit_power_w, cpu_frequency_hz, NO_TIME_SHARES))
    return Decision(offload, transmit_power_w, cpu_frequency_hz, *brought)
