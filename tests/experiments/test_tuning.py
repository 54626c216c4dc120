from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pytest

from quedge import errors
from quedge.errors import MissingExtraError
from quedge.experiments.probes.simulation import QueueAndPower
from quedge.experiments.tuning import GOALS, Tuned, Tuning, TuningError, search_ranges, tune
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle
from quedge.policy.registry import ALL_LOCAL, BEST_SINGLE, LYDROO_NOMA, Scheme
from quedge.simulation.measures import summarise
from quedge.simulation.processes import Recorded
from quedge.simulation.run import simulate
from tests.experiments.jobs import job
from tests.workers import InProcess

pytest.importorskip("optuna")

CELL = Scenario(devices=3)
SHORT = Tuning(frames=600, trials=24, seeds=1, finalists=3, fresh_seeds=2)


def tuned(scenario: Scenario = CELL, tuning: Tuning = SHORT, workers: InProcess | None = None) -> Tuned:
    return tune(scenario, BEST_SINGLE, tuning, workers or InProcess())


def test_it_finds_a_shorter_queue_within_the_budget() -> None:
    found = tuned()
    assert found.best.keeps_budget
    assert found.best.power_w.mean <= found.budget_w * (1.0 + SHORT.tolerance)
    assert found.best.data_queue_mbit.mean < found.baseline.data_queue_mbit.mean
    assert (found.baseline.v, found.baseline.nu) == (20.0, 60.0)
    assert found.tried == 24


def test_what_it_tells_of_a_setting_is_what_a_run_with_it_gives() -> None:
    best = tuned().best
    runs = [
        summarise(simulate(dataclasses.replace(CELL, v=best.v, nu=best.nu), BestSingle(), 600, seed)) for seed in (0, 1)
    ]
    for name in ("data_queue_mbit", "power_w", "power_max_device_w", "delay_p95_frames"):
        mean = math.fsum(getattr(run, name) for run in runs) / 2
        assert getattr(best, name).mean == pytest.approx(mean, rel=1e-12), name


def test_the_same_seed_gives_the_same_search_and_another_one_another() -> None:
    assert tuned() == tuned()
    assert tuned(tuning=dataclasses.replace(SHORT, seed=1)).best != tuned().best


def test_trials_and_checks_never_share_a_seed() -> None:
    workers = InProcess()
    found = tuned(workers=workers)
    seeds = [each.seed for each in workers.jobs]
    assert seeds[:24] == [1000] * 24
    assert set(seeds[24:]) == {0, 1}
    assert found.runs == len(seeds)


def test_delay_can_be_the_goal() -> None:
    found = tuned(tuning=dataclasses.replace(SHORT, goal="delay_p95"))
    assert found.best.delay_p95_frames.mean <= found.baseline.delay_p95_frames.mean


def test_late_bits_can_be_the_goal_where_there_is_a_deadline() -> None:
    goal = dataclasses.replace(SHORT, goal="deadline_violation")
    found = tuned(dataclasses.replace(CELL, deadline_s=2.0), goal)
    assert 0.0 < found.best.deadline_violation_ratio.mean <= found.baseline.deadline_violation_ratio.mean
    with pytest.raises(ValueError, match="goal: 'deadline_violation' is not allowed; it must be a goal that needs no"):
        tuned(CELL, goal)


def test_recorded_channels_and_arrivals_are_played_in_every_run() -> None:
    workers, recorded = InProcess(), Recorded(np.full((600, 3), 1e-11))
    few = dataclasses.replace(SHORT, trials=4)
    tune(CELL, BEST_SINGLE, few, workers, channel=recorded, arrivals=recorded)
    assert {id(each) for job in workers.jobs for each in (job.channel, job.arrivals)} == {id(recorded)}


def test_a_budget_that_nothing_keeps_is_told() -> None:
    # offloading alone draws more than that in this world, and queues grow all the while
    found = tuned(dataclasses.replace(CELL, power_budget_w=1e-4, pqc_power_w=1.0, arrival_rate_mbps=9.0))
    assert not found.best.keeps_budget
    assert found.best.power_w.mean <= found.baseline.power_w.mean


@pytest.mark.parametrize("frame_s", [1.0, 1e-2])
def test_the_search_scales_with_what_arrives_in_a_second_whatever_the_frame(frame_s: float) -> None:
    assert search_ranges(Scenario(frame_s=frame_s)) == {"v": (0.1, 1000.0), "nu": (0.5, 600.0)}
    little = search_ranges(Scenario(frame_s=frame_s, arrival_rate_mbps=0.03))
    assert little["v"] == pytest.approx((1e-3, 10.0))
    assert little["nu"] == pytest.approx((0.05, 60.0))


def test_a_setting_outside_the_ranges_is_still_the_baseline() -> None:
    found = tuned(dataclasses.replace(CELL, v=0.0, nu=5000.0), dataclasses.replace(SHORT, trials=8))
    assert (found.baseline.v, found.baseline.nu) == (0.0, 5000.0)


@dataclass(frozen=True)
class Failing:
    """A policy that decides nothing."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        raise ArithmeticError("nothing to decide")


def test_a_run_that_fails_ends_the_search_with_its_reason() -> None:
    with pytest.raises(TuningError, match=r"v = 20, nu = 60: ArithmeticError: nothing to decide"):
        tune(CELL, Scheme("failing", Failing()), SHORT, InProcess())


def test_an_unknown_goal_is_refused() -> None:
    with pytest.raises(ValueError, match="goal: 'rate' is not allowed; it must be one of data_queue, delay_p95"):
        Tuning(goal="rate")
    assert set(GOALS.values()) <= job(probe=QueueAndPower()).run().keys()


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_is_installed", lambda module: module != "optuna")
    with pytest.raises(MissingExtraError, match=r"quedge\[tune\]"):
        tune(CELL, LYDROO_NOMA, SHORT, InProcess())


def test_the_light_probe_finds_what_a_summary_has() -> None:
    found = job(seed=4, frames=80, probe=QueueAndPower(0.25)).run()
    summary = summarise(simulate(Scenario(devices=2), BestSingle(), 80, 4), 0.25)
    assert found == {name: getattr(summary, name) for name in found}


def test_everyone_can_be_tuned() -> None:
    assert tune(CELL, ALL_LOCAL, dataclasses.replace(SHORT, trials=4), InProcess()).tried == 4
