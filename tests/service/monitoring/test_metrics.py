"""What Prometheus reads after a few frames."""

from __future__ import annotations

import datetime
import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("grpc")
pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families

import quedge
from quedge.controller.answer import ServedBy, certified_gap
from quedge.controller.controller import Controller
from quedge.controller.shadow import Shadow
from quedge.controller.state import QueueState
from quedge.policy.baselines import AllLocal
from quedge.policy.exact import Exact
from quedge.policy.lydroo import Lydroo
from quedge.service import quedge_pb2 as pb
from quedge.service.monitoring.metrics import Metrics
from quedge.service.monitoring.statistics import Statistics
from tests.service.monitoring.cells import BUDGET_W, DEVICES, SCENARIO, STARTED, Cell, again, mean, shadowed


def scraped(statistics: Statistics) -> dict[tuple[str, ...], float]:
    """All samples by name and the values of their labels."""
    found = {}
    for family in text_string_to_metric_families(Metrics(statistics).exposition().decode()):
        assert family.documentation
        for sample in family.samples:
            found[sample.name, *sample.labels.values()] = sample.value
    return found


@pytest.fixture
def statistics() -> Statistics:
    return Statistics(BUDGET_W)


def test_frames_are_counted_by_base_station_and_by_who_decided(statistics: Statistics) -> None:
    roof, harbour = Cell(), Cell()
    for decided_by in (ServedBy.POLICY, ServedBy.POLICY, ServedBy.LATE):
        statistics.served("roof", roof.served(decided_by), 1e-3)
    statistics.served("harbour", harbour.served(), 1e-3)
    found = scraped(statistics)
    assert found["quedge_frames_total", "roof", "policy"] == 2
    assert found["quedge_frames_total", "roof", "late"] == 1
    assert found["quedge_frames_total", "roof", "policy_failed"] == 0
    assert found["quedge_frames_total", "harbour", "policy"] == 1
    assert found["quedge_next_frame", "roof"] == 3


def test_gauges_tell_the_last_frame(statistics: Statistics) -> None:
    cell = Cell()
    statistics.served("roof", cell.served(arrived_mbit=40.0), 1e-3)
    answer = (served := cell.served(arrived_mbit=60.0)).answer
    statistics.served("roof", served, 1e-3)
    found = scraped(statistics)
    assert found["quedge_data_queue_mean_bytes", "roof"] == pytest.approx(125_000.0 * mean(answer.data_queue_mbit))
    assert found["quedge_data_queue_max_bytes", "roof"] == pytest.approx(
        125_000.0 * float(answer.data_queue_mbit.max())
    )
    assert found["quedge_energy_queue_mean", "roof"] == pytest.approx(mean(answer.energy_queue))
    assert found["quedge_power_mean_watts", "roof"] == pytest.approx(mean(answer.power_w))
    assert found["quedge_power_budget_watts", "roof"] == 0.08
    assert found["quedge_offloading_ratio", "roof"] == mean(answer.offload) > 0.0
    assert mean(answer.data_queue_mbit) > 0.0


def test_sums_give_means_over_any_time(statistics: Statistics) -> None:
    cell = Cell()
    answers = [cell.served(arrived_mbit=arrived).answer for arrived in (5.0, 50.0)]
    cell = Cell()
    for arrived in (5.0, 50.0):
        statistics.served("roof", cell.served(arrived_mbit=arrived), 1e-3)
    found = scraped(statistics)
    assert found["quedge_device_power_watts_count", "roof"] == 2 * DEVICES
    assert found["quedge_device_power_watts_sum", "roof"] == pytest.approx(sum(each.power_w.sum() for each in answers))
    assert found["quedge_offloaded_total", "roof"] == sum(each.offload.sum() for each in answers)


def test_a_silent_device_keeps_its_queues_in_the_means(statistics: Statistics) -> None:
    cell = Cell()
    statistics.served("roof", cell.served(arrived_mbit=80.0), 1e-3)
    statistics.served("roof", (part := cell.served(devices=(1, 2), arrived_mbit=0.0)), 1e-3)
    found = scraped(statistics)
    queues = cell.controller.queues
    assert found["quedge_data_queue_mean_bytes", "roof"] == pytest.approx(125_000.0 * mean(queues.data_queue_mbit))
    assert found["quedge_energy_queue_mean", "roof"] == pytest.approx(mean(queues.energy_queue))
    assert found["quedge_power_mean_watts", "roof"] == pytest.approx(mean(part.answer.power_w))


def test_a_repeated_report_is_counted_and_changes_nothing_else(statistics: Statistics) -> None:
    cell = Cell()
    served = cell.served()
    statistics.served("roof", served, 1e-3)
    before = scraped(statistics)
    statistics.served("roof", again(served), 1e-3)
    after = scraped(statistics)
    changed = {name for name, *_ in after if name.startswith("quedge") and before[name, *_] != after[name, *_]}
    assert changed == {
        "quedge_repeated_total", "quedge_answer_seconds_count", "quedge_answer_seconds_sum",
        "quedge_answer_seconds_bucket",
    }  # fmt: skip


def test_latencies_fall_into_the_bucket_that_ends_at_or_above_them(statistics: Statistics) -> None:
    cell = Cell()
    for decision_s in (1e-6, 1e-5, 1.1e-5, 0.02, 5.0):
        statistics.served("roof", cell.served(decision_s=decision_s), 2.0 * decision_s)
    found = scraped(statistics)
    for end, count in (("1e-05", 2), ("2e-05", 3), ("0.01", 3), ("0.02", 4), ("1.0", 4), ("+Inf", 5)):
        assert found["quedge_decision_seconds_bucket", "roof", end] == count
    assert found["quedge_decision_seconds_count", "roof"] == 5
    assert found["quedge_decision_seconds_sum", "roof"] == pytest.approx(5.020022)
    assert found["quedge_answer_seconds_bucket", "roof", "1e-05"] == 1
    assert found["quedge_answer_seconds_sum", "roof"] == pytest.approx(10.040044)


def test_refusals_are_counted_by_outcome_and_never_by_name(statistics: Statistics) -> None:
    for number in range(1000):
        statistics.refused(f"invented-{number}", pb.BAD_NAME)
    statistics.refused("roof", pb.OLD_FRAME)
    statistics.refused("roof", 999)
    found = scraped(statistics)
    refused = {outcome: count for (name, *labels), count in found.items() if "refused" in name for outcome in labels}
    assert refused.pop("bad_name") == 1000
    assert refused.pop("old_frame") == refused.pop("unknown") == 1
    assert set(refused.values()) == {0.0}
    assert "not_durable" in refused
    assert not any("invented" in "".join(key) for key in found)


def test_the_gap_is_there_where_the_policy_has_a_bound(statistics: Statistics) -> None:
    statistics.served("exact", (served := Cell(Exact(tolerance=1e-3)).served()), 1e-3)
    statistics.served("single", Cell().served(), 1e-3)
    answer, found = served.answer, scraped(statistics)
    expected = (answer.upper_bound - answer.objective) / abs(answer.objective)
    assert found["quedge_certified_gap", "exact"] == pytest.approx(max(expected, 0.0))
    assert 0.0 <= found["quedge_certified_gap", "exact"] <= 1e-3
    assert ("quedge_certified_gap", "single") not in found


@pytest.mark.parametrize(
    ("objective", "upper_bound", "gap"),
    [(10.0, 11.0, 0.1), (-10.0, -9.0, 0.1), (10.0, 10.0 - 1e-12, 0.0), (0.0, 0.0, 0.0), (0.0, 1.0, math.inf),
     (10.0, math.nan, None)],
)  # fmt: skip
def test_the_gap_is_relative_to_the_objective(objective: float, upper_bound: float, gap: float | None) -> None:
    answer = Cell().served().answer._replace(objective=objective, upper_bound=upper_bound)
    assert certified_gap(answer) == gap


def test_candidates_are_there_where_the_policy_tells_them(statistics: Statistics) -> None:
    cell = Cell()
    statistics.served("roof", cell.served(), 1e-3)
    assert ("quedge_candidates", "roof") not in scraped(statistics)
    learning = Cell(Lydroo(candidates=3))
    statistics.served("roof", learning.served(), 1e-3)
    assert scraped(statistics)["quedge_candidates", "roof"] == 3.0


def test_a_restored_cell_is_seen_before_its_first_frame(statistics: Statistics) -> None:
    queues = QueueState(17, np.array([1.0, 2.0, 3.0, 6.0]), np.full(DEVICES, 5.0))
    statistics.restored("roof", "0123", queues, 0)
    found = scraped(statistics)
    assert found["quedge_next_frame", "roof"] == 17
    assert found["quedge_data_queue_mean_bytes", "roof"] == 375_000.0
    assert found["quedge_data_queue_max_bytes", "roof"] == 750_000.0
    assert found["quedge_frames_total", "roof", "policy"] == 0
    assert ("quedge_power_mean_watts", "roof") not in found


def test_the_service_says_what_it_is(statistics: Statistics) -> None:
    assert not any(name == "quedge_tls_info" for name, *_ in scraped(statistics))
    statistics.started(STARTED._replace(tls="mutual"))
    found = scraped(statistics)
    assert found["quedge_tls_info", "mutual"] == 1
    assert found["quedge_service_info", "process", "best-single"] == 1
    assert found["quedge_build_info", quedge.__version__] == 1
    assert found["quedge_start_time_seconds",] == pytest.approx(found["process_start_time_seconds",], abs=3600.0 * 24)
    assert found["process_resident_memory_bytes",] > 0


def test_two_registries_have_nothing_in_common(statistics: Statistics) -> None:
    from prometheus_client import REGISTRY

    other = Statistics(BUDGET_W)
    statistics.served("roof", Cell().served(), 1e-3)
    assert ("quedge_next_frame", "roof") not in scraped(other)
    assert "quedge" not in "".join(family.name for family in REGISTRY.collect())


def test_answers_are_never_changed(statistics: Statistics) -> None:
    cell = Cell()
    first = cell.served(arrived_mbit=80.0)
    kept = first.answer.packed()
    statistics.served("roof", first, 1e-3)
    statistics.served("roof", cell.served(devices=(0,)), 1e-3)
    assert first.answer.packed() == kept


def test_a_shadow_is_counted_beside_what_was_served(statistics: Statistics) -> None:
    cell, shadow, found = Cell(), Shadow(lambda: Controller(SCENARIO, AllLocal())), []
    for arrived_mbit in (40.0, 5.0, 60.0):
        statistics.served("roof", (served := cell.served(arrived_mbit=arrived_mbit)), 1e-3)
        found.append(shadowed(served, shadow))
        statistics.shadowed("roof", found[-1])
    statistics.shadow_dropped("roof", "as the test has it")
    told, last = scraped(statistics), found[-1]
    queue = last.queues.data_queue_mbit
    assert told["quedge_objective", "roof"] == pytest.approx(last.served_objective)
    assert told["quedge_shadow_same_state_objective", "roof"] == pytest.approx(last.same_state.objective)
    assert told["quedge_shadow_would_be_data_queue_mean_bytes", "roof"] == pytest.approx(125_000.0 * mean(queue))
    assert told["quedge_shadow_would_be_data_queue_max_bytes", "roof"] == pytest.approx(125_000.0 * float(queue.max()))
    assert told["quedge_shadow_would_be_offloading_ratio", "roof"] == 0.0
    assert told["quedge_shadow_would_be_device_power_watts_count", "roof"] == 3 * DEVICES
    assert told["quedge_shadow_would_be_device_power_watts_sum", "roof"] == pytest.approx(
        sum(float(each.would_be.power_w.sum()) for each in found)
    )
    differences = [each.difference or 0.0 for each in found]
    assert told["quedge_shadow_same_state_loss_total", "roof"] == pytest.approx(-sum(differences))
    assert told["quedge_shadow_same_state_gain_total", "roof"] == 0.0
    assert told["quedge_shadow_same_state_frames_total", "roof", "worse"] == 3
    assert told["quedge_shadow_frames_total", "roof", "policy"] == 3
    assert told["quedge_shadow_dropped_total", "roof"] == told["quedge_shadow_restarts_total", "roof"] == 1
    assert told["quedge_shadow_decision_seconds_count", "roof"] == 3
    assert ("quedge_shadow_same_state_certified_gap", "roof") not in told


def test_without_a_shadow_nothing_is_told_of_one(statistics: Statistics) -> None:
    statistics.served("roof", Cell().served(), 1e-3)
    assert not [name for name, *_ in scraped(statistics) if "shadow" in name]


def test_every_metric_is_explained(statistics: Statistics) -> None:
    document = (Path(__file__).parents[3] / "docs" / "service-observing.md").read_text()
    statistics.certificate_used(datetime.datetime(2031, 5, 1, tzinfo=datetime.UTC))
    statistics.started(STARTED._replace(shadow="exact"))
    statistics.served("roof", (served := Cell().served()), 1e-3)
    statistics.shadowed("roof", shadowed(served, Shadow(lambda: Controller(SCENARIO, Exact()))))
    names = {family.name for family in text_string_to_metric_families(Metrics(statistics).exposition().decode())}
    assert {name for name in names if name.startswith("quedge") and name not in document} == set()
