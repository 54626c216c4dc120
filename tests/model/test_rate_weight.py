"""The weight of a rate, Q^β + V c."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import quedge
from quedge.model.cell import cell_of
from quedge.model.scenario import Scenario
from quedge.model.uplink import rate_weight
from tests.strategies import numbers


@given(queue=numbers(0.0, 1e12), v=numbers(0.0, 1e9), frame_s=numbers(1e-3, 1e3))
def test_without_an_exponent_it_is_the_paper_s_to_the_bit(queue: float, v: float, frame_s: float) -> None:
    cell = cell_of(Scenario(devices=1, v=v, frame_s=frame_s))
    assert rate_weight(cell, 0, queue) == queue + cell.v * 1.5


@given(queue=numbers(0.0, 1e6), exponent=numbers(0.1, 2.0))
def test_a_frame_twice_as_long_doubles_it(queue: float, exponent: float) -> None:
    second, two = (cell_of(Scenario(devices=1, queue_exponent=exponent, frame_s=length)) for length in (1.0, 2.0))
    assert rate_weight(two, 0, 2.0 * queue) == pytest.approx(2.0 * rate_weight(second, 0, queue), rel=1e-14)


def test_golden_weights() -> None:
    cell = cell_of(Scenario(devices=2, v=3.0, queue_exponent=0.5))
    assert rate_weight(cell, 0, 16.0) == 4.0 + 3.0 * 1.5
    assert rate_weight(cell, 1, 0.0) == 3.0


@given(size=st.floats(0.0, 50.0), step=st.floats(-50.0, 50.0), exponent=st.floats(0.1, 1.0))
def test_drift_of_the_lyapunov_function_is_bounded_as_the_page_on_the_model_says(
    size: float, step: float, exponent: float
) -> None:
    after, power = max(size + step, 0.0), 1.0 + exponent
    moved = after - size
    drift = (after**power - size**power) / power
    assert drift <= size**exponent * moved + abs(moved) ** power / power + 1e-9 * (1.0 + size**power)


def test_a_policy_decides_by_it() -> None:
    # Equal gains and prices: the uplink goes to the longer queue, unless c counts for more.
    state = {"channel_gain": [1e-11, 1e-11], "data_queue_mbit": [4.0, 9.0], "energy_queue": [60.0, 60.0]}
    cell = Scenario(devices=2, weight=(1.5, 1.0), v=6.0, max_frequency_hz=0.0)
    flat = dataclasses.replace(cell, queue_exponent=0.5)  # 2 + 9 against 3 + 6; with β = 1, 4 + 9 against 9 + 6
    assert quedge.decide(cell, **state).rate_mbps.argmax() == 1
    assert quedge.decide(flat, **state).rate_mbps.argmax() == 0


def test_the_data_limit_stays_that_of_the_queue() -> None:
    trace = quedge.simulate(Scenario(devices=3, queue_exponent=0.3), quedge.Exact(), frames=50, seed=1)
    assert (trace.rate_mbps <= trace.data_queue_mbit * (1.0 + 1e-12)).all()
    assert np.isfinite(trace.objective).all()
