"""What every policy offers, and what its decisions may do: shapes and limits."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol, cast

import numpy as np

from quedge.errors import not_allowed
from quedge.model.cell import Cell, cell_of, check_ungrouped, refuse_partial
from quedge.model.frame import LOCAL, Allocation, Decision, Frame
from quedge.model.kernels import Bools, Floats, Ints, kernel
from quedge.model.scenario import PARTIAL, Scenario
from quedge.model.uplink import predicted_outcome

_ROUNDING = 1e-9  # relative; a power may exceed its limit by no more than this


class Policy(Protocol):
    """Decides who offloads, frame by frame; it sees the frame's state and knows no statistics.

    A policy is a value: it keeps nothing from frame to frame. What remembers or learns is a `Learner`. Where it is a
    frozen dataclass, whose fields are its settings, experiments and the service can tell it from others.

    Example:
        >>> class Strongest:  # a policy of one's own
        ...     def decide(self, frame, rng):
        ...         return quedge.NomaGreedy().allocate(frame, frame.channel_gain == frame.channel_gain.max())
        ...
        >>> run = quedge.simulate(quedge.Scenario(devices=3), Strongest(), frames=20)
        >>> print(run.offload.sum(axis=0))
        [14  6  0]
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
    """Settings of a policy that learns as it decides; what has been learned lives in its agents.

    One whose agents only remember says so by `learns`, an attribute of the class, False.

    Example:
        >>> class Agent:
        ...     best = 0.0  # the largest gain so far
        ...     def decide(self, frame, rng):
        ...         self.best = max(self.best, frame.channel_gain.max())
        ...         return quedge.NomaGreedy().allocate(frame, frame.channel_gain > 0.5 * self.best)
        ...
        >>> class Remembering:  # each run begins an agent of its own
        ...     def new_agent(self, devices, rng):
        ...         return Agent()
        ...
        >>> print(quedge.simulate(quedge.Scenario(devices=3), Remembering(), frames=20).offload.sum())
        8
    """

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


def knows_disturbance(policy: Policy) -> bool:
    """Whether a policy plans with residual interference and margins; it says so by an attribute of that name."""
    return bool(getattr(policy, "knows_disturbance", False))


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


def check_carries(policy: Any, scenario: Scenario) -> None:
    """Refuse a policy in a scenario of which it cannot carry a key.

    A policy that cannot carry partial offloading says so by `carries_partial`, False, its own or, of an agent, its
    settings'; one that assigns sub-channels by `assigns_subchannels`, True.

    Raises:
        ValueError: naming the key, its value, the policy and what is allowed.
    """
    settings = getattr(policy, "settings", policy)
    if not getattr(settings, "carries_partial", True):
        critic = getattr(settings, "allocator", None)
        with_it = "" if critic is None else f" with the allocator {type(critic).__name__}"
        refuse_partial(scenario.offloading == PARTIAL, f"the policy {type(settings).__name__}{with_it}")
    check_serves(policy, cell_of(scenario))


def check_serves(policy: Any, cell: Cell) -> None:
    """Refuse a policy that assigns no sub-channels in a cell whose offloaders are told apart in groups.

    Raises:
        ValueError: naming the key, its value, the policy and what is allowed.
    """
    if getattr(policy, "assigns_subchannels", False):
        return
    try:
        check_ungrouped(cell, f"with {type(policy).__name__}, which assigns no sub-channels")
    except ValueError as error:
        raise ValueError(f"{error}, or the policy one that does, such as exact-groups") from None


def check_decision(cell: Cell, decision: Decision) -> None:
    """Refuse a decision of the wrong shape or beyond a limit.

    Raises:
        ValueError: naming the value and what is allowed.
    """
    check_shapes(decision, cell.devices)
    offload, *powers, subchannel = decision.allocation
    transmit, frequency, share = (np.asarray(values, dtype=np.float64) for values in powers)
    places = np.ascontiguousarray(subchannel, dtype=np.int64)
    check_allocation(cell, Allocation(np.asarray(offload, dtype=np.bool_), transmit, frequency, share, places))


def check_shapes(decision: Decision, devices: int) -> None:
    """Refuse a decision that is not one value a device.

    Raises:
        ValueError: naming the value and what is allowed.
    """
    for name in ("offload", "transmit_power_w", "cpu_frequency_hz", "time_share", "subchannel"):
        values = getattr(decision, name)
        if values is None and name in ("time_share", "subchannel"):
            continue
        shape = values.shape if isinstance(values, np.ndarray) else np.shape(values)
        if shape != (devices,):
            raise ValueError(f"{name}: shape {shape} is not allowed; it must be ({devices},)")


def check_allocation(cell: Cell, allocation: Allocation) -> None:
    """Refuse an allocation of which a power, frequency or time share is beyond its limit or of the other mode.

    So is a sub-channel that is not there, or on which too many devices offload.

    Raises:
        ValueError: naming the first such value and what is allowed.
    """
    offload, transmit, frequency, time_share, subchannel = allocation
    if not is_well_grouped(cell.subchannels, cell.group_size_max, offload, subchannel):
        _refuse_groups(cell, offload, subchannel)
    limits = cell.max_transmit_power_w, cell.max_frequency_hz, cell.is_partial
    if is_within_limits(*limits, offload, transmit, frequency, time_share):
        return
    for name, values, highest in (
        ("transmit_power_w", transmit, np.where(offload, cell.max_transmit_power_w, 0.0)),
        ("cpu_frequency_hz", frequency, np.where(offload & (cell.is_partial == 0.0), 0.0, cell.max_frequency_hz)),
        ("time_share", time_share, np.where(offload, 1.0, 0.0)),
    ):
        fine = (values >= 0.0) & (values <= highest[: values.size] * (1.0 + _ROUNDING))
        if not fine.all():
            i = int(np.argmin(fine))
            mode = "offloads" if offload[i] else "computes locally"
            raise ValueError(
                f"{name}[{i}]: {values[i]} is not allowed; device {i} {mode}, so it must lie from 0 to {highest[i]:g}"
            )
    raise ValueError(f"time_share: shares of {time_share.sum()} in all are not allowed; they must not exceed 1")


def _refuse_groups(cell: Cell, offload: Bools, subchannel: Ints) -> NoReturn:
    """Raise the ValueError of sub-channels that `is_well_grouped` refuses."""
    if subchannel.size == 0 and cell.subchannels > 1:
        raise not_allowed("subchannel", None, f"the sub-channel of each of {int(offload.sum())} offloaders")
    for i, place in enumerate(subchannel):
        if offload[i] != (0 <= place < cell.subchannels) or (place < 0 and place != LOCAL):
            allowed = f"from 0 to {cell.subchannels - 1}" if offload[i] else f"{LOCAL}, since it computes locally"
            raise not_allowed(f"subchannel[{i}]", int(place), allowed)
    counts = np.bincount(subchannel[offload]) if subchannel.size else np.array([offload.sum()])
    crowded = int(np.argmax(counts))
    raise not_allowed(
        "subchannel", f"{counts[crowded]} devices on sub-channel {crowded}", f"at most {cell.group_size_max} on each"
    )


@kernel
def is_well_grouped(subchannels: int, group_size_max: int, offload: Bools, subchannel: Ints) -> bool:
    """Whether every offloader has a sub-channel, nobody else has one, and none has too many.

    Where there is one, offloaders need not be assigned to it.
    """
    if subchannels == 1 and subchannel.size == 0 and group_size_max >= offload.size:
        return True
    count = np.zeros(subchannels, np.int64)
    for i in range(offload.size):
        place = 0 if subchannel.size == 0 and offload[i] else LOCAL
        if subchannel.size > 0:
            place = subchannel[i]
            if place < LOCAL or place >= subchannels or offload[i] != (place >= 0):
                return False
        if place >= 0:
            if subchannel.size == 0 and subchannels > 1:
                return False
            count[place] += 1
            if count[place] > group_size_max:
                return False
    return True


@kernel
def is_within_limits(
    max_transmit_power_w: Floats,
    max_frequency_hz: Floats,
    is_partial: float,
    offload: Bools,
    transmit_power_w: Floats,
    cpu_frequency_hz: Floats,
    time_share: Floats,
) -> bool:
    """Whether `check_allocation` has nothing to refuse."""
    total_share = 0.0
    for i in range(offload.size):
        p, f = transmit_power_w[i], cpu_frequency_hz[i]
        if not (0.0 <= p <= max_transmit_power_w[i] * (1.0 + _ROUNDING)):
            return False
        if not (0.0 <= f <= max_frequency_hz[i] * (1.0 + _ROUNDING)):
            return False
        if (p > 0.0 and not offload[i]) or (f > 0.0 and offload[i] and is_partial == 0.0):
            return False
        if time_share.size > 0:
            if not (0.0 <= time_share[i] <= offload[i] * (1.0 + _ROUNDING)):
                return False
            total_share += time_share[i]
    return total_share <= 1.0 + _ROUNDING


def decide_under(policy: Policy, frame: Frame, cell: Cell, energy_queue: Floats, rng: np.random.Generator) -> Decision:
    """A policy's decision of a frame whose weights are replaced, with what it brings in the frame itself.

    Args:
        policy: who decides.
        frame: the frame.
        cell: its cell with other weights.
        energy_queue: in place of its energy queues, shape (devices,).
        rng: the policy's random stream.

    Returns:
        The decision; its objective is the frame's own (17), on which it has no bound.
    """
    decision = policy.decide(frame._replace(cell=cell, energy_queue=energy_queue), rng)
    rate_mbps, power_w, objective = predicted_outcome(frame, decision.allocation)
    return decision._replace(rate_mbps=rate_mbps, power_w=power_w, objective=objective, upper_bound=None)
