"""A cell goes on under a changed scenario: its queues are kept, and a restart stands where it stood."""

from __future__ import annotations

import dataclasses
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.service.disks import Disk, Fault, FaultyJournal
from quedge.controller.controller import Controller
from quedge.controller.engine import Change, Engine, Pace, Served
from quedge.controller.journal import Journal
from quedge.controller.report import Reason, Report, ReportRejected
from quedge.controller.state import QueueState
from quedge.controller.stored import stored_cell
from quedge.model.scenario import Scenario
from quedge.policy.lydroo import EQUIVARIANT
from quedge.policy.policy import Learner, Policy
from tests.controller.reports import EXACT, LEARNING, SMALL, as_killed, drawn_reports, fresh, queues_as_bytes

PATIENCE_S = 120.0
CHANGED = dataclasses.replace(SMALL, v=200.0, nu=3.0)
WIDER = dataclasses.replace(CHANGED, devices=6)
REPORTS = drawn_reports(24)


def to(scenario: Scenario, policy: Policy | Learner = EXACT) -> Change:
    return Change(lambda: fresh(policy, scenario), f"{scenario.devices} devices, V {scenario.v}")


class Cell:
    """An engine on a disk."""

    def __init__(self, path: Path | None, policy: Policy | Learner = EXACT) -> None:
        self.disk = Disk()
        self.journal = None if path is None else FaultyJournal(Journal(path, "north", "before"), self.disk)
        self.engine = Engine(lambda: fresh(policy), self.journal, Pace(late_s=60.0))  # type: ignore[arg-type]

    def served(self, report: Report) -> Served | ReportRejected:
        told: queue.SimpleQueue[Served | ReportRejected] = queue.SimpleQueue()
        self.engine.submit(report, told.put)
        return told.get(timeout=PATIENCE_S)

    def answers(self, reports: list[Report]) -> list[bytes]:
        outcomes = [self.served(report) for report in reports]
        assert all(isinstance(outcome, Served) for outcome in outcomes)
        return [outcome.answer.packed() for outcome in outcomes if isinstance(outcome, Served)]

    def migrated(self, change: Change) -> int | None:
        told: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.engine.migrate(change, told.put)
        return told.get(timeout=PATIENCE_S)


Begun = Callable[..., Cell]


@pytest.fixture
def begun() -> Iterator[Begun]:
    cells: list[Cell] = []

    def begin(path: Path | None, policy: Policy | Learner = EXACT) -> Cell:
        cells.append(Cell(path, policy))
        return cells[-1]

    yield begin
    for cell in cells:
        cell.engine.close()


def goes_on(queues: QueueState, scenario: Scenario, reports: list[Report]) -> list[bytes]:
    """What a controller of the changed scenario answers from the same queues on."""
    controller = fresh(EXACT, scenario)
    controller.stand_at(queues.widened(scenario.devices))
    return [controller.serve(report).packed() for report in reports]


def restarted(path: Path, folder: Path, change: Change) -> Controller:
    """A controller that a restart after `kill -9` brings to where the journal stands."""
    copy = as_killed(path, folder / "north.journal")
    journal, controller = Journal(copy, "north", change.determined_by), change.fresh()
    journal.restore(controller)
    journal.close()
    return controller


@pytest.mark.parametrize("kept", [True, False], ids=["journal", "no journal"])
@pytest.mark.parametrize("scenario", [CHANGED, WIDER], ids=["weights", "devices"])
def test_frames_go_on_from_the_queues_of_before(tmp_path: Path, begun: Begun, kept: bool, scenario: Scenario) -> None:
    cell = begun(tmp_path / "north.journal" if kept else None)
    cell.answers(REPORTS[:10])
    queues = cell.engine.queues
    assert cell.migrated(to(scenario)) == 10
    assert cell.engine.devices == scenario.devices
    wide = cell.engine.queues
    assert np.array_equal(wide.data_queue_mbit, [*queues.data_queue_mbit, *[0.0] * (scenario.devices - SMALL.devices)])
    assert np.array_equal(wide.energy_queue, [*queues.energy_queue, *[0.0] * (scenario.devices - SMALL.devices)])
    expected = goes_on(queues, scenario, REPORTS[10:])
    assert expected != goes_on(queues, SMALL, REPORTS[10:])
    assert cell.answers(REPORTS[10:]) == expected


@pytest.mark.parametrize("after", [0, 7])
def test_a_restart_stands_where_the_changed_cell_stood(tmp_path: Path, begun: Begun, after: int) -> None:
    path = tmp_path / "north.journal"
    cell, change = begun(path), to(WIDER)
    cell.answers(REPORTS[:10])
    cell.migrated(change)
    cell.answers(REPORTS[10 : 10 + after])
    (tmp_path / "killed").mkdir()
    assert queues_as_bytes(restarted(path, tmp_path / "killed", change)) == queues_as_bytes(cell.engine)
    assert stored_cell(tmp_path / "killed", "north").migrated_at == [10]


def test_the_last_answer_of_before_is_given_again(begun: Begun, tmp_path: Path) -> None:
    cell = begun(tmp_path / "north.journal")
    (*_, last) = cell.answers(REPORTS[:10])
    cell.migrated(to(CHANGED))
    again = cell.served(REPORTS[9])
    assert isinstance(again, Served)
    assert (again.repeated, again.answer.packed()) == (True, last)


def test_what_an_agent_has_learned_goes_on(begun: Begun, tmp_path: Path) -> None:
    path, change = tmp_path / "north.journal", to(CHANGED, LEARNING)
    cell = begun(path, LEARNING)
    cell.answers(REPORTS[:20])
    cell.migrated(change)
    cell.answers(REPORTS[20:])
    (tmp_path / "killed").mkdir()
    agent = restarted(path, tmp_path / "killed", change).snapshot().agent
    assert agent is not None
    assert agent.frames == len(REPORTS)


TRAINED = EQUIVARIANT.new_agent(4, np.random.default_rng(3)).trained()


@pytest.mark.parametrize(("before", "after"), [(EXACT, TRAINED), (TRAINED, EXACT), (TRAINED, TRAINED)])
def test_another_policy_takes_the_queues_over_from_a_clean_end(tmp_path: Path, before: Any, after: Any) -> None:
    path, change = tmp_path / "north.journal", to(CHANGED, after)._replace(keeps_agent=False)
    cell = Cell(path, before)
    cell.answers(REPORTS[:10])
    cell.engine.close()
    queues = queues_as_bytes(cell.engine)
    engine = Engine(lambda: fresh(after), Journal(path, "north", "before"), change=change)
    assert queues_as_bytes(engine) == queues
    engine.close()
    again = Engine(change.fresh, Journal(path, "north", change.determined_by))
    assert queues_as_bytes(again) == queues
    again.close()


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.DOUBTFUL])
def test_a_change_that_could_not_be_written_is_tried_again_and_no_frame_is_lost(
    begun: Begun, tmp_path: Path, fault: Fault
) -> None:
    path, change = tmp_path / "north.journal", to(CHANGED)
    cell = begun(path)
    cell.answers(REPORTS[:10])
    cell.disk.arm(fault, 0)
    assert cell.migrated(change) is None
    assert cell.engine.health_error() == fault
    cell.answers(REPORTS[10:11])  # it is tried with this frame, or was written all the same
    assert cell.migrated(change) == 11  # asked for once more
    cell.answers(REPORTS[11:])
    assert cell.engine.health_error() is None
    (tmp_path / "killed").mkdir()
    assert queues_as_bytes(restarted(path, tmp_path / "killed", change)) == queues_as_bytes(cell.engine)
    assert stored_cell(tmp_path / "killed", "north").migrated_at == [10 if fault is Fault.DOUBTFUL else 11]


def test_a_report_that_waits_is_refused_nothing_by_a_change(begun: Begun) -> None:
    cell, told = begun(None), queue.SimpleQueue[object]()
    for report in REPORTS[:5]:
        cell.engine.submit(report, told.put)
    cell.engine.migrate(to(WIDER), told.put)
    for report in REPORTS[5:10]:
        cell.engine.submit(report, told.put)
    outcomes = [told.get(timeout=PATIENCE_S) for _ in range(11)]
    assert sum(isinstance(outcome, Served) for outcome in outcomes) == 10
    assert cell.engine.queues.next_frame == 10
    refused = cell.served(REPORTS[3])
    assert isinstance(refused, ReportRejected)
    assert refused.reason is Reason.OLD_FRAME
