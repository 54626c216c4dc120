"""What every power allocator offers."""

from __future__ import annotations

from typing import NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from quedge.model.frame import Decision, Frame, at_least_one


class Allocator(Protocol):
    """Best powers and frequencies for a *given* offloading decision.

    Example:
        >>> class FullPower:  # an allocator of one's own: who offloads does so with all power
        ...     def allocate(self, frame, offload):
        ...         decision = quedge.NomaGreedy().allocate(frame, offload)
        ...         return decision._replace(transmit_power_w=np.where(offload, 0.1, 0.0))
        ...
        >>> print(FullPower().allocate(frame, np.array([True, False, False])).transmit_power_w)
        [0.1 0.  0. ]
        >>> agent = quedge.Lydroo(allocator=FullPower())  # a learning agent that judges by it
    """

    def allocate(self, frame: Frame, offload: NDArray[np.bool_]) -> Decision:
        """Allocate transmit powers to the offloading devices and frequencies to the others.

        Args:
            frame: the frame's state.
            offload: true where a device offloads, shape (devices,).

        Returns:
            The decision with its powers and frequencies within the cell's limits, and the rates, powers and objective
            that follow from them, eqs. (1)-(6), (17): a learning agent ranks its candidates by that objective.

        Raises:
            ValueError: `offload` is not one boolean a device.
        """
        ...


class Choice(NamedTuple):
    """The best of several offloading decisions of a frame.

    Attributes:
        candidate: its place among them; of equal ones the first.
        decision: the decision, allocated.
    """

    candidate: int
    decision: Decision


class BatchAllocator(Allocator, Protocol):
    """An allocator that has a faster way to the best of several decisions than allocating one after the other."""

    def allocate_best(self, frame: Frame, offloads: NDArray[np.bool_]) -> Choice:
        """Allocate several offloading decisions of one frame and keep the one of the highest objective (17).

        An allocator that maximises something else keeps the best by its own measure, and says so.

        Args:
            frame: the frame's state.
            offloads: the decisions, shape (candidates, devices), at least one.

        Raises:
            ValueError: there is no decision among them.
        """
        ...


def allocate_best(allocator: Allocator, frame: Frame, offloads: NDArray[np.bool_]) -> Choice:
    """The best of several offloading decisions by any allocator; see `BatchAllocator.allocate_best`."""
    if hasattr(allocator, "allocate_best"):  # far faster than isinstance with a protocol
        return cast(BatchAllocator, allocator).allocate_best(frame, offloads)
    decisions = [allocator.allocate(frame, offload) for offload in at_least_one(offloads)]
    best = max(range(len(decisions)), key=lambda candidate: decisions[candidate].objective)
    return Choice(best, decisions[best])
