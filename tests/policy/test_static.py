from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import quedge
from quedge.model.cell import cell_of
from quedge.model.frame import Frame
from quedge.policy.static import PlaceHolder, Static
from quedge.region.sampling import Precision
from quedge.region.support import Support
from quedge.simulation.processes import Recorded, RicianFading
from tests.policies import assert_keeps_limits, assert_says_what_it_brings, decide

SCENARIO = quedge.Scenario(devices=4, pqc_power_w=0.01)
PRICES = (0.1, 0.07, 0.08, 0.09), (0.6, 0.7, 0.8, 0.9)
GAIN = RicianFading().sample(SCENARIO, 40, np.random.default_rng(1))


def frame(t: int, queue: float) -> Frame:
    return Frame(cell_of(SCENARIO), GAIN[t], np.full(4, queue), np.array([0.0, 1.0, 2.0, 3.0]))


@pytest.mark.parametrize("policy", [Static(*PRICES), PlaceHolder(*PRICES)], ids=repr)
@pytest.mark.parametrize("queue", [0.0, 0.5, 8.0, 300.0])
def test_its_decisions_keep_all_limits_and_say_what_they_bring(policy: quedge.Policy, queue: float) -> None:
    for t in range(10):
        decision = decide(policy, frame(t, queue))
        assert_keeps_limits(frame(t, queue), decision)
        assert_says_what_it_brings(frame(t, queue), decision)


def test_with_much_to_send_static_decides_as_the_bound_of_every_policy_does() -> None:
    cut = Support(cell_of(SCENARIO), GAIN, "noma", 1e-3)(np.concatenate(PRICES))
    decided = [decide(Static(*PRICES), frame(t, 1e3)) for t in range(40)]
    assert np.mean([each.rate_mbps for each in decided], axis=0) == pytest.approx(cut.rate_mbps, rel=1e-3)
    assert np.mean([each.power_w for each in decided], axis=0) == pytest.approx(cut.power_w, rel=1e-3)


def test_static_is_blind_to_queues_that_limit_nothing() -> None:
    first, second = (decide(Static(*PRICES), frame(3, queue)) for queue in (50.0, 5000.0))
    assert (first.transmit_power_w == second.transmit_power_w).all()


def test_place_holders_stand_where_queues_would_have_to_grow() -> None:
    scenario = dataclasses.replace(quedge.Scenario(), v=1000.0)
    found = quedge.capacity(scenario, precision=Precision(samples=300))
    policy = PlaceHolder(tuple(found.rate_price), tuple(found.power_price))
    placed, exact = (quedge.simulate(scenario, each, frames=600, seed=1) for each in (policy, quedge.Exact()))
    assert placed.data_queue_mbit.mean() < 0.7 * exact.data_queue_mbit.mean()
    assert placed.power_w.mean() < exact.power_w.mean()


def test_without_v_there_is_nothing_to_place() -> None:
    bare = dataclasses.replace(SCENARIO, v=0.0)
    state = Frame(cell_of(bare), GAIN[0], np.full(4, 3.0), np.ones(4))
    placed, exact = decide(PlaceHolder(*PRICES), state), decide(quedge.Exact(), state)
    assert (placed.transmit_power_w == exact.transmit_power_w).all()


def test_a_load_at_the_lower_bound_is_carried_within_the_budget() -> None:
    channel = Recorded(GAIN)
    found = quedge.capacity(SCENARIO, channel=channel, precision=Precision(tolerance=1e-4))
    static = Static(tuple(found.rate_price), tuple(found.power_price))
    rates = tuple(0.9 * found.lower.value * SCENARIO.per_device("arrival_rate_mbps"))
    steady = dataclasses.replace(SCENARIO, arrival_rate_mbps=rates)
    many = Recorded(np.tile(GAIN, (60, 1)))
    trace = quedge.simulate(steady, static, frames=2400, channel=many)
    assert trace.power_w.mean(axis=0).max() <= 0.08 * 1.02
    assert trace.data_queue_mbit[1200:].mean() < 2.0 * trace.data_queue_mbit[:1200].mean() + 5.0


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        (((0.1, -0.1), (1.0, 1.0)), "rate_price: (0.1, -0.1) is not allowed"),
        (((0.1,), (1.0, 1.0)), "power_price: (1.0, 1.0) is not allowed; it must be 1 prices"),
        (((0.0,), (1.0,)), "rate_price: (0.0,) is not allowed; it must be positive"),
    ],
)
def test_prices_that_are_none_are_refused(prices: tuple[tuple[float, ...], tuple[float, ...]], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011  (the message is compared as a whole)
        Static(*prices)
    assert str(raised.value).startswith(message)


def test_a_frame_of_another_cell_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rate_price: .* is not allowed; it must be one price for each of 4 devices"):
        decide(Static((0.1,), (1.0,)), frame(0, 1.0))
