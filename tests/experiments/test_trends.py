"""Whether queues have settled, over the seeds."""

from __future__ import annotations

import dataclasses

import pytest

from quedge.experiments.job import Findings, Job
from quedge.experiments.probes.simulation import Simulation
from quedge.experiments.records import FALLS, GROWS, SETTLED, Records, Run, trend_of
from quedge.model.scenario import Scenario
from quedge.policy.exact import Exact


def drifted(*drifts: tuple[float, float]) -> Records:
    """Runs with a drift each, and its margin."""
    return records_of({"queue_drift": share, "queue_drift_margin": margin} for share, margin in drifts)


def records_of(findings: object) -> Records:
    return Records({}, "exact", 100, [Run(seed, "", each) for seed, each in enumerate(findings)])  # type: ignore


@pytest.mark.parametrize(
    ("drifts", "word"),
    [
        ([(0.3, 0.1)], GROWS),
        ([(0.3, 0.25)], SETTLED),  # it may be 0.05
        ([(0.05, 0.001)], SETTLED),  # known to grow, by too little
        ([(-0.3, 0.1)], FALLS),
        ([(0.3, 0.25), (0.3, 0.25)], GROWS),  # 0.3 ± 0.25 / √2
        ([(0.30, 9.0), (0.31, 9.0), (0.32, 9.0)], GROWS),  # from three seeds on their spread tells
        ([(0.1, 0.0), (0.3, 0.0), (0.5, 0.0)], SETTLED),  # 0.3 ± 0.5
        ([(0.056, 0.0)] * 5, SETTLED),
    ],
)
def test_a_queue_grows_where_its_whole_interval_lies_above_a_tenth(
    drifts: list[tuple[float, float]], word: str
) -> None:
    assert trend_of(drifted(*drifts), "queue") == word


def test_what_has_no_drift_has_no_word() -> None:
    assert trend_of(drifted((0.3, 0.1)), "power_w") == ""


def test_at_nu_500_queues_settle_within_10000_frames_and_at_1000_they_do_not() -> None:
    def found(nu: float, seed: int) -> Findings:
        return Job(dataclasses.replace(Scenario(), nu=nu), Exact(), seed, 10_000, Simulation()).run()

    words = {
        nu: trend_of(records_of([found(nu, seed) for seed in range(3)]), "data_queue_mbit") for nu in (500.0, 1000.0)
    }
    assert words == {500.0: SETTLED, 1000.0: GROWS}
