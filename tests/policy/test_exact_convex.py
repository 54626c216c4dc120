"""The convex bound of many small steps: at every layer and level against the oracle, and at scale against decisions.

No feasible decision may exceed a valid bound, and one that is worth as much as the bound, but for the tolerance, is
the optimum.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.allocation.greedy import NomaGreedy
from quedge.model.cell import cell_of, path_gain
from quedge.model.frame import Frame, Status
from quedge.model.interpreting import interpreted
from quedge.model.scenario import Scenario
from quedge.model.terms import Terms, chain_objective, frame_terms, highest_level
from quedge.policy.baselines import BestSingle, Random
from quedge.policy.coordinate_descent import LyCd
from quedge.policy.exact import Exact
from quedge.policy.exact.convex import (
    Lines,
    change_weight,
    convex_bound,
    follow_lines,
    has_small_steps,
    make_convex,
    solve_small_steps,
)
from quedge.policy.exact.exact import highest_useful_level, solve_chain, solve_terms
from quedge.policy.lydroo import Lydroo
from tests import oracle
from tests.frames import drawn_frame
from tests.policies import decide
from tests.policy.test_exact_at_scale import wide_ranging_chain
from tests.policy.test_exact_bound import optimum_from, reachable_levels
from tests.strategies import ORDINARY_GAINS, frames

RNG = np.random.default_rng


def bounded(terms: Terms, cells: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Levels of the nodes; bound of every layer at them, shape (devices + 1, nodes); bound on the objective."""
    highest, devices = highest_useful_level(terms), terms.device.size
    lines, weights = np.empty((devices + 1, cells + 2)), np.empty(devices + 1)
    bound = convex_bound(terms, highest, cells, lines, weights)
    log_level = np.log(highest) / cells * np.arange(cells + 2)
    later_local = np.append(np.cumsum(terms.local_value[::-1])[::-1], 0.0)
    return np.exp(log_level), lines + np.outer(weights, log_level) + later_local[:, np.newaxis], bound


def many_devices(devices: int, seed: int) -> Frame:
    """A frame of many devices whose bandwidth grows with them, so that each moves the level by little."""
    rng = RNG(seed)
    scenario = Scenario(devices=devices, bandwidth_hz=2e5 * devices)
    gain = path_gain(scenario) * rng.exponential(size=devices) * 10.0 ** rng.uniform(-0.5, 0.5)
    data_queue = rng.exponential(10.0 ** rng.uniform(0.3, 1.1), devices)
    energy_queue = rng.exponential(10.0 ** rng.uniform(-0.5, 1.3), devices) * (rng.random(devices) < 0.8)
    return Frame(cell_of(scenario), gain, data_queue, energy_queue)


@pytest.mark.parametrize("cells", [3, 28, 200])
@pytest.mark.parametrize("seed", range(4))
def test_the_convex_bound_at_the_nodes_is_never_below_the_optimum(seed: int, cells: int) -> None:
    frame = drawn_frame(4, seed, pqc_power_w=0.02 * (seed % 2))
    terms = frame_terms(*frame)
    levels, values, bound = bounded(terms, cells)
    reachable = reachable_levels(terms)
    assert bound >= oracle.enumeration(frame).objective * (1.0 - 1e-9)
    for k in range(4):
        for level, value in list(zip(levels, values[k], strict=True))[:: max(1, cells // 5)]:
            if level <= reachable[k]:
                assert value >= optimum_from(frame, k, level) * (1.0 - 1e-9)


@given(frame=frames(min_devices=2, max_devices=3, powers_of_ten=ORDINARY_GAINS), cells=st.integers(2, 300))
def test_the_convex_bound_is_never_below_the_optimum_in_any_cell(frame: Frame, cells: int) -> None:
    terms = frame_terms(*frame)
    if highest_useful_level(terms) <= 1.0 + 1e-12:
        return  # nobody can gain by offloading
    optimum = oracle.enumeration(frame)
    reached = oracle.evaluate(frame, optimum.offload, optimum.transmit_power_w, optimum.cpu_frequency_hz)
    assert bounded(terms, cells)[2] >= optimum.objective - 1e-9 * oracle.magnitude(frame, reached)


@pytest.mark.parametrize("cells", [2, 3, 5, 8])
def test_the_convex_bound_of_a_coarse_lattice_is_above_the_best_decision_of_2000_states(cells: int) -> None:
    rng = RNG(7)
    for _ in range(2_000):
        terms = wide_ranging_chain(rng)
        if highest_useful_level(terms) > 1.0 + 1e-12:
            _, _, objective, _ = solve_chain(terms, 1e-6)
            assert bounded(terms, cells)[2] >= objective * (1.0 - 1e-9)


def bent_lines(seed: int) -> Lines:
    """Lines that fall, and bend up and down at random."""
    rng, nodes, step = RNG(seed), 40, 0.1
    level, value = np.exp(step * np.arange(nodes)), np.cumsum(rng.exponential(size=nodes))[::-1].copy()
    return Lines(step, level, value, np.diff(value) / np.diff(level), np.empty(nodes), np.empty(nodes))


@pytest.mark.parametrize("change", [-3.0, -0.1, 0.1, 3.0])
def test_the_same_bound_with_another_weight_is_nowhere_lower(change: float) -> None:
    lines = bent_lines(1)
    levels = np.geomspace(1.0, lines.level[-1], 2_000)
    before = np.interp(levels, lines.level, lines.value)
    change_weight(lines, change)
    after = np.interp(levels, lines.level, lines.value) + change * np.log(levels)
    assert (after >= before - 1e-9).all()
    assert (after - before).max() <= abs(change) * 0.1**2 / 4.0


def test_lines_that_bend_down_are_raised_to_convex_ones_that_fall() -> None:
    for seed in range(50):
        lines = bent_lines(seed)
        before = lines.value.copy()
        make_convex(lines, 1e-9)
        assert (lines.value >= before).all()
        slope = np.diff(lines.value) / np.diff(lines.level)
        assert (np.diff(slope) >= -1e-9).all()
        assert (slope <= 1e-9).all()
        assert lines.slope == pytest.approx(slope)


def random_decision(terms: Terms, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A part of the devices offload, each moving the level by a random part of what it may."""
    offload, level = rng.random(terms.device.size) < share, np.ones(terms.device.size)
    part = np.where(rng.random(offload.size) < 0.5, 1.0, rng.random(offload.size))
    before = 1.0
    for k in range(offload.size):
        if offload[k]:
            before += part[k] * (highest_level(terms, k, before) - before)
        level[k] = before
    return offload, level


@pytest.mark.parametrize("cells", [16, 64, 300])
@pytest.mark.parametrize("seed", range(8))
def test_no_decision_of_a_thousand_devices_exceeds_the_convex_bound_of_any_lattice(seed: int, cells: int) -> None:
    terms = frame_terms(*many_devices(1_000, seed))
    _, _, bound = bounded(terms, cells)
    _, _, best, _ = solve_terms(terms, 1e-4)
    assert bound >= best * (1.0 - 1e-12)
    rng = RNG(seed)
    for _ in range(50):
        assert chain_objective(terms, *random_decision(terms, rng.random(), rng)) <= bound


@pytest.mark.parametrize(("devices", "seeds"), [(300, 10), (1_000, 10), (10_000, 2)])
def test_many_small_steps_are_solved_to_the_gap_and_no_decision_exceeds_it(devices: int, seeds: int) -> None:
    for seed in range(seeds):
        frame = many_devices(devices, seed)
        answer = decide(Exact(), frame)
        assert answer.status == Status.OK
        assert answer.upper_bound - answer.objective <= 1e-3 * answer.objective
        kept = NomaGreedy().allocate(frame, answer.offload)
        others = [decide(policy, frame) for policy in (BestSingle(), Random(probability=0.2))]
        if devices <= 1_000:
            others += [decide(policy, frame) for policy in (LyCd(), Lydroo())]
        for other in (kept, *others):
            assert other.objective <= answer.upper_bound


@pytest.mark.parametrize("seed", range(4))
def test_the_two_bounds_of_three_hundred_devices_enclose_one_optimum(seed: int) -> None:
    terms = frame_terms(*many_devices(300, seed))
    offload, level, best, upper = solve_small_steps(terms, highest_useful_level(terms), 1e-4)
    assert chain_objective(terms, offload, level) == best
    assert (np.diff(level, prepend=1.0) >= 0.0).all()
    _, _, fine, fine_upper = solve_chain(terms, 1e-5)
    assert max(best, fine) <= min(upper, fine_upper)


def test_steps_are_small_where_bandwidth_grows_with_the_devices_only() -> None:
    for devices, bandwidth_hz, small in ((10, 2e6, False), (1_000, 2e6, False), (1_000, 2e8, True)):
        terms = frame_terms(*drawn_frame(devices, 1, bandwidth_hz=bandwidth_hz))
        assert has_small_steps(terms, highest_useful_level(terms)) == small


@pytest.mark.parametrize("devices", [300, 1_000])
def test_the_weight_of_the_lines_is_lowered_once_in_64_layers_at_most(devices: int) -> None:
    for seed in range(3):
        terms, weights = frame_terms(*many_devices(devices, seed)), np.empty(devices + 1)
        convex_bound(terms, highest_useful_level(terms), 64, np.empty((0, 66)), weights)
        lowered = int((np.diff(weights) > 0.0).sum())  # from the last device back to the first
        assert 1 <= lowered <= devices / 64


def test_the_convex_bound_and_its_path_are_the_same_in_plain_python() -> None:
    for seed in range(3):
        terms = frame_terms(*drawn_frame(4, seed))
        highest, answers = highest_useful_level(terms), []
        for bound, follow in ((convex_bound, follow_lines), (interpreted(convex_bound), interpreted(follow_lines))):
            kept, weights = np.empty((5, 14)), np.empty(5)
            offload, level = np.zeros(4, np.bool_), np.ones(4)
            found = bound(terms, highest, 12, kept, weights)
            follow(terms, highest, kept, weights, offload, level)
            answers.append((found, kept, weights, offload, level))
        for ours, theirs in zip(*answers, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9)
