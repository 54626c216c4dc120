from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.simulation.measures import delay_histogram, delay_percentile, summarise
from quedge.simulation.run import simulate


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
