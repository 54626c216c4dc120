"""Exact where idle power, CPU levels and the edge server's queues matter, against enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from quedge.model.cell import cell_of
from quedge.model.frame import Frame
from quedge.model.scenario import Scenario
from quedge.policy.exact import Exact
from tests import oracle


def conditioned_frame(seed: int) -> Frame:
    """A frame in which queues at the server are worth as much as the devices' own."""
    rng = np.random.default_rng(seed)
    devices = int(rng.integers(1, 6))
    scenario = Scenario(
        devices=devices, idle_power_w=float(rng.choice([0.0, 0.02])), frequency_levels=int(rng.choice([0, 1, 3, 8])),
        pqc_power_w=float(rng.choice([0.0, 0.05])), v=float(rng.choice([0.0, 20.0])),
    )  # fmt: skip
    cell = cell_of(scenario)._replace(server_weight=rng.exponential(10.0, devices) * rng.integers(0, 2, devices))
    return Frame(
        cell,
        10.0 ** rng.uniform(-13, -9, devices),
        rng.exponential(8.0, devices),
        rng.exponential(6.0, devices) * rng.integers(0, 2, devices),
    )


@pytest.mark.parametrize("seed", range(60))
def test_the_decision_is_the_best_of_all_and_its_bound_is_one(seed: int) -> None:
    frame = conditioned_frame(seed)
    best, decision = oracle.enumeration(frame), Exact(tolerance=1e-6).decide(frame, np.random.default_rng(0))
    rounding = 1e-9 * (1.0 + abs(best.objective))
    assert decision.objective >= best.objective - 2e-6 * abs(best.objective) - rounding
    assert decision.upper_bound is not None
    assert decision.upper_bound >= best.objective - rounding
    chosen = decision.offload, decision.transmit_power_w, decision.cpu_frequency_hz
    charged = oracle.cut_to_limits(frame, decision.offload, oracle.evaluate(frame, *chosen))
    np.testing.assert_allclose(decision.objective, charged.objective, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(decision.power_w, charged.power_w, rtol=1e-9)
