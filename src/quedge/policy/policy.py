"""What every policy offers."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from quedge.model.frame import Decision, Frame


class Policy(Protocol):
    """Decides who offloads, frame by frame; it sees the frame's state and knows no statistics."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """Decide one frame.

        Args:
            frame: the frame's state; its arrays must not be changed.
            rng: the policy's own random stream; a policy that draws nothing leaves it alone.

        Returns:
            The decision. Its powers and frequencies are what is carried out; a simulation charges rates and
            powers by eqs. (1)-(6), whatever the decision itself says of them.
        """
        ...


def check_policy(policy: Any) -> None:
    """Refuse what is no policy: a name, or a class where an object of it is meant.

    Raises:
        ValueError: naming what was given.
    """
    if isinstance(policy, type) or not callable(getattr(policy, "decide", None)):
        raise ValueError(f"policy: {policy!r} is not allowed; it must be an object with decide(), such as Exact()")
