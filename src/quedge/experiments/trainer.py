"""What is trained before the run that is looked at, in worlds of its own."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from quedge.model.scenario import Scenario
from quedge.policy.policy import Policy
from quedge.simulation.processes import ArrivalProcess, ChannelProcess


class Trained(NamedTuple):
    """What a training has brought.

    Attributes:
        policy: what was learned; it learns no more.
        frames: frames of experience.
        cpu_s: processor time of the training (s).
    """

    policy: Policy
    frames: int
    cpu_s: float


@runtime_checkable
class Trainer(Protocol):
    """Settings of a training; a frozen value, as policies are."""

    def train(
        self, scenario: Scenario, frames: int, seed: int, channel: ChannelProcess, arrivals: ArrivalProcess
    ) -> Trained:
        """Train from nothing.

        Args:
            scenario: the cell.
            frames: length of the run that follows, to which the experience is in proportion.
            seed: of all that is drawn; the same one gives the same policy.
            channel: where the channel gains of its worlds come from.
            arrivals: where their arrivals come from.

        Raises:
            MissingExtraError: a library that it needs is not installed.
        """
        ...
