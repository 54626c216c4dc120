"""The exact policy where offloading is partial: against a search, against binary, and its bound at every lattice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.tdma import Tdma
from quedge.model.frame import Frame, Status
from quedge.model.interpreting import interpreted
from quedge.model.terms import chain_objective, frame_terms
from quedge.model.uplink import predicted_outcome
from quedge.policy.baselines import BestPair, BestSingle
from quedge.policy.coordinate_descent import LyCd
from quedge.policy.exact import Exact, exact_objectives
from quedge.policy.exact.lattice import full_lattice
from quedge.policy.exact.partial.bent import bend_of, can_bend, sag
from quedge.policy.exact.partial.bound import bound_split
from quedge.policy.exact.partial.path import polish_split
from quedge.policy.exact.partial.search import solve_split
from quedge.policy.exact.span import highest_useful_level, steepest_values
from quedge.policy.lagrangian import Lagrangian
from quedge.policy.policy import check_allocation
from tests import oracle
from tests.frames import drawn_frame
from tests.partial_oracle import search
from tests.policies import decide
from tests.strategies import frames, offloads

KINDS: list[dict[str, float]] = [
    {},
    {"pqc_power_w": 0.06},
    {"pqc_energy_j_per_bit": 2e-8, "pqc_overhead_bits": 1e4, "pqc_max_rate_mbps": 6.0},
    {"max_transmit_power_w": 0.01, "max_frequency_hz": 1e8},
    {"idle_power_w": 0.02, "frame_s": 0.1},
]


def partial(frame: Frame) -> Frame:
    return frame._replace(cell=frame.cell._replace(is_partial=1.0))


@pytest.mark.parametrize("keys", KINDS)
@pytest.mark.parametrize(("devices", "seed"), [(1, 1), (2, 2), (4, 5)])
def test_exact_is_within_its_gap_of_what_a_search_finds(devices: int, seed: int, keys: dict[str, float]) -> None:
    frame = drawn_frame(devices, seed, offloading="partial", **keys)
    found = search(frame, np.random.default_rng(seed)).objective
    for tolerance in (0.3, 1e-3, 1e-6):
        decision = decide(Exact(tolerance=tolerance), frame)
        assert decision.upper_bound is not None
        assert decision.upper_bound >= found - 1e-9 * abs(found)
        if decision.status == Status.OK:
            assert decision.objective >= found * (1.0 - tolerance) - 1e-9
    charged = oracle.evaluate(frame, decision.offload, decision.transmit_power_w, decision.cpu_frequency_hz)
    assert charged.objective == pytest.approx(decision.objective, rel=1e-9)
    np.testing.assert_allclose(charged.rate_mbps, decision.rate_mbps, rtol=1e-9, atol=1e-9)
    assert np.all(decision.rate_mbps * frame.cell.frame_s <= frame.data_queue_mbit * (1.0 + 1e-9))


@pytest.mark.parametrize("keys", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_bound_of_any_lattice_is_above_every_decision(seed: int, keys: dict[str, float]) -> None:
    frame = drawn_frame(8, seed, offloading="partial", **keys)
    terms = frame_terms(*frame)
    best = solve_split(terms, 1e-6)[2]
    highest, bent = highest_useful_level(terms), np.array([can_bend(terms, k) for k in range(8)])
    assert bent.any()
    for cells in (3, 7, 20, 90):
        lattice = full_lattice(8, highest, cells, 10.0)
        assert bound_split(terms, lattice, steepest_values(terms), bent).unused[0] >= best * (1.0 - 1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_partial_is_never_worth_less_than_binary(seed: int) -> None:
    binary = drawn_frame(10, seed)
    both = binary, partial(binary)
    one, other = (decide(Exact(tolerance=1e-6), frame) for frame in both)
    assert other.upper_bound is not None
    assert other.upper_bound >= one.objective
    assert other.objective >= one.objective * (1.0 - 1e-6)
    offload = np.random.default_rng(seed).random((6, 10)) < 0.4
    for allocator in (NomaGreedy(), Tdma()):
        for chosen in offload:
            less, more = (allocator.allocate(frame, chosen).objective for frame in both)
            assert more >= less - 1e-9 * abs(less)


@pytest.mark.parametrize("seed", range(8))
def test_no_other_policy_exceeds_the_bound_and_bounds_of_others_hold(seed: int) -> None:
    frame = drawn_frame(10, seed, offloading="partial", pqc_power_w=0.02)
    optimum = decide(Exact(tolerance=1e-6), frame)
    assert optimum.upper_bound is not None
    for policy in (BestSingle(), BestPair(), LyCd()):
        decision = decide(policy, frame)
        assert decision.objective <= optimum.upper_bound
        outcome = predicted_outcome(frame, decision.allocation)
        assert outcome.objective == pytest.approx(decision.objective, rel=1e-9)
    bound = decide(Lagrangian(), frame).upper_bound
    assert bound is not None
    assert bound >= optimum.objective


def test_polishing_never_loses_and_stays_within_the_limits() -> None:
    rng = np.random.default_rng(3)
    for seed in range(30):
        terms = frame_terms(*drawn_frame(6, seed, offloading="partial"))
        offload, level, before = rng.random(6) < 0.6, np.ones(6), 1.0
        for k in range(6):
            if offload[k]:
                most = min(terms.growth_limit[k] * before, before + terms.step_limit[k])
                before += rng.random() * (most - before)
            level[k] = before
        at_first = chain_objective(terms, offload, level)
        polish_split(terms, offload, level, 0.0)
        assert chain_objective(terms, offload, level) >= at_first - 1e-12 * abs(at_first)
        before = 1.0
        for k in range(6):
            if offload[k]:
                most = min(terms.growth_limit[k] * before, before + terms.step_limit[k])
                assert before * (1.0 - 1e-12) <= level[k] <= most * (1.0 + 1e-9)
                before = level[k]


def test_the_optimum_of_many_frames_is_that_of_each() -> None:
    frames = [drawn_frame(5, seed, offloading="partial") for seed in range(4)]
    states = (np.stack(values) for values in zip(*(frame[1:] for frame in frames), strict=True))
    objectives = exact_objectives(frames[0].cell, *states, tolerance=1e-6)
    assert objectives.tolist() == [decide(Exact(tolerance=1e-6), frame).objective for frame in frames]


def test_it_decides_alike_by_plain_python() -> None:
    terms = frame_terms(*drawn_frame(3, 2, offloading="partial"))
    offload, level, objective, upper = solve_split(terms, 1e-3)
    plain_offload, plain_level, plain_objective, plain_upper = interpreted(solve_split)(terms, 1e-3)
    np.testing.assert_array_equal(offload, plain_offload)
    np.testing.assert_array_equal(level, plain_level)
    assert (objective, upper) == (plain_objective, plain_upper)


def test_the_sag_is_what_a_shifted_step_exceeds_its_chord_by() -> None:
    checked = 0
    for seed in range(5):
        terms = frame_terms(*drawn_frame(6, seed, offloading="partial"))
        for k in range(6):
            bend, step = bend_of(terms, k), terms.step_limit[k]
            crossing = step / (terms.growth_limit[k] - 1.0)
            for low in crossing * np.array([1.0, 1.3, 2.0, 3.0]):
                high = 1.2 * low
                allowed = sag(bend, step, low, high)
                for shift in np.linspace(step * low / high, step, 5):
                    at = np.linspace(low, high, 41)
                    growth = np.log1p(shift / at)
                    v = np.maximum(growth - bend.start, 0.0)
                    value = bend.rate_value * growth - v * (bend.linear + v * (bend.square - v * bend.cube))
                    chord = value[0] + (at - low) / (high - low) * (value[-1] - value[0])
                    assert np.max(value - chord) <= allowed + 1e-9 * abs(value[0])
                    checked += allowed > 0.0
    assert checked > 10


@given(data=st.data())
def test_in_any_cell_the_bound_is_above_greedy_powers_and_what_a_search_finds(data: st.DataObject) -> None:
    frame = partial(data.draw(frames(max_devices=4)))
    offload = data.draw(offloads(frame.cell.devices))
    reached = NomaGreedy().allocate(frame, offload)
    scale = oracle.magnitude(frame, oracle.evaluate(frame, offload, reached.transmit_power_w, reached.cpu_frequency_hz))
    found = search(frame, np.random.default_rng(0), starts=1).objective
    for tolerance in (0.5, 1e-3, 1e-6):
        decision = decide(Exact(tolerance=tolerance), frame)
        assert decision.upper_bound is not None
        assert decision.upper_bound >= max(reached.objective, found) - 1e-9 * scale
        assert decision.objective <= decision.upper_bound + 1e-9 * scale
        outcome = predicted_outcome(frame, decision.allocation)
        assert abs(outcome.objective - decision.objective) <= 1e-7 * scale + 1e-9
        check_allocation(frame.cell, decision.allocation)


def test_a_device_out_of_coverage_computes_locally() -> None:
    frame = drawn_frame(4, 3, offloading="partial")
    frame.channel_gain[[0, 2]] = 0.0
    every = np.ones(4, np.bool_)
    for decision in (
        decide(Exact(tolerance=1e-6), frame), NomaGreedy().allocate(frame, every), Tdma().allocate(frame, every),
    ):  # fmt: skip
        assert not decision.offload[[0, 2]].any()
        assert np.all(decision.cpu_frequency_hz[[0, 2]] > 0.0)
        assert predicted_outcome(frame, decision.allocation).objective == pytest.approx(decision.objective, rel=1e-9)
