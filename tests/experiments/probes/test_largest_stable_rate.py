from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from quedge.experiments.job import Job
from quedge.experiments.probes.largest_stable_rate import LargestStableRate, growth_of_queues
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal
from quedge.simulation.processes import Recorded
from quedge.simulation.run import simulate

STEADY = Scenario(devices=3)


def found(scenario: Scenario, frames: int = 3000, **settings: float) -> dict[str, float]:
    probe = LargestStableRate(**settings)
    return dict(Job(scenario, AllLocal(), 0, frames, probe).run())  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [0.3, 2.0, 30.0])
def test_without_offloading_the_budget_allows_two_megabits_a_second(rate: float) -> None:
    # kappa f^3 = 0.08 W at f = 0.2 GHz, which is 2 Mbit/s at 100 cycles a bit; the search may start anywhere
    rates = found(dataclasses.replace(STEADY, arrival_rate_mbps=rate))
    assert rates["largest_stable_rate_mbps"] == pytest.approx(2.0, rel=0.03)
    assert rates["stable_rate_mbps"] < rates["largest_stable_rate_mbps"] < rates["unstable_rate_mbps"]
    assert rates["unstable_rate_mbps"] - rates["stable_rate_mbps"] <= 0.005 * rates["unstable_rate_mbps"]


def test_rates_of_the_devices_stay_in_proportion() -> None:
    # The mean rate is what is given: twice as much for one device overloads it at a mean of 1.5.
    rates = found(dataclasses.replace(STEADY, devices=2, arrival_rate_mbps=(1.0, 2.0)))
    assert rates["largest_stable_rate_mbps"] < 1.95


def test_a_cell_that_can_process_nothing_is_never_stable() -> None:
    rates = found(dataclasses.replace(STEADY, max_frequency_hz=0.0), frames=200)
    assert rates["stable_rate_mbps"] == 0.0
    assert rates["largest_stable_rate_mbps"] < 0.01


@pytest.mark.parametrize("recorded", [False, True])
def test_a_run_that_cannot_tell_is_refused(recorded: bool) -> None:
    job = Job(STEADY, AllLocal(), 0, 1, LargestStableRate())
    if recorded:  # the rate of a recording is what it is
        job = dataclasses.replace(job, frames=50, arrivals=Recorded(np.full((50, 3), 0.1)))
    with pytest.raises(ValueError, match="a thousandfold rate is still stable"):
        job.run()


def test_growth_is_the_slope_of_the_mean_queue_over_the_arrivals() -> None:
    nothing = Scenario(devices=2, max_frequency_hz=0.0)
    trace = simulate(nothing, AllLocal(), 4000)
    assert growth_of_queues(trace) == pytest.approx(1.0, rel=0.05)
    flat = dataclasses.replace(trace, data_queue_mbit=np.full((4000, 2), 7.0))
    assert growth_of_queues(flat) == pytest.approx(0.0, abs=1e-12)


def test_without_arrivals_there_is_nothing_to_vary() -> None:
    with pytest.raises(ValueError, match="arrival_rate_mbps: 0 is not allowed"):
        found(dataclasses.replace(STEADY, arrival_rate_mbps=0.0))
