"""Runs, environments and the controller where offloading is partial; and what does not know it says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quedge.allocation.frame_budget import FrameBudget
from quedge.allocation.sca import CvxpyClarabel, NomaSca
from quedge.allocation.tdma import Tdma
from quedge.controller.controller import Controller
from quedge.model.cell import cell_of
from quedge.model.frame import Allocation, Decision
from quedge.model.scenario import Scenario
from quedge.model.uplink import predicted_outcome, realised_outcome
from quedge.policy.auto import Auto
from quedge.policy.baselines import AllOffload, BestSingle, Random
from quedge.policy.decide import decide
from quedge.policy.exact import Exact
from quedge.policy.lydroo import DROO, Lydroo
from quedge.policy.myopic import Myopic, MyopicSaving
from quedge.policy.policy import check_allocation
from quedge.policy.robust import Robust
from quedge.region.capacity import capacity
from quedge.simulation.comparison import compare
from quedge.simulation.run import simulate
from quedge.simulation.vector_cells.action import Actions, powers_action
from quedge.simulation.vector_cells.cells import VectorCells
from tests import oracle
from tests.controller.reports import drawn_reports
from tests.frames import drawn_frame

PARTIAL = Scenario(devices=4, offloading="partial")
REFUSED = r"offloading: 'partial' is not allowed for the {0}; it must be 'binary'"


@pytest.mark.parametrize(
    "policy",
    [
        AllOffload(), BestSingle(), Exact(), Auto(BestSingle()), Lydroo(candidates=2),
        Lydroo(candidates=2, allocator=NomaSca()),
    ],
)  # fmt: skip
def test_a_run_charges_what_offloaders_send_and_compute(policy: Any) -> None:
    trace = simulate(PARTIAL, policy, 60, 3)
    both = trace.offload & (trace.cpu_frequency_hz > 0.0)
    assert both.any()
    for t in range(5, 60, 11):
        frame = trace_frame(trace, t)
        offload, transmit = trace.offload[t], trace.transmit_power_w[t]
        charged = oracle.evaluate(frame, offload, transmit, trace.cpu_frequency_hz[t])
        np.testing.assert_allclose(trace.rate_mbps[t], charged.rate_mbps, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(trace.power_w[t], charged.power_w, rtol=1e-9, atol=1e-12)
    assert np.all(trace.rate_mbps * PARTIAL.frame_s <= trace.data_queue_mbit * (1.0 + 1e-12))


def trace_frame(trace: Any, t: int) -> Any:
    frame = drawn_frame(4, 0, offloading="partial")
    return frame._replace(
        channel_gain=trace.channel_gain[t], data_queue_mbit=trace.data_queue_mbit[t], energy_queue=trace.energy_queue[t]
    )


def test_frames_in_a_row_are_those_asked_one_by_one() -> None:
    class Asked:
        def decide(self, frame: Any, rng: np.random.Generator) -> Decision:
            return Random().decide(frame, rng)

    one, other = simulate(PARTIAL, Random(), 200, 1), simulate(PARTIAL, Asked(), 200, 1)
    for name in ("offload", "cpu_frequency_hz", "rate_mbps", "power_w", "data_queue_mbit"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_with_perfect_knowledge_what_is_realised_is_what_was_predicted_else_no_more_than_the_queue() -> None:
    frame = drawn_frame(6, 5, offloading="partial")
    allocation = Exact().decide(frame, np.random.default_rng(0)).allocation
    predicted = predicted_outcome(frame, allocation)
    same = realised_outcome(frame, allocation, frame.channel_gain, 0.0)
    np.testing.assert_array_equal(predicted.rate_mbps, same.rate_mbps)
    better = realised_outcome(frame, allocation, 3.0 * frame.channel_gain, 0.0)
    assert np.all(better.rate_mbps * frame.cell.frame_s <= frame.data_queue_mbit * (1.0 + 1e-12))


def test_only_where_it_is_partial_may_an_offloader_compute() -> None:
    offload, power, none = np.array([True, False]), np.array([0.05, 0.0]), np.empty(0)
    allocation = Allocation(offload, power, np.array([1e8, 2e8]), none)
    check_allocation(cell_of(Scenario(devices=2, offloading="partial")), allocation)
    with pytest.raises(ValueError, match=r"cpu_frequency_hz\[0\]: 100000000.0 is not allowed; device 0 offloads"):
        check_allocation(cell_of(Scenario(devices=2)), allocation)
    too_fast = allocation._replace(cpu_frequency_hz=np.array([4e8, 0.0]))
    with pytest.raises(ValueError, match=r"cpu_frequency_hz\[0\].*from 0 to 3e\+08"):
        check_allocation(cell_of(Scenario(devices=2, offloading="partial")), too_fast)


def test_an_environment_s_cells_allocate_as_the_greedy_allocator() -> None:
    cells = VectorCells(PARTIAL, 1, 30, Actions.OFFLOAD)
    cells.restart([7])
    trace = simulate(PARTIAL, AllOffload(), 30, 7)
    for t in range(30):
        result, _ = cells.step(np.ones((1, 4), np.float32))
        np.testing.assert_allclose(result.rate_mbps[0], trace.rate_mbps[t], rtol=1e-12)
        np.testing.assert_allclose(result.cpu_frequency_hz[0], trace.cpu_frequency_hz[t], rtol=1e-9)


def test_the_controller_answers_a_frequency_beside_a_power() -> None:
    controller = Controller(PARTIAL, AllOffload())
    answers = [controller.serve(report) for report in drawn_reports(20, scenario=PARTIAL)]
    assert any(np.any((each.transmit_power_w > 0.0) & (each.cpu_frequency_hz > 0.0)) for each in answers)


def test_cells_beside_each_other_offload_partially_too() -> None:
    trace = simulate(Scenario(devices=4, cells=2, offloading="partial"), BestSingle(), 30, 1)
    assert np.any(trace.offload & (trace.cpu_frequency_hz > 0.0))


@pytest.mark.parametrize(
    "policy", [Myopic(), MyopicSaving(), Robust(), DROO, Lydroo(allocator=NomaSca(solver=CvxpyClarabel()))]
)
def test_policies_that_know_binary_offloading_only_say_so_before_they_run(policy: Any) -> None:
    name = r"policy \w+( with the allocator \w+)?"
    for start in (
        lambda: simulate(PARTIAL, policy, 5, 0),
        lambda: compare({"it": policy}, PARTIAL, 5),
        lambda: decide(PARTIAL, [1e-10] * 4, [1.0] * 4, [1.0] * 4, policy),
    ):
        with pytest.raises(ValueError, match=REFUSED.format(name)):
            start()


def test_so_does_an_allocator() -> None:
    with pytest.raises(ValueError, match=REFUSED.format(r"allocator FrameBudget")):
        FrameBudget().allocate(drawn_frame(3, 1, offloading="partial"), np.ones(3, np.bool_))


def test_so_do_actions_of_powers_and_the_capacity_region() -> None:
    with pytest.raises(ValueError, match=r"offloading: 'partial' is not allowed for actions 'powers'"):
        VectorCells(PARTIAL, 1, 5, Actions.POWERS)
    decision = BestSingle().decide(drawn_frame(3, 1, offloading="partial"), np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"offloading: 'partial' is not allowed for actions 'powers'"):
        powers_action(cell_of(Scenario(devices=3, offloading="partial")), decision)
    with pytest.raises(ValueError, match=REFUSED.format("capacity region")):
        capacity(PARTIAL)


@pytest.mark.parametrize("seed", range(10))
def test_time_division_is_optimal_among_shares_powers_and_frequencies_nearby(seed: int) -> None:
    keys = {"pqc_energy_j_per_bit": 1e-8} if seed % 2 else {}
    frame, rng = drawn_frame(5, seed, offloading="partial", **keys), np.random.default_rng(seed)
    offload = rng.random(5) < 0.7
    decision = Tdma().allocate(frame, offload)
    offload, transmit, frequency, share, _ = decision.allocation
    assert share.sum() <= 1.0 + 1e-12
    assert predicted_outcome(frame, decision.allocation).objective == pytest.approx(decision.objective, rel=1e-9)
    for size in (1e-3, 1e-2, 0.1):
        for _ in range(60):
            shares = share * np.exp(size * rng.normal(size=5))
            shares /= max(shares.sum(), 1.0)
            powers = np.minimum(transmit * np.exp(size * rng.normal(size=5)), frame.cell.max_transmit_power_w)
            clocks = np.minimum(frequency * np.exp(size * rng.normal(size=5)), frame.cell.max_frequency_hz)
            reached = predicted_outcome(frame, Allocation(offload, powers, clocks, shares)).objective
            assert reached <= decision.objective + 1e-9 * abs(decision.objective)
