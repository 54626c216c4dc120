"""One decision, as a function."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from quedge.model.cell import cell_of
from quedge.model.conditions import frame_under
from quedge.model.frame import Decision, checked_frame
from quedge.model.scenario import Scenario
from quedge.policy.exact import Exact
from quedge.policy.policy import Learner, Policy, agent_for, check_carries, check_policy
from quedge.policy.subchannels import ExactGroups


def decide(
    scenario: Scenario,
    channel_gain: ArrayLike,
    data_queue_mbit: ArrayLike,
    energy_queue: ArrayLike,
    policy: Policy | Learner | None = None,
    rng: np.random.Generator | None = None,
    *,
    battery_j: ArrayLike | None = None,
    server_queue_mbit: ArrayLike | None = None,
) -> Decision:
    """Decide one frame.

    Args:
        scenario: the cell.
        channel_gain: power gains (W/W), shape (devices,), not negative; a device of gain 0 is out of coverage and
            computes locally.
        data_queue_mbit: data queues (Mbit), shape (devices,), not negative.
        energy_queue: virtual energy queues, shape (devices,), not negative.
        policy: who decides, `Exact()` by default, `ExactGroups()` with sub-channels or groups; of a learner, a fresh
            agent.
        rng: random stream of a policy that draws; a fresh one with seed 0 by default.
        battery_j: energy in the batteries (J), shape (devices,), where the scenario has some.
        server_queue_mbit: data that waits at the edge server (Mbit), shape (devices,), where that is finite.

    Returns:
        The decision.

    Raises:
        ValueError: naming the argument, its value and what is allowed.

    Example:
        >>> cell = quedge.Scenario(devices=2)
        >>> decision = quedge.decide(cell, channel_gain=[2e-11, 4e-12], data_queue_mbit=[5, 9], energy_queue=[1, 0])
        >>> print(decision.offload, decision.transmit_power_w.round(4))
        [ True  True] [0.0705 0.0595]
    """
    scenario.require_one_cell("a frame")
    frame = checked_frame(cell_of(scenario), channel_gain, data_queue_mbit, energy_queue)
    conditions = {"battery_j": battery_j, "server_queue_mbit": server_queue_mbit}
    given = {name: values for name, values in conditions.items() if values is not None}
    frame = frame_under(scenario, frame, given)
    if policy is None:
        policy = ExactGroups() if frame.cell.is_grouped else Exact()
    check_policy(policy)
    check_carries(policy, scenario)
    rng = np.random.default_rng(0) if rng is None else rng
    return agent_for(policy, frame.cell.devices, rng).decide(frame, rng)
