"""What is said of a decision beside its answer, whatever a policy puts there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quedge.controller.answer import MAX_CHARACTERS, NO_INFO, DecisionInfo, ServedBy
from quedge.model.frame import Decision, Frame
from quedge.policy.lydroo import Lydroo
from tests.controller.reports import Sometimes, drawn_reports, fresh


class RudeError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


def failing(error: BaseException) -> Any:
    def instead(frame: Frame, decision: Decision) -> Decision:
        raise error

    return Sometimes(frozenset({0}), instead)


def noting(notes: Any) -> Any:
    return Sometimes(frozenset({0}), lambda frame, decision: decision._replace(notes=notes))


def test_the_k_of_a_learning_agent_is_told_of_each_frame() -> None:
    controller, told = fresh(Lydroo(candidates=3, memory=32, batch=8)), []
    for report in drawn_reports(3):
        controller.serve(report)
        told.append(controller.decision_info)
    assert told == [DecisionInfo(candidates=3.0)] * 3


def test_nothing_is_said_of_a_policy_without_candidates_nor_of_one_that_was_not_asked() -> None:
    learning, exact = fresh(Lydroo(candidates=3, memory=32, batch=8)), fresh()
    first, second = drawn_reports(2)
    learning.serve(first)
    learning.serve(second, ServedBy.LATE)
    exact.serve(first)
    assert learning.decision_info == exact.decision_info == NO_INFO


@pytest.mark.parametrize("notes", [None, 7, {}, {"candidates": "many"}, {"candidates": 10**400}, {"winner": 1.0}])
def test_notes_that_tell_no_number_of_candidates_say_nothing_and_the_decision_stands(notes: Any) -> None:
    controller = fresh(noting(notes))
    assert controller.serve(drawn_reports(1)[0]).served_by is ServedBy.POLICY
    assert controller.decision_info == NO_INFO


def test_candidates_may_be_a_number_of_numpy_s() -> None:
    controller = fresh(noting({"candidates": np.int64(5)}))
    controller.serve(drawn_reports(1)[0])
    assert controller.decision_info == DecisionInfo(candidates=5.0)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("a bad day"), "RuntimeError: a bad day"),
        (MemoryError(), "MemoryError"),
        (RudeError(), "RudeError"),
        (ValueError("two\nlines \x1b[31m"), "ValueError: two lines  [31m"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_why_a_policy_failed_is_told_by_kind_and_message_on_one_line(error: BaseException, told: str) -> None:
    controller = fresh(failing(error))
    assert controller.serve(drawn_reports(1)[0]).served_by is ServedBy.POLICY_FAILED
    assert controller.decision_info == DecisionInfo(failure=told)


def test_a_long_message_is_cut() -> None:
    controller = fresh(failing(RuntimeError("x" * 10_000)))
    controller.serve(drawn_reports(1)[0])
    assert len(controller.decision_info.failure) == MAX_CHARACTERS == 200


def test_a_decision_that_is_not_allowed_tells_what_is() -> None:
    controller = fresh(
        Sometimes(frozenset({0}), lambda frame, decision: decision._replace(transmit_power_w=np.full(4, -1.0)))
    )
    controller.serve(drawn_reports(1)[0])
    assert controller.decision_info.failure.startswith("ValueError: transmit_power_w[0]: -1.0 is not allowed")


def test_the_frame_after_a_failure_says_nothing_of_it() -> None:
    controller = fresh(failing(RuntimeError("a bad day")))
    for report in drawn_reports(2):
        controller.serve(report)
    assert controller.decision_info == NO_INFO
