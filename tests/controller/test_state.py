"""The queues: those of a simulation in the same world, kept of silent devices, overridden by what was measured."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from quedge.allocation.tdma import Tdma
from quedge.controller.answer import ServedBy, answer_of
from quedge.controller.report import checked_report
from quedge.controller.state import QueueState
from quedge.model.cell import cell_of
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.model.uplink import advance_queues, predicted_outcome
from quedge.policy.baselines import AllLocal, BestPair
from quedge.policy.exact import Exact
from quedge.policy.policy import Learner, Policy
from quedge.simulation.run import simulate
from quedge.simulation.world import World, draw_world
from tests.controller.reports import LEARNING, SMALL, drawn_reports, fresh, reports_of

OWN_DEVICES = Scenario(
    devices=4,
    weight=[1.0, 2.0, 0.5, 1.5],
    power_budget_w=[0.05, 0.1, 0.08, 0.02],
    max_transmit_power_w=[0.1, 0.2, 0.05, 0.1],
    max_frequency_hz=[3e8, 1e8, 2e8, 3e8],
    pqc_power_w=[0.0, 0.01, 0.02, 0.0],
    frame_s=0.5,
)


@pytest.mark.parametrize("policy", [Exact(), BestPair(), AllLocal()], ids=repr)
@pytest.mark.parametrize("scenario", [SMALL, OWN_DEVICES], ids=["alike", "of their own"])
def test_queues_equal_a_simulation_of_the_same_world_queue_for_queue(policy: Policy, scenario: Scenario) -> None:
    trace = simulate(scenario, policy, frames=120, seed=5)
    controller = fresh(policy, scenario)
    for t, report in enumerate(reports_of(World(trace.channel_gain, trace.arrival_mbit))):
        seen = controller.queues.frame(cell_of(scenario), report)
        np.testing.assert_array_equal(seen.data_queue_mbit, trace.data_queue_mbit[t])
        np.testing.assert_array_equal(seen.energy_queue, trace.energy_queue[t])
        answer = controller.serve(report)
        np.testing.assert_array_equal(answer.offload, trace.offload[t])
        np.testing.assert_array_equal(answer.transmit_power_w, trace.transmit_power_w[t])
        np.testing.assert_array_equal(answer.rate_mbps, trace.rate_mbps[t])
        np.testing.assert_array_equal(answer.power_w, trace.power_w[t])
        assert answer.objective == trace.objective[t]


def test_a_silent_device_keeps_its_queues() -> None:
    controller = fresh()
    for report in drawn_reports(20):
        controller.serve(report)
    before = controller.queues
    controller.serve(checked_report(4, 20, [1e-11, 1e-11], [5.0, 5.0], devices=[3, 1]))
    for queues, after in zip(before[1:3], controller.queues[1:3], strict=True):
        np.testing.assert_array_equal(queues[[0, 2]], after[[0, 2]])
        assert (queues[[1, 3]] != after[[1, 3]]).any()


@pytest.mark.parametrize("policy", [Exact(), LEARNING], ids=["exact", "learning"])
def test_a_frame_of_some_devices_is_one_of_a_cell_of_just_those(policy: Policy | Learner) -> None:
    who = [1, 3]
    per_device = ("weight", "power_budget_w", "max_transmit_power_w", "max_frequency_hz", "pqc_power_w")
    alone = dataclasses.replace(
        OWN_DEVICES, devices=2, **{name: [getattr(OWN_DEVICES, name)[i] for i in who] for name in per_device},
        distance_m=[OWN_DEVICES.per_device("distance_m")[i] for i in who],
    )  # fmt: skip
    few, those = (cell_of(OWN_DEVICES).only(np.array(who)), cell_of(alone))
    for name, values in those._asdict().items():
        np.testing.assert_array_equal(getattr(few, name), values, err_msg=name)
    world = draw_world(alone, 60, seed=2)
    part, whole = fresh(Exact(), OWN_DEVICES), fresh(Exact(), alone)
    for report in reports_of(world):
        ours = part.serve(report._replace(devices=np.array(who)))
        assert ours._replace(devices=report.devices).packed() == whole.serve(report).packed()
    learning = fresh(policy, OWN_DEVICES)
    for report in reports_of(world):
        assert learning.serve(report._replace(devices=np.array(who))).devices.tolist() == who


def test_a_measured_queue_overrides_the_kept_one_and_nan_does_not() -> None:
    queues = QueueState(7, np.array([5.0, 6.0, 7.0]), np.array([1.0, 2.0, 3.0]))
    cell = cell_of(Scenario(devices=3))
    measured = checked_report(3, 7, [1e-11] * 3, [10.0] * 3, [0.5, 0.0, 1.5])
    np.testing.assert_array_equal(queues.frame(cell, measured).data_queue_mbit, [0.5, 0.0, 1.5])
    partly = measured._replace(data_queue_mbit=np.array([np.nan, 0.0, np.nan]))
    np.testing.assert_array_equal(queues.frame(cell, partly).data_queue_mbit, [15.0, 0.0, 17.0])


def test_queues_advance_by_the_recursions_and_count_nothing_twice() -> None:
    scenario = Scenario(devices=2, frame_s=0.5, nu=3.0, power_budget_w=[0.1, 0.2])
    cell, queues = cell_of(scenario), QueueState(4, np.array([5.0, 1.0]), np.array([0.2, 0.0]))
    report = checked_report(2, 4, [1e-11] * 2, [1.0, 2.0])
    frame = queues.frame(cell, report)
    answer = answer_of(report, frame, Exact().decide(frame, np.random.default_rng(0)), ServedBy.POLICY)
    after = queues.after(answer)
    assert after.next_frame == 5
    np.testing.assert_allclose(after.data_queue_mbit, [6.0, 3.0] - 0.5 * answer.rate_mbps, atol=1e-12)
    over_budget = answer.power_w - [0.1, 0.2]
    energy_queue = np.maximum([0.2, 0.0] + 3.0 * np.sqrt(0.5) * over_budget, 0.0)  # ν √T
    np.testing.assert_allclose(after.energy_queue, energy_queue, atol=1e-12)
    np.testing.assert_array_equal(queues.data_queue_mbit, [5.0, 1.0])  # what was, stays


@pytest.mark.parametrize("policy", [Exact(), Tdma().allocate, AllLocal()], ids=["at once", "in turn", "local"])
def test_what_a_decision_brings_is_what_the_model_says(policy: Any) -> None:
    cell = cell_of(OWN_DEVICES)
    frame = Frame(cell, np.array([3e-11, 1e-11, 8e-12, 5e-12]), np.full(4, 9.0), np.array([0.0, 1.0, 4.0, 0.5]))
    if callable(policy):
        decision = policy(frame, np.array([True, False, True, True]))
    else:
        decision = policy.decide(frame, np.random.default_rng(0))
    answer = answer_of(checked_report(4, 0, [1e-11] * 4, [0.0] * 4), frame, decision, ServedBy.POLICY)
    rate, power, objective = predicted_outcome(frame, decision.allocation)
    np.testing.assert_array_equal(answer.rate_mbps, rate)
    np.testing.assert_array_equal(answer.power_w, power)
    assert answer.objective == objective
    queue, energy = frame.data_queue_mbit.copy(), frame.energy_queue.copy()
    advance_queues(cell, queue, energy, rate, power, np.zeros(4))
    np.testing.assert_array_equal(answer.data_queue_mbit, queue)
    np.testing.assert_array_equal(answer.energy_queue, energy)
    np.testing.assert_array_equal(frame.data_queue_mbit, 9.0)  # what was, stays


def test_queues_stop_at_their_highest_values() -> None:
    cell, queues = cell_of(Scenario(devices=1, nu=1e6)), QueueState(0, np.array([1e12]), np.array([1e15]))
    report = checked_report(1, 0, [1e-11], [1e12])
    frame = queues.frame(cell, report)
    np.testing.assert_array_equal(frame.data_queue_mbit, [1e12])
    most = np.zeros(1), cell.max_frequency_hz  # more power than the budget
    decision = Decision(np.zeros(1, np.bool_), *most, np.zeros(1), np.zeros(1), 0.0)
    answer = answer_of(report, frame, decision, ServedBy.POLICY)
    assert (answer.power_w > cell.power_budget_w).all()
    np.testing.assert_array_equal(queues.after(answer).energy_queue, [1e15])
