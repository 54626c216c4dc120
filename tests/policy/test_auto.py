"""Short queues at the power budget, without a search for V and ν."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import quedge
from quedge import Auto, BestPair, BestSingle, Exact, Scenario
from quedge.controller.answer import ServedBy
from quedge.controller.controller import Controller
from quedge.controller.report import checked_report
from quedge.model.cell import cell_of
from quedge.model.frame import packed_frame
from quedge.policy.auto import energy_prices, price_growth
from quedge.simulation.run import run_in_world
from quedge.simulation.trace import RunState, Trace
from quedge.simulation.world import draw_world
from tests.frames import drawn_frame, laid_frame

STEP = Auto().price_step


@given(x=st.floats(0.0, 40.0), further=st.floats(0.0, 5.0))
def test_the_price_rises_ever_faster_with_a_bounded_slope(x: float, further: float) -> None:
    slope = price_growth(x + 1e-3) - price_growth(x)
    assert 0.0 < slope <= 1e-3 * np.exp(9.0) * (1.0 + 1e-6)
    assert price_growth(x + further + 1e-3) - price_growth(x + further) >= slope * (1.0 - 1e-6)


def test_golden_prices() -> None:
    # γ = 0.08 W: local computing draws it at 0.2 GHz, 2 Mbit/s, so the unit is 2 / 0.24 Mbit²/s/W.
    frame = laid_frame([1e-11] * 3, 4.0, [0.0, 60.0 * 0.08 / STEP, 60.0 * 0.08 * 10.0 / STEP])
    unit = 2.0 / (3.0 * 0.08)
    expected = [0.0, unit * (np.e - 1.0), unit * (2.0 * np.exp(9.0) - 1.0)]  # the last beyond the bound of the slope
    np.testing.assert_allclose(energy_prices(packed_frame(frame), STEP), expected, rtol=1e-12)


def test_it_decides_as_its_policy_does_under_its_weights() -> None:
    for seed in range(5):
        frame = drawn_frame(6, seed, pqc_power_w=0.02, v=7.0)
        price = energy_prices(packed_frame(frame), STEP)
        weighted = frame._replace(cell=frame.cell._replace(v=0.0, nu=1.0, queue_exponent=0.4), energy_queue=price)
        for policy in (Exact(), BestPair()):
            expected = policy.decide(weighted, np.random.default_rng(0))
            decision = Auto(policy).decide(frame, np.random.default_rng(0))
            for here, there in zip(decision.allocation, expected.allocation, strict=True):
                np.testing.assert_array_equal(here, there)
            assert decision.objective <= Exact().decide(frame, np.random.default_rng(0)).upper_bound


@pytest.mark.parametrize("keys", [{"v": 500.0}, {"nu": 15.0}, {"queue_exponent": 0.7}], ids=str)
def test_the_scenario_s_own_weights_do_not_matter(keys: dict[str, Any]) -> None:
    here, there = (quedge.simulate(scenario, Auto(), 200, 3) for scenario in (Scenario(), Scenario(**keys)))
    np.testing.assert_array_equal(here.transmit_power_w, there.transmit_power_w)  # 15 is 60 over a power of two
    np.testing.assert_array_equal(here.data_queue_mbit, there.data_queue_mbit)


def test_without_an_energy_queue_energy_has_no_price() -> None:
    assert (energy_prices(packed_frame(laid_frame([1e-11] * 2, 4.0, 3.0, nu=0.0)), STEP) == 0.0).all()


def test_in_the_paper_s_cell_it_holds_the_budget_with_a_short_queue() -> None:
    trace = quedge.simulate(Scenario(), Auto(), 10_000)
    assert trace.data_queue_mbit[5_000:].mean() <= 6.6
    assert 0.0795 <= trace.power_w[5_000:].mean() <= 0.0802


def steps(key: str, values: tuple[float, ...], frames: int = 2_500) -> list[Trace]:
    """A run whose scenario changes now and then, from empty queues; a trace for each value."""
    traces: list[Trace] = []
    end: RunState | None = None
    for seed, value in enumerate(values):
        scenario = dataclasses.replace(Scenario(), **{key: value})
        world = draw_world(scenario, frames, seed)
        traces.append(run_in_world(scenario, Auto(), world, seed, start=end))
        end = traces[-1].end
    return traces


@pytest.mark.parametrize("key", ["arrival_rate_mbps", "pqc_power_w"])
def test_after_a_step_it_comes_back_to_the_budget_and_to_short_queues(key: str) -> None:
    values = {"arrival_rate_mbps": (2.0, 3.0, 2.0), "pqc_power_w": (0.0, 0.06, 0.0)}[key]
    before, stepped, after = steps(key, values)
    assert stepped.power_w[1_000:].mean() == pytest.approx(0.08, rel=0.02)
    assert stepped.data_queue_mbit[1_000:].mean() < 15.0
    assert after.data_queue_mbit[500:].mean() == pytest.approx(before.data_queue_mbit[500:].mean(), rel=0.25)
    assert after.power_w.mean() <= 0.0805


def test_a_load_that_nobody_carries_does_not_break_the_budget() -> None:
    (trace,) = steps("arrival_rate_mbps", (4.0,), 3_000)
    assert trace.data_queue_mbit[-1].mean() > 500.0
    assert trace.power_w[1_500:].mean() == pytest.approx(0.08, rel=0.02)


def test_a_late_report_is_decided_under_its_weights() -> None:
    scenario, gain, arrived = Scenario(devices=2), [1e-12, 4e-13], [4.0, 4.0]
    controller = Controller(scenario, Auto())
    for frame in range(100):
        controller.serve(checked_report(2, frame, gain, arrived))
    report = checked_report(2, 100, gain, arrived)
    frame = controller.queues.frame(cell_of(scenario), report)
    answer = controller.serve(report, ServedBy.LATE)
    under, own = (policy.decide(frame, np.random.default_rng(0)) for policy in (Auto(BestSingle()), BestSingle()))
    np.testing.assert_array_equal(answer.power_w, under.power_w)
    assert answer.rate_mbps.sum() > 2.0 * own.rate_mbps.sum()  # at such energy queues it sends next to nothing


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("policy", quedge.Lydroo()), ("policy", Auto()), ("policy", Exact), ("policy", "exact"),
        ("queue_exponent", 0.0), ("queue_exponent", 3.0), ("price_step", 0.0), ("price_step", float("nan")),
    ],
)  # fmt: skip
def test_what_it_cannot_work_with_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field}: .* is not allowed"):
        Auto(**{field: value})
