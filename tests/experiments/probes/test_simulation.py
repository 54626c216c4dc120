from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from quedge.experiments.job import Series
from quedge.experiments.probes.simulation import Simulation
from quedge.experiments.statistics import drift_of
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle
from quedge.simulation.measures import objective_ratios, summarise
from quedge.simulation.run import simulate
from tests.experiments.jobs import job

QUEUES = ("data_queue_mbit", "energy_queue")
TIMED = {"decision_us_p50", "decision_us_p99", "wall_s"}


def test_its_numbers_are_those_of_the_run() -> None:
    found = job(seed=2, frames=60, probe=Simulation(warmup=0.25)).run()
    summary = summarise(simulate(Scenario(devices=2), BestSingle(), 60, 2), 0.25)
    for name, value in dataclasses.asdict(summary).items():
        if name not in TIMED:
            assert found.get(name) == value, name  # of what the scenario does not have there is nothing
    assert found["fallbacks"] == 0.0


@pytest.mark.parametrize(("frames", "points"), [(60, 4), (10, 4), (3, 100), (1, 100)])
def test_a_course_holds_the_means_of_consecutive_stretches(frames: int, points: int) -> None:
    found = job(frames=frames, probe=Simulation(points=points)).run()
    trace = simulate(Scenario(devices=2), BestSingle(), frames, 0)
    expected = {
        "data_queue_mbit_over_time": trace.data_queue_mbit.mean(axis=1),
        "reward_over_time": trace.objective,
        "power_w_over_time": trace.power_w.mean(axis=1),
        "objective_ratio_over_time": objective_ratios(trace),
        "weighted_rate_mbps_over_time": trace.rate_mbps @ [1.5, 1.0],
    }
    for name, values in expected.items():
        series = found[name]
        assert isinstance(series, Series)
        assert series.at[-1] == frames
        ends = series.at.astype(int)
        means = [part.mean() for part in np.split(values, ends[:-1])]
        np.testing.assert_allclose(series.value, means, rtol=1e-12)
        assert series.value.size == min(points, frames)


def test_queues_have_a_drift_over_the_frames_that_means_are_of() -> None:
    found = job(frames=200, probe=Simulation(warmup=0.25)).run()
    trace = simulate(Scenario(devices=2), BestSingle(), 200, 0)
    for name in QUEUES:
        drift = drift_of(getattr(trace, name)[50:].mean(axis=1))
        assert drift == (found[f"{name}_drift"], found[f"{name}_drift_margin"])


def test_a_run_too_short_for_a_drift_has_none() -> None:
    assert not {f"{name}_drift" for name in QUEUES} & job(frames=98).run().keys()


def test_times_of_decisions_have_quartiles() -> None:
    found = job(frames=60).run()
    assert 0.0 < found["decision_us_p25"] <= found["decision_us_p50"] <= found["decision_us_p75"]
