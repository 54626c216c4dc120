"""A shadow decides each frame twice: at the served queues, and at those to which its own decisions lead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quedge.controller.answer import ServedBy
from quedge.controller.report import checked_report
from quedge.controller.shadow import Shadow, Shadowed
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.policy.lydroo import EQUIVARIANT
from quedge.policy.policy import Learner, Policy
from tests.controller.reports import drawn_reports, fresh, queues_as_bytes, served

REPORTS = drawn_reports(30)
TRAINED = EQUIVARIANT.new_agent(4, np.random.default_rng(3)).trained()


def shadowed(policy: Policy | Learner, reports: Any = REPORTS, missing: int = -1) -> list[Shadowed]:
    """What a shadow makes of frames that best-single serves, of which it may miss one."""
    controller, shadow, found = fresh(BestSingle()), Shadow(lambda: fresh(policy)), []
    for report in reports:
        before = controller.queues
        answer = controller.serve(report)
        if report.frame != missing:
            found.append(shadow.decide(report, before, answer))
    return found


@pytest.mark.parametrize("policy", [AllLocal(), TRAINED], ids=["all-local", "trained"])
def test_its_own_queues_are_those_of_a_service_of_its_policy(policy: Policy | Learner) -> None:
    alone = fresh(policy)
    expected = served(alone, REPORTS)
    found = shadowed(policy)
    assert [each.would_be.packed() for each in found] == expected
    assert found[-1].queues.data_queue_mbit.tobytes() == alone.queues.data_queue_mbit.tobytes()
    assert [each.began_anew for each in found] == [True] + [False] * (len(REPORTS) - 1)


def test_the_same_state_comparison_is_at_the_queues_that_were_served() -> None:
    controller = fresh(BestSingle())
    for report, found in zip(REPORTS, shadowed(AllLocal()), strict=True):
        other = fresh(AllLocal())
        other.stand_at(controller.queues)
        expected, answer = other.serve(report), controller.serve(report)
        assert found.same_state.packed() == expected.packed()
        assert found.served_objective == answer.objective
        assert found.difference == expected.objective - answer.objective


def test_the_policy_that_serves_differs_in_nothing_from_its_own_shadow() -> None:
    assert [each.difference for each in shadowed(BestSingle())] == [0.0] * len(REPORTS)


def test_it_is_the_same_each_time() -> None:
    first, second = shadowed(TRAINED), shadowed(TRAINED)
    assert [each.would_be.packed() for each in first] == [each.would_be.packed() for each in second]


def test_after_a_missing_frame_it_begins_anew_where_the_served_queues_stand() -> None:
    whole, parted = shadowed(AllLocal()), shadowed(AllLocal(), missing=10)
    assert [each.began_anew for each in parted] == [True, *[False] * 9, True, *[False] * 18]
    assert parted[10].would_be.packed() == parted[10].same_state.packed()
    assert parted[10].would_be.packed() != whole[11].would_be.packed()


def test_measured_queues_are_arrivals_to_it() -> None:
    measuring, before = [], fresh(BestSingle())
    for report in REPORTS:
        queue = before.queues.data_queue_mbit + report.arrived_mbit
        numbers = (report.channel_gain.tolist(), [0.0] * 4, queue.tolist())
        measuring.append(checked_report(4, report.frame, *numbers))
        before.serve(report)
    for one, other in zip(shadowed(AllLocal()), shadowed(AllLocal(), measuring), strict=True):
        assert other.queues.data_queue_mbit == pytest.approx(one.queues.data_queue_mbit)
        assert other.difference == pytest.approx(one.difference)


class Raising:
    """A policy that has nothing to say."""

    def decide(self, frame: Any, rng: Any) -> Any:
        raise RuntimeError("as the test has it")


def test_where_it_fails_best_single_would_decide_and_nothing_is_compared() -> None:
    alone, found = fresh(BestSingle()), shadowed(Raising())
    served(alone, REPORTS)
    assert {each.failure for each in found} == {"RuntimeError: as the test has it"}
    assert {each.difference for each in found} == {None}
    assert {each.would_be.served_by for each in found} == {ServedBy.POLICY_FAILED}
    assert found[-1].queues.data_queue_mbit.tobytes() == alone.queues.data_queue_mbit.tobytes()


def test_it_changes_nothing_that_was_served() -> None:
    controller, shadow = fresh(BestSingle()), Shadow(lambda: fresh(AllLocal()))
    for report in REPORTS:
        before = controller.queues
        answer = controller.serve(report)
        kept, packed = queues_as_bytes(controller), answer.packed()
        shadow.decide(report, before, answer)
        assert (queues_as_bytes(controller), answer.packed()) == (kept, packed)
