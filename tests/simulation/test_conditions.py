"""Batteries and the edge server in a run: what they hold follows from what is decided, and limits it."""

from __future__ import annotations

import numpy as np
import pytest

from quedge.model.cell import cell_of
from quedge.model.conditions import Conditions, Facilities, advance_conditions
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, AllOffload, BestSingle, Random
from quedge.policy.decide import decide
from quedge.policy.exact import Exact
from quedge.policy.lagrangian import Lagrangian
from quedge.policy.myopic import Myopic
from quedge.policy.policy import Policy
from quedge.simulation.run import run_in_world, simulate
from quedge.simulation.vector_cells.cells import VectorCells
from quedge.simulation.world import draw_world

POOR = Scenario(
    devices=4, battery_j=0.5, harvest_w=(0.02, 0.05, 0.09, 0.2), idle_power_w=0.01, pqc_power_w=0.02,
    pqc_energy_j_per_bit=1e-9, server_frequency_hz=1e9, server_cycles_per_bit=(50.0, 100.0, 100.0, 200.0),
    result_ratio=0.2, downlink_mbps=1.0,
)  # fmt: skip


@pytest.mark.parametrize(
    "policy", [Exact(), BestSingle(), AllOffload(), AllLocal(), Random(), Lagrangian(), Myopic()], ids=repr
)
def test_nobody_draws_more_than_its_battery_holds(policy: Policy) -> None:
    trace = simulate(POOR, policy, 300, seed=3)
    drawn = trace.power_w * POOR.frame_s
    assert (drawn <= trace.battery_j * (1.0 + 1e-12) + 1e-15).all()
    following = np.minimum(np.maximum(trace.battery_j - drawn, 0.0) + trace.harvest_j, 0.5)
    np.testing.assert_allclose(trace.battery_j[1:], following[:-1], rtol=1e-12)
    np.testing.assert_array_equal(trace.battery_j[0], 0.5)
    assert (trace.battery_j.min(axis=0) < 0.05).any()  # so that the limit binds


def test_harvests_are_uniform_with_the_scenario_s_mean() -> None:
    harvest = draw_world(POOR, 20_000, seed=1).harvest_j
    assert harvest is not None
    np.testing.assert_allclose(harvest.mean(axis=0), POOR.per_device("harvest_w"), rtol=0.03)
    assert (harvest <= 2.0 * POOR.per_device("harvest_w")).all()


def test_the_server_serves_what_is_most_worth_its_cycles_within_the_downlink() -> None:
    cell, nothing = cell_of(Scenario(devices=3, frame_s=0.5)), np.zeros(3)
    facilities = Facilities(np.empty(0), 40.0, np.array([10.0, 10.0, 20.0]), np.array([9.0, 9.0, 0.25]))
    conditions = Conditions(np.empty(0), np.array([2.0, 3.0, 9.0]))  # S / φ_s: 0.2, 0.3, 0.45
    offload, rate = np.array([True, False, True]), np.array([4.0, 5.0, 6.0])
    advance_conditions(cell, facilities, conditions, np.empty(0), offload, rate, nothing)
    # 0.25 Mbit of the third are served for 5 cycles, 3 of the second for 30, and 0.5 of the first for the last 5
    np.testing.assert_allclose(conditions.server_queue_mbit, [1.5 + 2.0, 0.0, 8.75 + 3.0])


def test_no_data_is_lost_at_the_server_and_no_cycle_is_made_up() -> None:
    trace = simulate(POOR, Exact(), 300, seed=5)
    brought = np.where(trace.offload, trace.rate_mbps, 0.0) * POOR.frame_s
    served = trace.server_queue_mbit[:-1] + brought[:-1] - trace.server_queue_mbit[1:]
    assert (served >= -1e-9).all()
    assert (served <= np.minimum(trace.server_queue_mbit[:-1], 5.0) + 1e-9).all()  # 1 Mbit/s of results, a fifth each
    cycles = (served * POOR.per_device("server_cycles_per_bit") * 1e6).sum(axis=1)
    assert cycles.max() == pytest.approx(1e9)
    assert (cycles <= 1e9 * (1.0 + 1e-9)).all()


def test_a_queue_at_the_server_weighs_against_offloading() -> None:
    slow = simulate(Scenario(server_frequency_hz=1e9), Exact(), 600, seed=2).summary()
    none = simulate(Scenario(), Exact(), 600, seed=2).summary()
    assert slow.offload_ratio < 0.8 * none.offload_ratio
    assert slow.server_queue_mbit is not None
    assert none.server_queue_mbit is none.end_to_end_delay_frames is none.battery_j is None


@pytest.mark.parametrize("policy", [Exact(), AllOffload()], ids=repr)
def test_a_run_in_parts_equals_one_run(policy: Policy) -> None:
    world = draw_world(POOR, 400, seed=6)
    whole = run_in_world(POOR, policy, world, seed=6)
    first = run_in_world(POOR, policy, world.part(0, 150), seed=6)
    rest = run_in_world(POOR, policy, world.part(150, 400), seed=6, start=first.end)
    for name in ("battery_j", "server_queue_mbit", "data_queue_mbit", "objective", "harvest_j"):
        np.testing.assert_array_equal(getattr(rest, name), getattr(whole, name)[150:], err_msg=name)


def test_frames_run_in_a_row_decide_as_those_that_python_asks_for() -> None:
    trace = simulate(POOR, Exact(), 400, seed=3)  # most of them in compiled rows
    for t in range(0, 400, 7):
        state = trace.channel_gain[t], trace.data_queue_mbit[t], trace.energy_queue[t]
        conditions = {"battery_j": trace.battery_j[t], "server_queue_mbit": trace.server_queue_mbit[t]}
        decision = decide(POOR, *state, **conditions)
        np.testing.assert_array_equal(decision.transmit_power_w, trace.transmit_power_w[t])
        assert decision.objective == pytest.approx(trace.objective[t], rel=1e-12)
    assert (trace.upper_bound >= trace.objective).all()
    assert trace.summary().objective_ratio == pytest.approx(1.0, abs=1e-3)


def test_cells_of_environments_meet_what_a_run_meets() -> None:
    cells, trace = VectorCells(POOR, 2, 80), simulate(POOR, AllOffload(), 80, seed=3)
    cells.restart([4, 3])
    for t in range(80):
        state, seen = cells.states(), cells.observations()
        np.testing.assert_array_equal(state.battery_j[1], trace.battery_j[t])
        np.testing.assert_array_equal(state.server_queue_mbit[1], trace.server_queue_mbit[t])
        np.testing.assert_allclose(seen[1, 12:16], 0.5 * np.log1p(trace.server_queue_mbit[t]), rtol=1e-6)
        np.testing.assert_allclose(seen[1, 16:], 0.5 * np.log1p(trace.battery_j[t] / 0.08), rtol=1e-6)
        result, _ = cells.step(np.ones((2, 4)))
        np.testing.assert_allclose(result.objective[1], trace.objective[t], rtol=1e-12, atol=1e-9)


def test_a_condition_that_is_missing_out_of_range_or_of_no_use_is_refused_by_name() -> None:
    state = [1e-11] * 4, [5.0] * 4, [1.0] * 4
    with pytest.raises(ValueError, match=r"^battery_j: is missing; the scenario has battery_j"):
        decide(POOR, *state, server_queue_mbit=[0.0] * 4)
    with pytest.raises(ValueError, match=r"^battery_j\[1\]: 0.6 is not allowed; it must be at least 0 and at most 0.5"):
        decide(POOR, *state, battery_j=[0.1, 0.6, 0.1, 0.1], server_queue_mbit=[0.0] * 4)
    with pytest.raises(
        ValueError, match=r"^server_queue_mbit: is not allowed; the scenario has no server_frequency_hz"
    ):
        decide(Scenario(devices=4), *state, server_queue_mbit=[0.0] * 4)
