"""The controller: the same reports the same answers, and an answer whatever a policy does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quedge.controller.answer import ServedBy
from quedge.controller.controller import Controller
from quedge.controller.report import Reason, Report, ReportRejected
from quedge.model.frame import Decision, Frame, Status
from quedge.policy.baselines import AllLocal, BestSingle, Random
from quedge.policy.exact import Exact
from quedge.policy.policy import Learner, Policy
from tests.controller.reports import EXACT, LEARNING, SMALL, Sometimes, drawn_reports, fresh, queues_as_bytes, served


class Panic(BaseException):
    """What a library in Rust raises when it panics."""


def raising(error: BaseException) -> Callable[[Frame, Decision], Decision]:
    def instead(frame: Frame, decision: Decision) -> Decision:
        raise error

    return instead


def replacing(**fields: Any) -> Callable[[Frame, Decision], Decision]:
    return lambda frame, decision: decision._replace(**fields)


def emptying_the_frame(frame: Frame, decision: Decision) -> Decision:
    for values in frame[1:]:
        values[:] = 0.0
    return decision._replace(transmit_power_w=np.full(4, np.nan))


NONSENSE = {
    "raises": raising(RuntimeError("a bad day")),
    "panics": raising(Panic("in Rust")),
    "has no memory": raising(MemoryError()),
    "leaves": raising(SystemExit(3)),
    "decides nothing": lambda frame, decision: None,
    "decides a number": lambda frame, decision: 3.0,
    "NaN powers": replacing(transmit_power_w=np.full(4, np.nan)),
    "infinite frequencies": replacing(cpu_frequency_hz=np.full(4, np.inf)),
    "negative powers": replacing(transmit_power_w=np.full(4, -1.0)),
    "too many devices": replacing(offload=np.ones(5, dtype=np.bool_)),
    "a matrix of powers": replacing(transmit_power_w=np.zeros((4, 1))),
    "no powers": replacing(transmit_power_w=None),
    "words": replacing(cpu_frequency_hz=["fast"] * 4),
    "ragged lists": replacing(offload=[[True], [], [False], []]),
    "shares beyond the frame": replacing(offload=np.ones(4, dtype=np.bool_), time_share=np.ones(4)),
    "an unknown status": replacing(status="never heard"),
    "a bound that is no number": replacing(upper_bound="high"),
    "empties its frame": emptying_the_frame,
}


@pytest.mark.parametrize("policy", [Exact(), Random(), LEARNING], ids=["exact", "random", "learning"])
def test_the_same_seed_answers_the_same_reports_alike(policy: Policy | Learner) -> None:
    reports = drawn_reports(80)
    assert served(fresh(policy), reports) == served(fresh(policy), reports)


def test_another_seed_answers_otherwise_where_the_policy_draws() -> None:
    reports = drawn_reports(40)
    assert served(fresh(Random(), seed=1), reports) != served(fresh(Random(), seed=2), reports)


@pytest.mark.parametrize("frame", [-1, 0, 4, 6, 2**62])
@pytest.mark.parametrize("policy", [Exact(), LEARNING], ids=["exact", "learning"])
def test_a_report_out_of_turn_changes_nothing(policy: Policy | Learner, frame: int) -> None:
    disturbed, reports = fresh(policy), drawn_reports(30)
    answers = served(disturbed, reports[:5])
    before = queues_as_bytes(disturbed)
    with pytest.raises(ReportRejected, match=f"frame: {frame} is not allowed; it must be 5, the next one") as refused:
        disturbed.serve(reports[7]._replace(frame=frame))
    assert refused.value.reason is (Reason.OLD_FRAME if frame < 5 else Reason.FUTURE_FRAME)
    assert queues_as_bytes(disturbed) == before
    assert answers + served(disturbed, reports[5:]) == served(fresh(policy), reports)


@pytest.mark.parametrize("what", NONSENSE)
def test_whatever_a_policy_does_the_frame_has_an_answer(what: str) -> None:
    reports = drawn_reports(6)
    controller = fresh(Sometimes(frozenset({2, 3}), NONSENSE[what]))
    answers = [controller.serve(report) for report in reports]
    by = [answer.served_by for answer in answers]
    failed, policy = ServedBy.POLICY_FAILED, ServedBy.POLICY
    assert by == [policy, policy, failed, failed, policy, policy]
    expected = fresh()
    for report, answer in zip(reports, answers, strict=True):
        if answer.served_by is failed:
            frame = expected.queues.frame(controller._cell, report)
            single = BestSingle().decide(frame, np.random.default_rng(0))
            np.testing.assert_array_equal(answer.offload, single.offload)
            np.testing.assert_array_equal(answer.transmit_power_w, single.transmit_power_w)
            again = expected.serve(report, ServedBy.POLICY_FAILED)
        else:
            again = expected.serve(report)
        assert answer.packed() == again.packed()


def test_an_interrupt_by_the_user_is_none_of_the_policy_s_mistakes() -> None:
    controller = fresh(Sometimes(frozenset({0}), raising(KeyboardInterrupt())))
    before = queues_as_bytes(controller)
    with pytest.raises(KeyboardInterrupt):
        controller.serve(drawn_reports(1)[0])
    assert queues_as_bytes(controller) == before


def test_a_decision_in_lists_integers_or_single_precision_is_taken_as_it_is_meant() -> None:
    def loosely(frame: Frame, decision: Decision) -> Decision:
        return decision._replace(
            offload=decision.offload.astype(int).tolist(),
            transmit_power_w=decision.transmit_power_w.tolist(),
            cpu_frequency_hz=np.asfortranarray(decision.cpu_frequency_hz),
            objective=None,
            rate_mbps=None,
            status="ok",
        )  # type: ignore[arg-type]

    reports = drawn_reports(10)
    assert served(fresh(Sometimes(frozenset(range(10)), loosely)), reports) == served(fresh(), reports)


def test_what_a_policy_does_with_its_arrays_later_does_not_change_its_answers() -> None:
    class Reusing:
        def __init__(self) -> None:
            self.power = np.zeros(4)

        def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
            decision = Exact().decide(frame, rng)
            self.power[:] = decision.transmit_power_w
            return decision._replace(transmit_power_w=self.power)

    controller, reports = fresh(Reusing()), drawn_reports(20)
    answers = [controller.serve(report) for report in reports]
    assert [answer.packed() for answer in answers] == served(fresh(), reports)


def test_a_policy_that_writes_into_its_frame_does_not_change_the_books() -> None:
    def meddling(frame: Frame, decision: Decision) -> Decision:
        for values in frame[1:]:
            values[:] = 1e3
        return decision

    reports = drawn_reports(20)
    assert served(fresh(Sometimes(frozenset(range(20)), meddling)), reports) == served(fresh(), reports)


def test_a_late_report_is_decided_by_best_single_and_the_policy_is_not_asked() -> None:
    policy = Sometimes(frozenset(), lambda frame, decision: decision)
    controller, single = fresh(policy), fresh(BestSingle())
    for report in drawn_reports(10):
        late = controller.serve(report, ServedBy.LATE)
        assert late.served_by is ServedBy.LATE
        assert late._replace(served_by=ServedBy.POLICY).packed() == single.serve(report).packed()
    assert policy.called == 0


def test_answers_tell_the_policy_s_bound_and_status() -> None:
    for report, answer in zip(drawn_reports(10), map(fresh().serve, drawn_reports(10)), strict=True):
        assert answer.frame == report.frame
        assert answer.status is Status.OK
        assert answer.upper_bound >= answer.objective * (1.0 - 1e-9)
    assert np.isnan(fresh(AllLocal()).serve(drawn_reports(1)[0]).upper_bound)


@pytest.mark.parametrize("policy", [Exact, "exact", None])
def test_what_is_no_policy_is_refused(policy: Any) -> None:
    with pytest.raises(ValueError, match=r"policy: .* is not allowed"):
        Controller(SMALL, policy)


def test_a_learner_whose_standing_nobody_could_keep_is_refused() -> None:
    class Learns:
        def begin(self, devices: int, rng: np.random.Generator) -> Policy:
            return Exact()

    with pytest.raises(ValueError, match=r"policy: .* of the learners only Lydroo's standing can be kept"):
        Controller(SMALL, Learns())


def test_a_report_may_leave_all_channels_useless_and_all_queues_full() -> None:
    controller = fresh()
    for t in range(5):
        full = Report(t, np.arange(4), np.full(4, 5e-324), np.full(4, 1e12), np.full(4, np.nan))
        answer = controller.serve(full)
        for values in answer[5:12]:
            assert np.isfinite(values).all()
            assert (values >= 0.0).all()


def test_what_makes_a_simulated_channel_imperfect_changes_no_answer() -> None:
    keys = {"estimate_error": 0.2, "residual_sic_share": 0.1, "doppler_hz": 0.1, "shadowing_db": 6.0}
    reports = drawn_reports(40)
    imperfect = fresh(scenario=dataclasses.replace(SMALL, **keys))
    assert served(imperfect, reports) == served(fresh(), reports)


UNDONE = {
    "exact": EXACT,
    "random": Random(),
    "learning": LEARNING,
    "learning, of few frames": dataclasses.replace(LEARNING, adapt_every=3),
    "failing": Sometimes(frozenset(range(10_000)), raising(RuntimeError("a bad day"))),
}


@pytest.mark.parametrize("policy", UNDONE.values(), ids=UNDONE)
@pytest.mark.parametrize("decided_by", [ServedBy.POLICY, ServedBy.LATE])
def test_a_frame_that_is_undone_leaves_nothing_behind(policy: Policy | Learner, decided_by: ServedBy) -> None:
    reports, other = drawn_reports(50), drawn_reports(50, seed=7)
    tried, straight = fresh(policy), fresh(policy)
    for report, foreign in zip(reports, other, strict=True):
        for _ in range(2):
            tried.serve(foreign, decided_by)
            tried.undo()
        assert queues_as_bytes(tried) == queues_as_bytes(straight)
        assert tried.serve(report).packed() == straight.serve(report).packed()
    assert tried.snapshot().packed() == straight.snapshot().packed()


def test_only_the_last_frame_can_be_undone_and_only_before_it_teaches() -> None:
    controller, reports = fresh(LEARNING), drawn_reports(2)
    with pytest.raises(RuntimeError, match="no frame to undo"):
        controller.undo()
    controller.serve(reports[0])
    controller.learn()
    with pytest.raises(RuntimeError, match="no frame to undo"):
        controller.undo()
    controller.serve(reports[1])
    controller.undo()
    with pytest.raises(RuntimeError, match="no frame to undo"):
        controller.undo()
