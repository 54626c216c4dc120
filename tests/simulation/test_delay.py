from __future__ import annotations

import dataclasses
from collections import deque

import numpy as np
import pytest

from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.simulation.delays import Delays, deadline_violation_ratio, delay_distribution, delay_percentile
from quedge.simulation.measures import summarise
from quedge.simulation.run import simulate


def delay_histogram(arrival: np.ndarray, processed: np.ndarray, first_frame: int) -> np.ndarray:
    delays = Delays(Scenario(devices=arrival.shape[1]), first_frame)
    delays.add(arrival, processed)
    return delays.histogram()


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, np.newaxis]


def test_a_bit_that_is_processed_in_the_next_frame_waits_for_one() -> None:
    histogram = delay_histogram(column(2.0, 1.0, 0.0), column(0.0, 2.0, 1.0), 0)
    assert histogram.tolist() == [0.0, 3.0, 0.0, 0.0]


def test_queues_are_served_first_come_first_served() -> None:
    # 4 Mbit come in frame 0 and 1 in frame 1: frame 1 takes 3 of the first, frame 2 the last of them and the other.
    histogram = delay_histogram(column(4.0, 1.0, 0.0), column(0.0, 3.0, 2.0), 0)
    assert histogram.tolist() == [0.0, 3.0 + 1.0, 1.0, 0.0]


def test_what_still_waits_counts_with_the_time_that_it_has_waited() -> None:
    assert delay_histogram(column(5.0, 0.0, 0.0), column(0.0, 2.0, 0.0), 0).tolist() == [0.0, 2.0, 0.0, 3.0]


def test_bits_that_arrived_before_the_first_frame_do_not_count() -> None:
    assert delay_histogram(column(4.0, 1.0, 0.0), column(0.0, 3.0, 2.0), 1).tolist() == [0.0, 1.0, 0.0, 0.0]


def test_the_histogram_equals_a_queue_of_packets() -> None:
    rng = np.random.default_rng(5)
    arrival, capacity = rng.exponential(2.0, (200, 3)), rng.exponential(2.2, (200, 3))
    processed = np.zeros_like(arrival)
    expected = np.zeros(201)
    for device in range(3):
        packets: deque[list[float]] = deque()
        for frame in range(200):
            left = capacity[frame, device]
            while packets and left > 0.0:
                taken = min(left, packets[0][1])
                expected[frame - int(packets[0][0])] += taken if packets[0][0] >= 50 else 0.0
                processed[frame, device] += taken
                left -= taken
                packets[0][1] -= taken
                if packets[0][1] <= 0.0:
                    packets.popleft()
            packets.append([frame, arrival[frame, device]])
        for since, mbit in packets:
            expected[200 - int(since)] += mbit if since >= 50 else 0.0
    np.testing.assert_allclose(delay_histogram(arrival, processed, 50), expected, atol=1e-9)


def test_the_mean_of_all_delays_follows_littles_law() -> None:
    trace = simulate(Scenario(arrival_rate_mbps=2.0), BestSingle(), 3000)
    histogram = delay_histogram(trace.arrival_mbit, trace.rate_mbps, 0)
    mean = histogram @ np.arange(histogram.size) / histogram.sum()
    assert mean == pytest.approx(summarise(trace, 0.0).delay_frames, rel=2e-3)


def test_a_percentile_is_the_smallest_delay_that_so_many_bits_do_not_exceed() -> None:
    trace = simulate(Scenario(devices=2), BestSingle(), 400)
    histogram = delay_histogram(trace.arrival_mbit, trace.rate_mbps, 100)
    share = np.cumsum(histogram) / histogram.sum()
    for percent in (5.0, 50.0, 95.0, 100.0):
        delay = int(delay_percentile(trace, percent, 100))
        assert share[delay] >= percent / 100.0 - 1e-9
        assert share[delay - 1] < percent / 100.0


def test_without_arrivals_there_is_no_delay() -> None:
    quiet = simulate(Scenario(devices=1, arrival_rate_mbps=0.0), AllLocal(), 5)
    assert delay_percentile(quiet) == 0.0


def test_the_distribution_ends_at_one_with_the_longest_delay() -> None:
    trace = simulate(Scenario(devices=3), BestSingle(), 300)
    share = delay_distribution(trace, 100)
    assert share[0] == 0.0  # no bit is processed in its own frame
    assert (np.diff(share) >= 0.0).all()
    assert share[-2] < share[-1] == 1.0
    histogram = delay_histogram(trace.arrival_mbit, trace.rate_mbps, 100)
    np.testing.assert_allclose(share, (np.cumsum(histogram) / histogram.sum())[: share.size])


@pytest.mark.parametrize("frame_s", [1.0, 0.1])
def test_a_bit_is_late_after_more_frames_than_its_device_s_deadline_has(frame_s: float) -> None:
    deadlines = (2.0 * frame_s, 3.7 * frame_s)
    scenario = Scenario(devices=2, frame_s=frame_s, deadline_s=deadlines)
    trace = simulate(scenario, BestSingle(), 300)
    late = total = 0.0
    for device, in_time in enumerate((2, 3)):
        alone = (each[:, [device]] for each in (trace.arrival_mbit, trace.rate_mbps * frame_s))
        histogram = delay_histogram(*alone, 100)
        late, total = late + histogram[in_time + 1 :].sum(), total + histogram.sum()
    assert 0.0 < late < total
    assert deadline_violation_ratio(trace, 100) == pytest.approx(late / total, rel=1e-12)
    assert summarise(trace, 1.0 / 3.0).deadline_violation_ratio == pytest.approx(late / total, rel=1e-12)


def test_a_deadline_changes_nothing_but_what_is_measured() -> None:
    plain, strict = (simulate(Scenario(devices=2, deadline_s=each), BestSingle(), 50) for each in (None, 0.0))
    np.testing.assert_array_equal(plain.data_queue_mbit, strict.data_queue_mbit)
    assert deadline_violation_ratio(plain) == 0.0
    assert deadline_violation_ratio(strict) == 1.0
    without, late = (dataclasses.asdict(summarise(each)) for each in (plain, strict))
    alike = without.keys() - {"deadline_violation_ratio", "decision_us_p50", "decision_us_p99", "wall_s"}
    assert {name: without[name] for name in alike} == {name: late[name] for name in alike}


def test_the_percentiles_of_a_summary_are_in_order() -> None:
    summary = summarise(simulate(Scenario(devices=3), BestSingle(), 300))
    assert 1.0 <= summary.delay_p50_frames <= summary.delay_p95_frames <= summary.delay_p99_frames


@pytest.mark.parametrize("policy", [BestSingle(), AllLocal()], ids=["settled", "growing"])
def test_a_run_counted_in_parts_is_counted_alike(policy: object) -> None:
    scenario = Scenario(devices=3, deadline_s=2.0)
    trace = simulate(scenario, policy, 500)
    whole, parts = Delays(scenario, 100), Delays(scenario, 100)
    whole.add(trace.arrival_mbit, trace.rate_mbps)
    for part in np.split(np.arange(500), [1, 7, 90, 150, 499]):
        parts.add(trace.arrival_mbit[part], trace.rate_mbps[part])
        parts.distribution()  # may be asked for in between
    np.testing.assert_allclose(parts.histogram(), whole.histogram(), rtol=1e-12, atol=1e-12)
    assert parts.late_share() == pytest.approx(whole.late_share(), rel=1e-12)
    assert 0.0 < parts.late_share() < 1.0
