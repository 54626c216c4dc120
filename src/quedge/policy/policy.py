"""What every policy offers."""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np

from quedge.errors import not_allowed
from quedge.model.frame import Decision, Frame


class Policy(Protocol):
    """Decides who offloads, frame by frame; it sees the frame's state and knows no statistics.

    A policy is a value: it keeps nothing from frame to frame. What remembers or learns is a `Learner`. Where it is a
    frozen dataclass, whose fields are its settings, experiments and the service can tell it from others.
    """

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


class Learner(Protocol):
    """Settings of a policy that learns as it decides; what has been learned lives in its agents."""

    def new_agent(self, devices: int, rng: np.random.Generator) -> Policy:
        """A fresh agent.

        Args:
            devices: number of devices of its first frame.
            rng: where its first weights are drawn from.
        """
        ...


def is_learner(policy: Any) -> bool:
    """Whether a policy decides by agents of its own: it has `new_agent`, or `begin`, as that was called at first."""
    return hasattr(policy, "new_agent") or hasattr(policy, "begin")


def agent_for(policy: Policy | Learner, devices: int, rng: np.random.Generator) -> Policy:
    """Who decides: of a learner a fresh agent, else the policy itself; arguments as in `Learner.new_agent`."""
    chosen: Any = policy
    if not is_learner(chosen):
        return cast(Policy, chosen)
    new_agent = chosen.new_agent if hasattr(chosen, "new_agent") else chosen.begin
    return cast(Policy, new_agent(devices, rng))


def check_policy(policy: Any) -> None:
    """Refuse what is neither a policy nor a learner: a name, or a class where an object of it is meant.

    Raises:
        ValueError: naming what was given.
    """
    known = callable(getattr(policy, "decide", None)) or is_learner(policy)
    if isinstance(policy, type) or not known:
        raise not_allowed("policy", policy, "an object with decide(), such as Exact()")
