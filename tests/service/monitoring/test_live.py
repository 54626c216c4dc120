"""What the page is told of the recent past."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("grpc")

from quedge.controller.answer import ServedBy
from quedge.controller.controller import Controller
from quedge.controller.shadow import Shadow
from quedge.controller.state import QueueState
from quedge.policy.baselines import AllLocal
from quedge.policy.exact import Exact
from quedge.service import quedge_pb2 as pb
from quedge.service.monitoring.endpoints import MAX_DEVICES, live
from quedge.service.monitoring.statistics import MAX_POINTS, POINT_COLUMNS, Statistics
from tests.service.monitoring.cells import BUDGET_W, DEVICES, SCENARIO, STARTED, Cell, Clock, again, mean, shadowed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def statistics(clock: Clock) -> Statistics:
    return Statistics(BUDGET_W, clock)


def shown(statistics: Statistics) -> dict[str, Any]:
    told = json.loads(live(statistics))
    assert isinstance(told, dict)
    return told


def points(statistics: Statistics, place: int = 0) -> list[dict[str, Any]]:
    told = shown(statistics)
    assert told["columns"] == list(POINT_COLUMNS)
    return [dict(zip(POINT_COLUMNS, point, strict=True)) for point in told["base_stations"][place]["points"]]


def test_a_second_makes_a_point_when_it_is_over(statistics: Statistics, clock: Clock) -> None:
    cell = Cell()
    answers = []
    for decided_by, decision_s in ((ServedBy.POLICY, 1e-3), (ServedBy.POLICY, 1e-3), (ServedBy.LATE, 0.1)):
        served = cell.served(decided_by, decision_s=decision_s, arrived_mbit=50.0)
        statistics.served("roof", served, 0.2)
        answers.append(served.answer)
    statistics.refused("roof", pb.OLD_FRAME)
    assert points(statistics) == []
    clock.now += 1.0
    (point,) = points(statistics)
    assert point["second"] == 0
    assert point["data_queue_mbit"] == pytest.approx(mean(answers[-1].data_queue_mbit), rel=1e-4)
    assert point["power_w"] == pytest.approx(np.mean([answer.power_w for answer in answers]), rel=1e-4)
    assert point["offloading_ratio"] == pytest.approx(np.mean([answer.offload for answer in answers]), rel=1e-4)
    assert point["decision_p50_s"] == pytest.approx(1e-3, rel=0.05)
    assert point["decision_p99_s"] == pytest.approx(0.1, rel=0.05)
    assert (point["served"], point["refused"], point["best_single"]) == (3, 1, 1)


def test_seconds_without_events_leave_no_points(statistics: Statistics, clock: Clock) -> None:
    cell = Cell()
    statistics.served("roof", cell.served(), 1e-3)
    clock.now += 7.0
    statistics.refused("roof", pb.OLD_FRAME)
    clock.now += 5.0
    first, second = points(statistics)
    assert (first["second"], second["second"]) == (0, 7)
    assert second["served"] == 0
    assert second["power_w"] is second["decision_p50_s"] is None
    assert shown(statistics)["second"] == 12


def test_the_past_is_bounded(statistics: Statistics, clock: Clock) -> None:
    cell = Cell()
    served = cell.served()
    for _ in range(2 * MAX_POINTS):
        statistics.served("roof", served, 1e-3)
        clock.now += 1.0
    kept = points(statistics)
    assert len(kept) == MAX_POINTS
    assert kept[-1]["second"] == 2 * MAX_POINTS - 1


def test_the_last_frame_is_told_device_by_device(statistics: Statistics) -> None:
    cell = Cell()
    statistics.served("roof", cell.served(), 1e-3)
    answer = (served := cell.served(ServedBy.LATE, devices=(1, 3), arrived_mbit=60.0)).answer
    statistics.served("roof", served, 1e-3)
    (station,) = shown(statistics)["base_stations"]
    last = station["last"]
    assert (last["frame"], last["served_by"], last["status"], last["reported"]) == (1, "late", "ok", 2)
    assert last["devices"] == [1, 3]
    assert last["offload"] == answer.offload.tolist()
    assert last["data_queue_mbit"] == pytest.approx(answer.data_queue_mbit.tolist(), rel=1e-4)
    assert last["power_w"] == pytest.approx(answer.power_w.tolist(), rel=1e-4)
    assert (station["served"], station["late"], station["next_frame"]) == (2, 1, 2)


def test_the_last_frame_tells_its_proven_gap(statistics: Statistics) -> None:
    statistics.served("exact", (served := Cell(Exact(tolerance=1e-3)).served()), 1e-3)
    unbounded = served.answer._replace(objective=0.0, upper_bound=1.0)
    statistics.served("without", served._replace(answer=unbounded), 1e-3)
    statistics.served("single", Cell().served(), 1e-3)
    gaps = [station["last"]["certified_gap"] for station in shown(statistics)["base_stations"]]
    assert gaps[0] <= 1e-3
    assert gaps[1:] == [None, None]


def test_many_devices_are_not_shown_one_by_one(statistics: Statistics) -> None:
    answer = Cell().served().answer
    many = answer._replace(
        **{name: np.repeat(values, 1000) for name, values in answer._asdict().items() if isinstance(values, np.ndarray)}
    )
    statistics = Statistics(np.repeat(BUDGET_W, 1000))
    statistics.served("roof", Cell().served()._replace(answer=many), 1e-3)
    last = shown(statistics)["base_stations"][0]["last"]
    assert last["reported"] == 1000 * DEVICES
    assert len(last["offload"]) == len(last["devices"]) == MAX_DEVICES


def test_names_that_were_never_served_take_no_memory(statistics: Statistics) -> None:
    for number in range(100):
        statistics.refused(f"invented-{number}", pb.BAD_NAME)
    told = shown(statistics)
    assert told["base_stations"] == []
    assert told["refused"] == {"bad_name": 100}


def test_a_repeated_report_is_no_frame(statistics: Statistics, clock: Clock) -> None:
    served = Cell().served()
    statistics.served("roof", served, 1e-3)
    statistics.served("roof", again(served), 1e-3)
    clock.now += 1.0
    (point,) = points(statistics)
    assert point["served"] == 1
    (station,) = shown(statistics)["base_stations"]
    assert (station["served"], station["repeated"]) == (1, 1)


def test_a_cell_that_has_left_is_shown_no_more(statistics: Statistics) -> None:
    statistics.restored("roof", "0123", QueueState(17, np.zeros(DEVICES), np.zeros(DEVICES)), 0)
    statistics.left("roof")
    statistics.left("nobody")
    assert list(statistics.cells()) == []


def test_a_restored_cell_is_told_before_its_first_frame(statistics: Statistics) -> None:
    statistics.restored("roof", "0123", QueueState(17, np.zeros(DEVICES), np.zeros(DEVICES)), 0)
    statistics.started(STARTED)
    told = shown(statistics)
    (station,) = told["base_stations"]
    assert (station["name"], station["next_frame"], station["last"]) == ("roof", 17, None)
    assert told["service"] == STARTED._asdict()
    assert told["power_budget_w"] == 0.08


def test_silent_devices_are_told_with_their_queues_and_the_ratio_is_over_all(
    statistics: Statistics, clock: Clock
) -> None:
    cell = Cell()
    statistics.served("roof", cell.served(arrived_mbit=80.0), 1e-3)
    clock.now += 1.0
    shown(statistics)
    statistics.served("roof", (part := cell.served(devices=(1, 3), arrived_mbit=80.0)), 1e-3)
    clock.now += 1.0
    (station,) = shown(statistics)["base_stations"]
    assert station["silent"]["devices"] == [0, 2]
    expected = cell.controller.queues.data_queue_mbit[[0, 2]].tolist()
    assert station["silent"]["data_queue_mbit"] == pytest.approx(expected, rel=1e-4)
    assert points(statistics)[-1]["offloading_ratio"] == part.answer.offload.sum() / DEVICES


def test_a_shadow_is_told_beside_what_was_served(statistics: Statistics, clock: Clock) -> None:
    cell, shadow = Cell(AllLocal()), Shadow(lambda: Controller(SCENARIO, Exact()))
    statistics.served("roof", (served := cell.served(arrived_mbit=40.0)), 1e-3)
    statistics.shadowed("roof", (found := shadowed(served, shadow)))
    statistics.shadow_dropped("roof", "as the test has it")
    clock.now += 1.0
    (point,) = points(statistics)
    assert point["shadow_data_queue_mbit"] == pytest.approx(mean(found.queues.data_queue_mbit), rel=1e-4)
    assert point["shadow_power_w"] == pytest.approx(mean(found.would_be.power_w), rel=1e-4)
    told = shown(statistics)["base_stations"][0]["shadow"]
    assert found.difference is not None
    assert told["mean_difference"] == pytest.approx(found.difference / abs(found.served_objective))
    assert (told["frames"], told["failed"], told["dropped"], told["restarts"]) == (1, 0, 1, 1)
    assert told["outcomes"] == {"better": 1, "equal": 0, "worse": 0}
    assert 0.0 <= told["certified_gap"] <= 1e-2
    statistics.served("without", Cell().served(), 1e-3)
    assert shown(statistics)["base_stations"][1]["shadow"] is None


def test_a_name_cannot_break_out_of_its_string(statistics: Statistics) -> None:
    name = 'a"], "x": [\n<img src=x>'
    statistics.served(name, Cell().served(), 1e-3)
    (station,) = shown(statistics)["base_stations"]
    assert station["name"] == name
