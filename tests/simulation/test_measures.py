from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from quedge.model.cell import cell_of
from quedge.model.frame import Frame, Status
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, Random
from quedge.policy.exact import Exact
from quedge.simulation.measures import Summary, summarise
from quedge.simulation.processes import Recorded
from quedge.simulation.run import simulate
from quedge.simulation.trace import RunState, Trace

SCENARIO = Scenario(devices=2, weight=(2.0, 1.0), frame_s=0.5)


def trace(**arrays: Any) -> Trace:
    """Four frames of two devices in which nothing happens, but for the given arrays."""
    zeros = np.zeros((4, 2))
    queues = ("arrival_mbit", "data_queue_mbit", "energy_queue")
    decisions = ("transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w")
    fields: dict[str, Any] = dict.fromkeys((*queues, *decisions), zeros)
    fields |= {
        "scenario": SCENARIO, "seed": 7, "channel_gain": zeros + 1e-9, "offload": zeros > 0, "objective": np.zeros(4),
        "upper_bound": np.full(4, np.nan), "status": (Status.OK,) * 4, "decision_us": np.arange(4.0), "wall_s": 0.25,
            "time_share": zeros, "notes": {}, "end": RunState(np.zeros(2), np.zeros(2), {}),
    } | dict.fromkeys(("battery_j", "server_queue_mbit", "harvest_j"), np.empty((4, 0)))  # fmt: skip
    fields |= arrays
    as_assumed = {
        "channel_estimate": fields["channel_gain"],
        "promised_rate_mbps": fields["rate_mbps"],
        "promised_objective": fields["objective"],
    }
    return Trace(**(as_assumed | fields))


def test_means_leave_out_the_warm_up() -> None:
    queue = np.array([[100.0, 100.0], [100.0, 100.0], [1.0, 2.0], [3.0, 6.0]])
    summary = summarise(trace(data_queue_mbit=queue, energy_queue=queue / 2.0), warmup=0.5)
    assert summary.data_queue_mbit == 3.0
    assert summary.energy_queue == 1.5
    assert summarise(trace(data_queue_mbit=queue), warmup=0.0).data_queue_mbit == 51.5
    assert summarise(trace(data_queue_mbit=queue), warmup=0.999).data_queue_mbit == 4.5  # one frame always stays


def test_rates_and_arrivals_are_weighted_sums_a_second() -> None:
    summary = summarise(trace(rate_mbps=np.tile([3.0, 1.0], (4, 1)), arrival_mbit=np.tile([2.0, 1.0], (4, 1))))
    assert summary.weighted_rate_mbps == 2.0 * 3.0 + 1.0
    assert summary.arrivals_weighted_mbps == (2.0 * 2.0 + 1.0) / 0.5  # frames of half a second


def test_the_largest_power_is_that_of_the_device_with_the_largest_mean() -> None:
    power = np.array([[0.0, 0.0], [0.0, 0.0], [0.9, 0.4], [0.1, 0.8]])
    summary = summarise(trace(power_w=power))
    assert summary.power_w == pytest.approx(0.55)
    assert summary.power_max_device_w == pytest.approx(0.6)


def test_delay_follows_from_littles_law() -> None:
    summary = summarise(trace(data_queue_mbit=np.full((4, 2), 6.0), arrival_mbit=np.full((4, 2), 3.0)))
    assert summary.delay_frames == 2.0


def test_without_arrivals_nothing_becomes_nan() -> None:
    summary = summarise(trace())
    assert summary.delay_frames == 0.0
    assert summary.objective_ratio == 1.0  # an optimum of zero that was reached
    json.dumps(dataclasses.asdict(summary), allow_nan=False)


def test_an_objective_below_an_optimum_of_zero_counts_as_nothing() -> None:
    assert summarise(trace(objective=np.full(4, -1.0))).objective_ratio == 0.0


def test_percentiles_of_decision_times_are_over_the_frames_after_the_warm_up() -> None:
    summary = summarise(trace(decision_us=np.array([1e6, 1e6, 10.0, 30.0])))
    assert summary.decision_us_p50 == 20.0
    assert summary.decision_us_p99 == pytest.approx(29.8)


def test_the_ratio_compares_each_frame_with_the_optimum_of_the_same_state() -> None:
    run = simulate(Scenario(devices=3), Random(), frames=20, seed=1)
    cell, rng = cell_of(run.scenario), np.random.default_rng(0)
    ratios = []
    for t in range(10, 20):
        frame = Frame(cell, run.channel_gain[t], run.data_queue_mbit[t], run.energy_queue[t])
        ratios.append(run.objective[t] / Exact(1e-4).decide(frame, rng).objective)
    assert summarise(run).objective_ratio == pytest.approx(np.mean(ratios), rel=1e-3)
    assert summarise(simulate(Scenario(devices=3), Exact(), frames=20)).objective_ratio == pytest.approx(1.0, abs=2e-3)


def test_a_recording_without_arrivals_can_be_summarised() -> None:
    nothing = Recorded(np.zeros((5, 2)))
    summary = summarise(simulate(Scenario(devices=2), AllLocal(), frames=5, arrivals=nothing))
    assert summary.data_queue_mbit == summary.delay_frames == 0.0


@pytest.mark.parametrize("warmup", [-0.1, 1.0, float("nan")])
def test_a_warm_up_out_of_range_is_refused(warmup: float) -> None:
    with pytest.raises(ValueError, match="warmup"):
        summarise(trace(), warmup)


def test_every_measure_is_described() -> None:
    assert Summary.__doc__ is not None
    for field in dataclasses.fields(Summary):
        assert f"{field.name}: " in Summary.__doc__


def test_a_measure_that_is_not_finite_is_refused_by_name() -> None:
    with pytest.raises(OverflowError, match="data_queue_mbit: is not finite"):
        summarise(trace(data_queue_mbit=np.full((4, 2), np.inf)))
