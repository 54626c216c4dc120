from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from quedge.experiments.job import AccessBound, Job
from quedge.experiments.probes.carried_load import CarriedLoad, carried
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle, Random
from quedge.policy.exact import Exact
from quedge.policy.policy import Policy
from quedge.region.capacity import capacity
from quedge.region.sampling import Precision
from quedge.simulation.processes import Recorded
from quedge.simulation.run import simulate

STEADY = Scenario(devices=3)
QUICK = CarriedLoad(tolerance=1e-2, samples=200)


def found(policy: object, scenario: Scenario = STEADY, frames: int = 600, **settings: float) -> dict[str, float]:
    return dict(Job(scenario, policy, 0, frames, dataclasses.replace(QUICK, **settings)).run())  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [0.3, 2.0, 30.0])
def test_without_offloading_two_megabits_a_second_are_carried_whatever_is_offered(rate: float) -> None:
    # kappa f^3 = 0.08 W at f = 0.2 GHz, which is 2 Mbit/s at 100 cycles a bit
    rates = found(AllLocal(), dataclasses.replace(STEADY, arrival_rate_mbps=rate), frames=2000)
    assert rates["carried_mbps"] == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("policy", [Exact(), BestSingle(), AllLocal(), Random()], ids=repr)
def test_no_policy_carries_more_than_the_capacity_of_its_channel(policy: Policy) -> None:
    rates = found(policy)
    assert 0.0 < rates["carried_mbps"] <= rates["capacity_mbps"] * (1.0 + 1e-9)
    assert rates["capacity_share"] == pytest.approx(rates["carried_mbps"] / rates["capacity_mbps"])


def test_power_above_the_budget_is_charged() -> None:
    trace = simulate(STEADY, AllLocal(), 50)
    bound = capacity(STEADY, channel=Recorded(trace.channel_gain), precision=Precision(tolerance=1e-2))
    wasteful = dataclasses.replace(trace, power_w=trace.power_w + 0.5)
    assert carried(wasteful, 0, bound) == pytest.approx(carried(trace, 0, bound) - 0.5 * bound.power_price.sum())


def test_bounds_are_found_of_each_way_to_share_the_uplink() -> None:
    noma, tdma, none = (found(AccessBound(access)) for access in ("noma", "tdma", "none"))
    assert noma["carried_mbps"] <= noma["capacity_mbps"]
    assert noma["capacity_mbps"] >= tdma["carried_mbps"] >= none["carried_mbps"]
    assert none["capacity_mbps"] == pytest.approx(2.0, rel=0.02)


def test_a_recording_is_bounded_as_it_is() -> None:
    channel = Recorded(np.full((20, 3), 1e-11))
    job = Job(STEADY, AccessBound("noma"), 0, 20, QUICK, channel=channel)
    assert job.run()["capacity_mbps"] == job.run()["capacity_mbps"]


def test_without_arrivals_there_is_no_direction() -> None:
    with pytest.raises(ValueError, match=r"arrival_rate_mbps: .* is not allowed"):
        found(AllLocal(), dataclasses.replace(STEADY, arrival_rate_mbps=0.0))
