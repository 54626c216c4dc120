"""The exact policy against enumeration of all decisions, and its bound against everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.allocation.greedy import NomaGreedy
from quedge.model.frame import Frame, Status
from quedge.model.interpreting import interpreted
from quedge.model.terms import frame_terms
from quedge.policy.exact import Exact
from quedge.policy.exact.exact import solve_chain
from tests import oracle
from tests.frames import drawn_frame, laid_frame
from tests.policies import POLICIES, charged, decide
from tests.strategies import frames, offloads

TOLERANCES = (1e-3, 1e-6)


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("pqc_power_w", [0.0, 0.06])
@pytest.mark.parametrize(("devices", "seed"), [(1, 1), (2, 2), (3, 3), (4, 4), (4, 5), (4, 6)])
def test_exact_equals_enumeration_within_its_tolerance(
    devices: int, seed: int, pqc_power_w: float, tolerance: float
) -> None:
    frame = drawn_frame(devices, seed, pqc_power_w=pqc_power_w)
    optimum = oracle.enumeration(frame).objective
    decision = decide(Exact(tolerance=tolerance), frame)
    assert decision.status == Status.OK
    assert decision.upper_bound is not None
    assert decision.upper_bound - decision.objective <= tolerance * decision.objective
    assert decision.objective >= optimum * (1.0 - tolerance)
    assert decision.objective <= optimum * (1.0 + 1e-9)
    assert decision.upper_bound >= optimum * (1.0 - 1e-9)


@given(frame=frames(max_devices=3))
def test_exact_equals_enumeration_in_any_cell(frame: Frame) -> None:
    optimum = oracle.enumeration(frame)
    scale = oracle.magnitude(frame, charged(frame, decide(Exact(), frame)))
    for tolerance in TOLERANCES:
        decision = decide(Exact(tolerance=tolerance), frame)
        assert decision.upper_bound >= optimum.objective - 1e-9 * scale
        assert decision.objective <= optimum.objective + 1e-9 * scale
        if decision.status == Status.OK:
            assert decision.objective >= optimum.objective - tolerance * abs(optimum.objective) - 1e-9 * scale


@given(frame=frames())
def test_its_upper_bound_is_never_below_any_other_policy(frame: Frame) -> None:
    bound = decide(Exact(), frame).upper_bound
    assert bound is not None
    for policy in POLICIES:
        reached = decide(policy, frame)
        if reached.time_share is not None:
            continue  # time division may exceed what is best by NOMA with its fixed order of decoding
        assert reached.objective <= bound + 1e-9 * oracle.magnitude(frame, charged(frame, reached))


@given(data=st.data())
def test_its_upper_bound_is_never_below_a_random_feasible_decision(data: st.DataObject) -> None:
    frame = data.draw(frames())
    offload = data.draw(offloads(frame.cell.devices))
    share = np.array(data.draw(st.lists(st.floats(0.0, 1.0), min_size=offload.size, max_size=offload.size)))
    power, frequency = feasible_shares(frame, offload, share)
    reached = oracle.evaluate(frame, offload, power, frequency)
    for tolerance in (*TOLERANCES, 0.5):
        bound = decide(Exact(tolerance=tolerance), frame).upper_bound
        assert reached.objective <= bound + 1e-9 * oracle.magnitude(frame, reached)


def feasible_shares(frame: Frame, offload: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Powers and frequencies that are given shares of what power, clock and queue allow."""
    cell, gain = frame.cell, frame.channel_gain
    frequency = np.minimum(cell.max_frequency_hz, cell.cycles_per_mbit * frame.data_queue_mbit / cell.frame_s)
    power = np.zeros(cell.devices)
    for i in np.argsort(gain):  # the last decoded first: interference is known when a device's turn comes
        if offload[i]:
            received = cell.noise_w + sum(power[j] * gain[j] for j in oracle.decoded_after(gain, i))
            bits = min(oracle.most_bits(frame)[i], 500.0)
            power[i] = share[i] * min(cell.max_transmit_power_w[i], np.expm1(bits * np.log(2.0)) * received / gain[i])
    return power, np.where(offload, 0.0, share * frequency)


@pytest.mark.parametrize(("devices", "seed"), [*((10, seed) for seed in range(8)), (30, 1), (100, 2)])
def test_every_frame_of_the_paper_s_cell_is_solved_to_tolerance(devices: int, seed: int) -> None:
    frame = drawn_frame(devices, seed)
    for tolerance in TOLERANCES:
        decision = decide(Exact(tolerance=tolerance), frame)
        assert decision.status == Status.OK
        assert decision.upper_bound - decision.objective <= tolerance * decision.objective


def test_a_smaller_tolerance_gives_a_bound_at_least_as_consistent() -> None:
    for seed in range(20):
        loose, tight = (decide(Exact(tolerance=tolerance), drawn_frame(8, seed)) for tolerance in (1e-2, 1e-6))
        assert tight.objective <= loose.upper_bound * (1.0 + 1e-12)
        assert loose.objective <= tight.upper_bound * (1.0 + 1e-12)


def test_an_empty_cell_is_solved_to_proven_optimality() -> None:
    decision = decide(Exact(), laid_frame([1e-11, 2e-10, 3e-9], 0.0, 0.0))  # the first frame of every run
    assert decision.objective == 0.0
    assert decision.upper_bound == 0.0
    assert decision.status == Status.OK


def test_exact_equals_enumeration_where_gains_are_equal() -> None:
    frame = laid_frame([2e-11, 2e-11, 2e-11], [9.0, 14.0, 25.0], [3.0, 0.5, 6.0])
    decision = decide(Exact(tolerance=1e-6), frame)
    assert decision.objective == pytest.approx(oracle.enumeration(frame).objective, rel=1e-6)


def test_exact_beats_the_greedy_allocation_of_its_own_decision_where_greed_costs() -> None:
    # Two devices whose gains differ little: the weak one, decoded last, would by itself send at full power and so
    # raise the price of the strong one, whose data is worth more.
    frame = laid_frame([5e-11, 6e-11], [10.0, 40.0], [0.0, 20.0])
    exact = decide(Exact(tolerance=1e-6), frame)
    everyone = np.ones(2, dtype=np.bool_)
    together = oracle.evaluate(frame, everyone, oracle.best_powers(frame, everyone), np.zeros(2)).objective
    greedy = NomaGreedy().allocate(frame, everyone).objective
    assert together > greedy * 1.01
    assert exact.objective >= together * (1.0 - 1e-6)


@pytest.mark.parametrize("tolerance", [0.0, -1e-3, 1.0, np.nan])
def test_an_impossible_tolerance_is_refused_with_the_value_and_what_is_allowed(tolerance: float) -> None:
    with pytest.raises(ValueError, match=r"tolerance: \S+ is not allowed; it must be at least"):
        Exact(tolerance=tolerance)


@pytest.mark.parametrize(("devices", "seed"), [(1, 1), (2, 2), (3, 3), (4, 4), (6, 5)])
def test_the_solver_in_plain_python_finds_the_same_and_stays_within_its_arrays(devices: int, seed: int) -> None:
    terms = frame_terms(*drawn_frame(devices, seed))
    compiled, plain = solve_chain(terms, 1e-4), interpreted(solve_chain)(terms, 1e-4)
    np.testing.assert_array_equal(compiled[0], plain[0])
    for ours, theirs in zip(compiled[1:], plain[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
