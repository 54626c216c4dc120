from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import quedge
from quedge.allocation.frame_budget import FrameBudget
from quedge.model.frame import Decision, Frame
from quedge.policy.myopic import Myopic, MyopicSaving
from quedge.policy.policy import Learner, Policy
from quedge.simulation.run import simulate
from tests import oracle
from tests.frames import drawn_frame
from tests.policies import decide
from tests.strategies import EXTREME_GAINS, frames

SECURED: dict[str, Any] = {"pqc_power_w": 0.03, "pqc_energy_j_per_bit": 1e-8, "pqc_overhead_bits": 2e5}
CELLS: list[dict[str, Any]] = [{}, SECURED, {"pqc_power_w": 0.09}]


def weighted_rate(frame: Frame, decision: Decision) -> float:
    return float((frame.cell.weight * decision.rate_mbps).sum())


@given(frame=frames())
def test_myopic_never_exceeds_the_budget_in_any_frame(frame: Frame) -> None:
    assert (decide(Myopic(), frame).power_w <= frame.cell.power_budget_w * (1.0 + 1e-12)).all()


@given(frame=frames(powers_of_ten=EXTREME_GAINS))
def test_droo_s_critic_keeps_the_budget_wherever_the_circuit_leaves_any(frame: Frame) -> None:
    cell = frame.cell
    decision = FrameBudget().allocate(frame, np.ones(cell.devices, dtype=np.bool_))
    highest = np.maximum(cell.power_budget_w, cell.circuit_power_w)
    assert (decision.power_w <= highest * (1.0 + 1e-12)).all()


@pytest.mark.parametrize("keys", CELLS, ids=str)
def test_the_saving_variant_never_exceeds_the_budget_of_all_frames_so_far(keys: dict[str, Any]) -> None:
    scenario = quedge.Scenario(devices=4, power_budget_w=[0.08, 0.02, 0.05, 0.1], **keys)
    trace = simulate(scenario, MyopicSaving(), frames=400, seed=2)
    drawn = np.cumsum(trace.power_w, axis=0)
    allowed = np.outer(np.arange(1, 401), scenario.per_device("power_budget_w"))
    assert (drawn <= allowed * (1.0 + 1e-12)).all()
    assert (trace.power_w > scenario.per_device("power_budget_w")).any()  # it does use what it has saved


def test_each_run_of_the_saving_variant_begins_with_nothing_saved() -> None:
    scenario = quedge.Scenario(devices=3)
    one, same = (simulate(scenario, MyopicSaving(), frames=30, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.power_w, same.power_w)
    agent = MyopicSaving().new_agent(3, np.random.default_rng(0))
    agent.decide(drawn_frame(3, 0), np.random.default_rng(0))
    with pytest.raises(ValueError, match="devices: 2 is not allowed; it must be 3"):
        agent.decide(drawn_frame(2, 0), np.random.default_rng(0))


@pytest.mark.parametrize("keys", CELLS, ids=str)
@pytest.mark.parametrize("policy", [Myopic(), MyopicSaving()], ids=repr)
def test_in_its_first_frame_myopic_brings_the_most_weighted_rate_of_all_decisions(
    policy: Policy | Learner, keys: dict[str, Any]
) -> None:
    for seed in range(20):
        frame = drawn_frame(5, seed, **keys)
        most = 0.0
        for bits in itertools.product((False, True), repeat=5):
            offload = np.array(bits)
            if (frame.cell.circuit_power_w[offload] <= frame.cell.power_budget_w[offload]).all():
                most = max(most, weighted_rate(frame, FrameBudget().allocate(frame, offload)))
        assert weighted_rate(frame, decide(policy, frame)) >= most * (1.0 - 1e-3)


def test_droo_s_critic_spends_the_whole_budget_unless_the_queue_is_too_short() -> None:
    for seed in range(20):
        frame = drawn_frame(5, seed, **SECURED)
        decision = FrameBudget().allocate(frame, np.arange(5) == seed % 5)
        empties = np.isclose(decision.rate_mbps * frame.cell.frame_s, frame.data_queue_mbit, rtol=1e-9)
        spends = np.isclose(decision.power_w, frame.cell.power_budget_w, rtol=1e-9)
        assert (empties | spends).all()


def test_droo_s_critic_keeps_the_decision_of_the_most_weighted_rate() -> None:
    frame = drawn_frame(4, 3)
    offloads = np.array(list(itertools.product((False, True), repeat=4)))
    rates = [weighted_rate(frame, FrameBudget().allocate(frame, offload)) for offload in offloads]
    choice = FrameBudget().allocate_best(frame, offloads)
    assert choice.candidate == int(np.argmax(rates))
    offload, transmit, frequency = choice.decision[:3]
    assert choice.decision.objective == pytest.approx(oracle.evaluate(frame, offload, transmit, frequency).objective)
