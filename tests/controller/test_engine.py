"""The engine: every report one outcome, in order, and nothing acknowledged that is not kept."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.service.disks import Disk, Fault, FaultyJournal
from quedge.controller.answer import NO_INFO, ServedBy
from quedge.controller.controller import Controller
from quedge.controller.engine import Engine, Pace, Served
from quedge.controller.journal import Journal
from quedge.controller.report import NEXT_FRAME, Reason, Report, ReportRejected
from quedge.policy.lydroo import LydrooAgent
from quedge.policy.policy import Learner, Policy
from tests.controller.reports import (
    EXACT,
    LEARNING,
    SMALL,
    Sometimes,
    as_killed,
    drawn_reports,
    fresh,
    queues_as_bytes,
    served,
)

PATIENCE_S = 60.0  # kernels may have to be compiled first
USUAL = Pace()


class Clock:
    """A clock that stands still until it is put on; the engine's thread may see another time than its callers."""

    def __init__(self) -> None:
        self.now, self.lag_s = 100.0, 0.0
        self._callers = threading.get_ident()

    def __call__(self) -> float:
        return self.now + (0.0 if threading.get_ident() == self._callers else self.lag_s)


class Service:
    """An engine on a disk, and what was told of its reports."""

    def __init__(
        self, path: Path | None, policy: Policy | Learner = EXACT, pace: Pace = USUAL, fresh_one: Any = None
    ) -> None:
        self.clock, self.disk = Clock(), Disk()
        self.journal = None if path is None else FaultyJournal(Journal(path, "north", "under"), self.disk)
        self.engine = Engine(fresh_one or (lambda: fresh(policy)), self.journal, pace, self.clock)  # type: ignore[arg-type]
        self.told: queue.SimpleQueue[Served | ReportRejected] = queue.SimpleQueue()

    def outcome(self, report: Report) -> Served | ReportRejected:
        """What becomes of a report, waited for."""
        self.engine.submit(report, self.told.put)
        return self.told.get(timeout=PATIENCE_S)

    def answer(self, report: Report) -> bytes:
        """The answer to a report that must be served."""
        outcome = self.outcome(report)
        assert isinstance(outcome, Served)
        assert not outcome.repeated
        return outcome.answer.packed()

    def refusal(self, report: Report) -> Reason:
        """Why a report is refused that must be; the queues must stay as they were."""
        before = queues_as_bytes(self.engine)
        outcome = self.outcome(report)
        assert isinstance(outcome, ReportRejected)
        assert queues_as_bytes(self.engine) == before
        return outcome.reason

    def checkpoint(self) -> int | None:
        """The next frame of a checkpoint."""
        kept: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.engine.checkpoint(kept.put)
        return kept.get(timeout=PATIENCE_S)


@pytest.fixture
def begun() -> Iterator[Callable[..., Service]]:
    """Begins services, and ends them."""
    services: list[Service] = []

    def begin(*given: Any, **named: Any) -> Service:
        services.append(Service(*given, **named))
        return services[-1]

    yield begin
    for service in services:
        service.engine.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "quedge-cell"]


Begun = Callable[..., Service]
policies = pytest.mark.parametrize("policy", [EXACT, LEARNING], ids=["exact", "learning"])


class Counting(Controller):
    """A controller that counts the frames that it serves."""

    count = 0

    def serve(self, report: Report, decided_by: ServedBy = ServedBy.POLICY) -> Any:
        self.count += 1
        return super().serve(report, decided_by)


def served_again(path: Path) -> int:
    """How many frames a restart serves again."""
    controller, journal = Counting(SMALL, EXACT), Journal(path, "north", "under")
    journal.restore(controller)
    journal.close()
    return controller.count


@policies
def test_reports_are_answered_in_order_as_by_a_controller_alone(
    begun: Begun, tmp_path: Path, policy: Policy | Learner
) -> None:
    reports = drawn_reports(60)
    service = begun(tmp_path / "j", policy)
    for report in reports:
        service.engine.submit(report, service.told.put)
    outcomes = [service.told.get(timeout=PATIENCE_S) for _ in reports]
    assert [outcome.answer.packed() for outcome in outcomes] == served(fresh(policy), reports)  # type: ignore[union-attr]


def test_the_last_report_is_answered_again_identically_also_after_a_restart(begun: Begun, tmp_path: Path) -> None:
    reports = drawn_reports(10)
    service = begun(tmp_path / "j")
    answers = [service.answer(report) for report in reports]
    service.engine.close()
    again = begun(tmp_path / "j")
    for _ in range(3):
        outcome = again.outcome(reports[-1])
        assert isinstance(outcome, Served)
        assert outcome.repeated
        assert outcome.answer.packed() == answers[-1]
    assert again.refusal(reports[-2]) is Reason.OLD_FRAME


def test_another_report_of_the_last_frame_is_no_repetition(begun: Begun) -> None:
    service = begun(None)
    first, second = drawn_reports(2)
    service.answer(first)
    assert service.refusal(second._replace(frame=0)) is Reason.OLD_FRAME
    assert service.refusal(second._replace(frame=7)) is Reason.FUTURE_FRAME
    service.answer(second)


def test_the_frame_that_is_due_need_not_be_named(begun: Begun) -> None:
    service, reports = begun(None), drawn_reports(5)
    assert [service.answer(report._replace(frame=NEXT_FRAME)) for report in reports] == served(fresh(), reports)


def test_a_report_that_waited_too_long_is_decided_by_best_single(begun: Begun, tmp_path: Path) -> None:
    policy = Sometimes(frozenset(), lambda frame, decision: decision)
    service, reports = begun(tmp_path / "j", policy, Pace(late_s=0.05)), drawn_reports(3)
    by = []
    for report, lag_s in zip(reports, (0.04, 0.06, 0.0), strict=True):
        service.clock.lag_s = lag_s
        outcome = service.outcome(report)
        assert isinstance(outcome, Served)
        by.append(outcome.answer.served_by)
        assert outcome.waited_s == pytest.approx(lag_s)
    assert by == [ServedBy.POLICY, ServedBy.LATE, ServedBy.POLICY]
    assert policy.called == 2


@pytest.mark.parametrize("jump_s", [-1e9, 1e9])
def test_a_clock_that_jumps_stops_nothing(begun: Begun, jump_s: float) -> None:
    service = begun(None)
    for report in drawn_reports(4):
        service.clock.now += jump_s
        service.answer(report)


def test_without_a_journal_a_report_is_decided_at_once_by_whoever_brings_it(begun: Begun) -> None:
    service, deciders = begun(None), []

    def told(outcome: Served | ReportRejected) -> None:
        deciders.append(threading.current_thread())
        service.told.put(outcome)

    for report in drawn_reports(1000):
        service.engine.submit(report, told)
        service.told.get(timeout=PATIENCE_S)
        if deciders[-1] is threading.current_thread():
            break
        time.sleep(1e-3)  # until the thread is at rest
    assert deciders[0] is not threading.current_thread()  # how long a decision takes is not known yet
    assert deciders[-1] is threading.current_thread()


def test_a_slow_policy_holds_up_nobody_who_brings_a_report_also_after_a_late_frame(begun: Begun) -> None:
    def slow(frame: Any, decision: Any) -> Any:
        service.clock.now += 1.0
        return decision

    service, deciders = begun(None, Sometimes(frozenset(range(4)), slow)), set()

    def told(outcome: Served | ReportRejected) -> None:
        deciders.add(threading.current_thread())
        service.told.put(outcome)

    by = []
    for report, lag_s in zip(drawn_reports(4), (0.0, 1.0, 0.0, 0.0), strict=True):
        service.clock.lag_s = lag_s
        service.engine.submit(report, told)
        outcome = service.told.get(timeout=PATIENCE_S)
        assert isinstance(outcome, Served)
        by.append(outcome.answer.served_by)
        time.sleep(0.02)  # until the thread is at rest
    assert by == [ServedBy.POLICY, ServedBy.LATE, ServedBy.POLICY, ServedBy.POLICY]
    assert threading.current_thread() not in deciders


def test_with_a_journal_the_thread_decides(begun: Begun, tmp_path: Path) -> None:
    service, deciders = begun(tmp_path / "j"), set()

    def told(outcome: Served | ReportRejected) -> None:
        deciders.add(threading.current_thread())
        service.told.put(outcome)

    for report in drawn_reports(20):
        service.engine.submit(report, told)
        service.told.get(timeout=PATIENCE_S)
    assert threading.current_thread() not in deciders


def test_an_answer_does_not_wait_for_what_its_frame_teaches(
    begun: Begun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, report = begun(tmp_path / "j", LEARNING), drawn_reports(1)[0]
    asked, go_on, learn = threading.Event(), threading.Event(), LydrooAgent.learn

    def slow(agent: LydrooAgent, rng: np.random.Generator) -> Mapping[str, float]:
        if agent.state().frames > 0:
            asked.set()
            assert go_on.wait(PATIENCE_S)
        return learn(agent, rng)

    monkeypatch.setattr(LydrooAgent, "learn", slow)
    service.answer(report)
    assert asked.wait(PATIENCE_S)  # it learns only now
    go_on.set()


def test_reports_beyond_those_that_may_wait_are_refused_at_once(begun: Begun) -> None:
    service, reports = begun(None, pace=Pace(max_waiting=3)), drawn_reports(6)
    held, entered = threading.Event(), threading.Event()

    def hold(outcome: Served | ReportRejected) -> None:
        entered.set()
        held.wait(PATIENCE_S)

    service.engine.submit(reports[0], hold)
    assert entered.wait(PATIENCE_S)
    for report in reports[1:]:
        service.engine.submit(report, service.told.put)
    refused = [service.told.get(timeout=PATIENCE_S) for _ in range(2)]
    assert [outcome.reason for outcome in refused] == [Reason.OVERLOADED] * 2  # type: ignore[union-attr]
    held.set()
    answers = [service.told.get(timeout=PATIENCE_S) for _ in range(3)]
    assert [outcome.answer.frame for outcome in answers] == [1, 2, 3]  # type: ignore[union-attr]
    service.answer(reports[4])


@policies
@pytest.mark.parametrize("failures", [1, 3])
def test_a_frame_that_cannot_be_written_is_refused_and_served_when_it_can(
    begun: Begun, tmp_path: Path, policy: Policy | Learner, failures: int
) -> None:
    reports = drawn_reports(40)
    service = begun(tmp_path / "j", policy, Pace(checkpoint_frames=9))
    answers = [service.answer(report) for report in reports[:20]]
    for attempt in range(failures):
        service.disk.arm(Fault.REFUSED, 0 if attempt == 0 else 1)  # reading comes before writing again
        assert service.refusal(reports[20]) is Reason.NOT_DURABLE
    answers += [service.answer(report) for report in reports[20:]]
    assert answers == served(fresh(policy), reports)


@policies
def test_a_frame_that_cannot_be_written_serves_nothing_again(
    begun: Begun, tmp_path: Path, policy: Policy | Learner
) -> None:
    controllers: list[Counting] = []

    def counting() -> Counting:
        controllers.append(Counting(SMALL, policy))
        return controllers[-1]

    service, reports = begun(tmp_path / "j", fresh_one=counting), drawn_reports(40)
    answers = [service.answer(report) for report in reports[:30]]
    for _ in range(5):
        service.disk.arm(Fault.REFUSED, 1 if _ else 0)
        assert service.refusal(reports[30]) is Reason.NOT_DURABLE
    answers += [service.answer(report) for report in reports[30:]]
    assert answers == served(fresh(policy), reports)
    assert [controller.count for controller in controllers] == [40 + 5]


def test_what_could_not_be_written_is_told_until_something_is(begun: Begun, tmp_path: Path) -> None:
    service, reports = begun(tmp_path / "j", LEARNING), drawn_reports(5)
    answers = [service.answer(reports[0])]
    assert service.engine.health_error() is None
    for report in reports[1:3]:
        service.disk.arm(Fault.REFUSED, 0)
        assert service.refusal(report) is Reason.NOT_DURABLE
        assert service.engine.health_error() == "refused"
        answers.append(service.answer(report))
        assert service.engine.health_error() is None
    service.disk.arm(Fault.REFUSED, 0)
    assert service.refusal(reports[3]) is Reason.NOT_DURABLE
    service.engine.retry()  # without a report
    until = time.monotonic() + PATIENCE_S
    while service.engine.health_error() is not None:
        assert time.monotonic() < until
    answers += [service.answer(report) for report in reports[3:]]
    assert answers == served(fresh(LEARNING), reports)


def test_an_engine_that_has_ended_is_told(begun: Begun) -> None:
    service = begun(None)
    assert service.engine.health_error() is None
    service.engine.close()
    assert service.engine.health_error() == "its engine has ended"


def test_while_the_state_can_be_neither_written_nor_read_reports_are_refused(begun: Begun, tmp_path: Path) -> None:
    service, reports = begun(tmp_path / "j"), drawn_reports(6)
    service.answer(reports[0])
    for _ in range(4):
        service.disk.arm(Fault.REFUSED, 0)
        assert service.refusal(reports[1]) is Reason.NOT_DURABLE
    answers = [service.answer(report) for report in reports[1:]]
    assert answers == served(fresh(), reports)[1:]


def test_another_report_may_follow_one_that_was_not_written(begun: Begun, tmp_path: Path) -> None:
    service, reports = begun(tmp_path / "j"), drawn_reports(6)
    service.answer(reports[0])
    service.disk.arm(Fault.REFUSED, 0)
    assert service.refusal(reports[1]) is Reason.NOT_DURABLE
    other = reports[2]._replace(frame=1)
    assert service.answer(other) == served(fresh(), [reports[0], other])[1]


def test_a_frame_that_was_written_after_all_is_not_served_twice(begun: Begun, tmp_path: Path) -> None:
    service, reports = begun(tmp_path / "j"), drawn_reports(6)
    service.answer(reports[0])
    service.disk.arm(Fault.DOUBTFUL, 0)
    assert service.refusal(reports[1]) is Reason.NOT_DURABLE
    outcome = service.outcome(reports[1])
    assert isinstance(outcome, Served)
    assert outcome.repeated
    assert service.engine.queues.next_frame == 2
    assert outcome.answer.packed() == served(fresh(), reports)[1]
    assert service.answer(reports[2]._replace(frame=NEXT_FRAME)) == served(fresh(), reports)[2]


def test_a_mistake_of_the_controller_s_own_is_told_and_leaves_the_cell_as_it_was(begun: Begun, tmp_path: Path) -> None:
    class Mistaken(Controller):
        mistakes = 1

        def serve(self, report: Report, decided_by: ServedBy = ServedBy.POLICY) -> Any:
            answer = super().serve(report, decided_by)
            if report.frame == 3 and Mistaken.mistakes:
                Mistaken.mistakes -= 1
                raise ZeroDivisionError("after it had changed everything")
            return answer

    service, reports = begun(tmp_path / "j", fresh_one=lambda: Mistaken(SMALL, LEARNING)), drawn_reports(30)
    answers = [service.answer(report) for report in reports[:3]]
    assert service.refusal(reports[3]) is Reason.FAILED
    answers += [service.answer(report) for report in reports[3:]]
    assert answers == served(fresh(LEARNING), reports)


def test_a_policy_that_fails_is_no_failure_of_the_frame_and_survives_a_restart(begun: Begun, tmp_path: Path) -> None:
    def failing(frame: Any, decision: Any) -> Any:
        raise OSError("the policy's own file")

    policy, reports = Sometimes(frozenset({2, 5}), failing), drawn_reports(10)
    service = begun(tmp_path / "j", policy)
    by = []
    for report in reports:
        outcome = service.outcome(report)
        assert isinstance(outcome, Served)
        by.append(outcome.answer.served_by)
    assert [frame for frame, who in enumerate(by) if who is ServedBy.POLICY_FAILED] == [2, 5]
    before = queues_as_bytes(service.engine)
    service.engine.close()
    assert queues_as_bytes(begun(tmp_path / "j").engine) == before


def test_who_waits_for_an_outcome_cannot_stop_the_cell(begun: Begun, tmp_path: Path) -> None:
    def gone(outcome: object) -> None:
        raise RuntimeError("event loop is closed")

    service, reports = begun(tmp_path / "j"), drawn_reports(3)
    service.engine.submit(reports[0], gone)
    service.engine.submit(reports[0]._replace(frame=9), gone)
    service.engine.checkpoint(gone)
    service.answer(reports[1])


def test_closing_answers_what_waits_keeps_a_checkpoint_and_leaves_no_thread(begun: Begun, tmp_path: Path) -> None:
    service, reports = begun(tmp_path / "j"), drawn_reports(12)
    for report in reports:
        service.engine.submit(report, service.told.put)
    service.engine.close()
    service.engine.close()
    assert [service.told.get_nowait().answer.frame for _ in reports] == list(range(12))  # type: ignore[union-attr]
    assert not [thread for thread in threading.enumerate() if thread.name == "quedge-cell"]
    assert served_again(tmp_path / "j") == 0


def test_after_the_end_every_report_is_refused(begun: Begun, tmp_path: Path) -> None:
    service, reports = begun(tmp_path / "j"), drawn_reports(2)
    service.answer(reports[0])
    service.engine.close()
    assert service.refusal(reports[1]) is Reason.OVERLOADED
    assert service.checkpoint() is None


def test_checkpoints_are_kept_every_few_frames_and_when_asked_for(begun: Begun, tmp_path: Path) -> None:
    service, reports = begun(tmp_path / "j", pace=Pace(checkpoint_frames=10)), drawn_reports(25)
    for report in reports[:23]:
        service.answer(report)
    assert service.refusal(reports[0]) is Reason.OLD_FRAME  # by then the checkpoint before it is kept
    assert served_again(as_killed(tmp_path / "j", tmp_path / "k")) == 3
    assert service.checkpoint() == 23
    assert served_again(as_killed(tmp_path / "j", tmp_path / "l")) == 0


def test_a_process_that_dies_early_each_time_serves_nothing_again_more_than_once(begun: Begun, tmp_path: Path) -> None:
    reports, path = drawn_reports(60), tmp_path / "0"
    for life in range(6):
        service = begun(path, pace=Pace(checkpoint_frames=50))
        for report in reports[10 * life : 10 * (life + 1)]:
            service.answer(report)
        path = as_killed(path, tmp_path / f"{life + 1}")
        assert served_again(as_killed(path, tmp_path / "copy")) == 10


def test_a_checkpoint_that_cannot_be_written_costs_nothing_but_time(begun: Begun, tmp_path: Path) -> None:
    service, reports = begun(tmp_path / "j"), drawn_reports(20)
    answers = [service.answer(report) for report in reports[:10]]
    service.disk.arm(Fault.REFUSED, 0)
    assert service.checkpoint() is None
    answers += [service.answer(report) for report in reports[10:]]
    assert answers == served(fresh(), reports)
    assert service.checkpoint() == 20


def test_without_a_journal_a_checkpoint_is_not_kept(begun: Begun) -> None:
    service = begun(None)
    service.answer(drawn_reports(1)[0])
    assert service.checkpoint() is None


def test_two_controllers_of_one_engine_s_journal_agree(begun: Begun, tmp_path: Path) -> None:
    service, reports = begun(tmp_path / "j", LEARNING, Pace(checkpoint_frames=7)), drawn_reports(50)
    for report in reports:
        service.answer(report)
    service.engine.close()
    again, expected = fresh(LEARNING), fresh(LEARNING)
    journal = Journal(tmp_path / "j", "north", "under")
    journal.restore(again)
    journal.close()
    served(expected, reports)
    assert again.snapshot().packed() == expected.snapshot().packed()


def test_what_is_said_of_a_decision_is_told_once_and_not_kept(tmp_path: Path, begun: Begun) -> None:
    service, (report,) = begun(tmp_path / "a", LEARNING), drawn_reports(1)
    first, again = service.outcome(report), service.outcome(report)
    assert isinstance(first, Served)
    assert isinstance(again, Served)
    assert first.info.candidates == SMALL.devices
    assert (again.repeated, again.info) == (True, NO_INFO)
    restored = begun(as_killed(tmp_path / "a", tmp_path / "b"), LEARNING).outcome(report)
    assert (restored.repeated, restored.info) == (True, NO_INFO)


def test_why_a_policy_failed_is_told_with_the_frame_and_not_in_its_answer(begun: Begun) -> None:
    def instead(frame: Any, decision: Any) -> Any:
        raise RuntimeError("a bad day")

    told = begun(None, Sometimes(frozenset({0}), instead)).outcome(drawn_reports(1)[0])
    assert isinstance(told, Served)
    assert told.answer.served_by is ServedBy.POLICY_FAILED
    assert told.info.failure == "RuntimeError: a bad day"
    assert b"a bad day" not in told.answer.packed()
