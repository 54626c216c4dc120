"""Rates that are fixed beforehand: kept or lost, and what is lost disturbs those after it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import quedge
from quedge.model.cell import cell_of
from quedge.model.frame import NO_TIME_SHARES, Allocation, Frame
from quedge.model.uplink import Reception, deliver_fixed_rates
from quedge.policy.baselines import AllOffload
from quedge.policy.robust import Robust
from quedge.simulation.run import simulate
from quedge.simulation.vector_cells.cells import VectorCells

FIXED = quedge.Scenario(devices=4, estimate_error=0.1, residual_sic_share=1e-3, rate_adaptation=False)


@pytest.mark.parametrize(("strong_mbps", "kept"), [(3.0, [2.0, 3.0]), (6.0, [0.0, 0.0])])
def test_a_signal_that_is_not_decoded_is_not_taken_off(strong_mbps: float, kept: list[float]) -> None:
    cell = cell_of(quedge.Scenario(devices=2))
    noise, bandwidth = cell.noise_w, cell.uplink_mbps[0]
    gain = np.array([4.0, 60.0]) * noise / 0.01  # SNR 4 and 60 at 10 mW: B log2(1 + 60 / 5) = 6.7 of the strong one
    frame = Frame(cell, gain, np.full(2, 50.0), np.ones(2))
    decided = Allocation(np.ones(2, np.bool_), np.full(2, 0.01), np.zeros(2), NO_TIME_SHARES)
    true = gain.copy()
    if strong_mbps > 5.0:
        true[1] = 20.0 * noise / 0.01  # B log2(1 + 20 / 5) = 4.2: less than it sends at
    rate, power = np.array([2.0, strong_mbps]), np.array([0.01, 0.01])
    objective = deliver_fixed_rates(frame, Reception(np.array([0, 1]), true, 0.0), decided, rate, power)
    np.testing.assert_array_equal(rate, kept)  # the weak one carries 4.2 alone, and 0.5 under the strong one
    np.testing.assert_array_equal(power, 0.01)
    worth = 50.0 + cell.v * cell.weight
    assert objective == pytest.approx(worth @ rate - cell.nu * power.sum())
    assert bandwidth == pytest.approx(1.818, abs=1e-3)


@pytest.mark.parametrize("policy", [quedge.Exact(), Robust(), AllOffload()], ids=repr)
def test_an_offloader_s_rate_is_what_was_promised_or_nothing(policy: quedge.Policy) -> None:
    trace = simulate(FIXED, policy, 300, seed=2)
    lost = trace.offload & (trace.rate_mbps == 0.0)
    np.testing.assert_array_equal(trace.rate_mbps[~lost], trace.promised_rate_mbps[~lost])
    assert lost.any()
    adaptive = simulate(dataclasses.replace(FIXED, rate_adaptation=True), policy, 300, seed=2)
    assert not (adaptive.offload & (adaptive.rate_mbps == 0.0) & (adaptive.promised_rate_mbps > 1e-3)).any()


def test_where_all_is_as_planned_nothing_is_lost() -> None:
    plain, fixed = (
        simulate(quedge.Scenario(rate_adaptation=kept), quedge.Exact(), 200, seed=1) for kept in (True, False)
    )
    np.testing.assert_array_equal(plain.data_queue_mbit, fixed.data_queue_mbit)


def test_environments_lose_what_a_run_loses() -> None:
    cells, trace = VectorCells(FIXED, 1, 60), simulate(FIXED, AllOffload(), 60, seed=3)
    cells.restart([3])
    for t in range(60):
        result, _ = cells.step(np.ones((1, 4)))
        np.testing.assert_allclose(result.rate_mbps[0], trace.rate_mbps[t], rtol=1e-9)
        np.testing.assert_allclose(result.objective[0], trace.objective[t], rtol=1e-9, atol=1e-9)


def test_margins_keep_the_outage_probability_and_the_queues_short() -> None:
    scenario = quedge.Scenario(estimate_error=0.01, outage_probability=0.1, rate_adaptation=False)
    robust, exact = (simulate(scenario, each, 1000, seed=1).summary() for each in (Robust(), quedge.Exact()))
    assert robust.outage_ratio <= 0.1 < exact.outage_ratio
    assert robust.data_queue_mbit < 0.2 * exact.data_queue_mbit
