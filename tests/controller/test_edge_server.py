"""A controller with a finite edge server: its queues are those of a simulation, and survive."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from quedge.controller.controller import Controller
from quedge.controller.report import checked_report
from quedge.controller.state import QueueState, Snapshot
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle
from quedge.simulation.run import simulate
from quedge.simulation.world import World
from tests.controller.reports import reports_of

SLOW = Scenario(devices=4, server_frequency_hz=2e8, server_cycles_per_bit=(50.0, 100.0, 100.0, 200.0))


def test_decisions_and_queues_are_those_of_a_simulation() -> None:
    trace = simulate(SLOW, BestSingle(), 120, seed=5)
    controller = Controller(SLOW, BestSingle())
    for t, report in enumerate(reports_of(World(trace.channel_gain, trace.arrival_mbit))):
        np.testing.assert_array_equal(controller.queues.server_queue_mbit, trace.server_queue_mbit[t])
        answer = controller.serve(report)
        np.testing.assert_array_equal(answer.transmit_power_w, trace.transmit_power_w[t])
        assert answer.objective == trace.objective[t]
    assert trace.server_queue_mbit.max() > 1.0


def test_a_snapshot_keeps_the_server_s_queues_and_an_older_one_has_empty_ones() -> None:
    trace = simulate(SLOW, BestSingle(), 40, seed=1)
    reports = list(reports_of(World(trace.channel_gain, trace.arrival_mbit)))
    controller, other = Controller(SLOW, BestSingle()), Controller(SLOW, BestSingle())
    for report in reports[:30]:
        controller.serve(report)
    other.restore(Snapshot.unpacked(controller.snapshot().packed()))
    for report in reports[30:]:
        assert controller.serve(report).packed() == other.serve(report).packed()
    older = QueueState(30, *controller.queues[1:3])
    other.stand_at(older)
    np.testing.assert_array_equal(other.queues.server_queue_mbit, np.zeros(4))
    assert older.widened(6).server_queue_mbit.size == 0
    assert controller.queues.widened(6).server_queue_mbit.size == 6


def test_who_does_not_report_has_its_data_processed_all_the_same() -> None:
    controller = Controller(dataclasses.replace(SLOW, server_frequency_hz=1e12), BestSingle())
    controller.serve(checked_report(4, 0, [1e-10] * 4, [50.0] * 4))
    waiting = controller.queues.server_queue_mbit
    assert waiting.max() > 0.0
    (silent,) = np.flatnonzero(waiting)
    others = [device for device in range(4) if device != silent]
    controller.serve(checked_report(4, 1, [1e-30] * 3, [0.0] * 3, devices=others))
    assert controller.queues.server_queue_mbit[silent] == 0.0


def test_a_battery_that_nobody_reports_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^battery_j: 2.0 is not allowed in the controller"):
        Controller(Scenario(battery_j=2.0), BestSingle())
