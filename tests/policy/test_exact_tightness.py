"""How close the bound of the exact policy is to what it bounds, and its parts against grids and searches.

That it is never too low stands in `test_exact_bound.py`. A bound that is too high is no wrong answer: it only costs
time, so it must be measured to be noticed.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from quedge.model.frame import Frame
from quedge.model.terms import Terms, frame_terms, highest_level, step_objective
from quedge.policy.exact.bound import (
    Bound,
    Layer,
    between_nodes,
    fill_cliffs,
    last_offloading,
    log1p_above,
    node_below,
    own_gain,
)
from quedge.policy.exact.convex import solve_small_steps
from quedge.policy.exact.exact import highest_useful_level, solve_terms
from quedge.policy.exact.lattice import Lattice
from tests.frames import drawn_frame, plain
from tests.policy.test_exact_at_scale import wide_ranging_chain
from tests.policy.test_exact_bound import bounded, optimum_from, reachable_levels
from tests.policy.test_exact_convex import bounded as convex_bounded
from tests.policy.test_exact_convex import many_devices

FIXED = tuple((devices, seed) for devices in (2, 3, 4) for seed in range(8))
"""Frames of which each layer's optimum is enumerated once: number of devices and seed."""


@functools.cache
def fixed_frame(devices: int, seed: int) -> Frame:
    return drawn_frame(devices, seed, pqc_power_w=0.02 * (seed % 2))


@functools.cache
def optimum(devices: int, seed: int, k: int, level: float) -> float:
    return optimum_from(fixed_frame(devices, seed), k, level)


def slacks(cells: int) -> np.ndarray:
    """The bound over the optimum, relative to it: of each frame of the fixed set, from the first layer."""
    return np.array([bounded(fixed_frame(*case), cells)[1].unused[0] / optimum(*case, 0, 1.0) - 1.0 for case in FIXED])


@pytest.mark.parametrize(
    ("cells", "mean", "highest"), [(7, 0.065009, 0.42158), (28, 5.0995e-4, 3.7312e-3), (224, 5.8397e-5, 6.176e-4)]
)
def test_the_slack_over_the_optimum_of_a_fixed_set_of_frames_is_no_more_than_it_was(
    cells: int, mean: float, highest: float
) -> None:
    found = slacks(cells)
    assert found.min() >= -1e-12
    assert found.mean() <= 1.001 * mean
    assert found.max() <= 1.001 * highest


def test_the_slack_at_the_nodes_is_no_more_than_it_was() -> None:
    over = []
    for case in FIXED[::3]:
        lattice, bound = bounded(fixed_frame(*case), 28)
        over += [value / optimum(*case, k, level) - 1.0 for k, level, value in nodes_in_reach(case, lattice, bound)]
    assert min(over) >= -1e-9
    assert np.mean(over) <= 8.98e-4
    assert max(over) <= 1.376e-2


def nodes_in_reach(
    case: tuple[int, int], lattice: Lattice, bound: Bound, every: int = 4
) -> list[tuple[int, float, float]]:
    """Layer, level and bound of some of the nodes from which a device can start, and gain."""
    reachable = reachable_levels(frame_terms(*fixed_frame(*case)))
    return [
        (k, lattice.level[node], bound.value[node])
        for k in range(1, case[0])
        for node in range(lattice.first[k], lattice.first[k + 1], every)
        if lattice.level[node] <= reachable[k] and optimum(*case, k, lattice.level[node]) > 0.0
    ]


def test_the_logarithm_is_bounded_from_above_to_a_sixth_of_the_sixth_power() -> None:
    for z in np.linspace(0.0, 0.3, 61).tolist():
        assert -1e-16 <= plain(log1p_above)(z) - math.log1p(z) <= z**6 / 6.0 + 1e-16


def chains(count: int) -> list[Terms]:
    rng = np.random.default_rng(12)
    return [wide_ranging_chain(rng) for _ in range(count)]


def test_what_a_device_gains_by_itself_is_the_best_step_of_a_fine_grid() -> None:
    for terms in chains(20):
        for k in range(terms.device.size):
            for start in (1.0, 1.7, 30.0):
                ends = np.geomspace(start, highest_level(terms, k, start), 1_001)
                best = max(step_objective(terms, k, start, end) for end in ends.tolist())
                growth = ends[-1] / start - 1.0  # the logarithm of small ones is bounded by its series
                beyond = 3e-5 + (growth**6 / 6.0 if growth < 0.25 else 0.0)
                found = own_gain(terms, k, start)
                assert best - 1e-12 * terms.rate_value[k] <= found <= best + beyond * terms.rate_value[k]


def test_above_the_last_node_from_which_a_device_offloads_it_gains_less_than_locally() -> None:
    for terms in chains(200):
        levels = np.geomspace(1.0, 1e4, 40)
        for k in range(terms.device.size):
            pays = [own_gain(terms, k, level) > terms.local_value[k] for level in levels[:-1].tolist()]
            assert last_offloading(terms, k, levels) == (max(np.flatnonzero(pays)) if any(pays) else -1)


def test_the_node_below_a_position_is_the_last_that_is_not_above_it() -> None:
    level = np.geomspace(1.0, 50.0, 17)
    for position in (0.5, 1.0, 1.3, *level[3:6].tolist(), 49.0):
        assert plain(node_below)(level, position) == max(int((level <= position).sum()) - 1, 0)
    assert plain(node_below)(level, 50.0) == 15  # the top begins no cell
    assert plain(node_below)(level, 99.0) == 15


def drawn_layer(seed: int) -> Layer:
    """A layer with gaps, and with values that rise and fall at random."""
    rng = np.random.default_rng(seed)
    index = np.flatnonzero(rng.random(60) < 0.8)
    return Layer(0.1, index, np.exp(0.1 * index), rng.exponential(size=index.size))


def test_between_two_nodes_the_bound_is_the_line_through_both() -> None:
    layer = drawn_layer(3)
    for node in range(5):
        low, high = layer.level[node], layer.level[node + 1]
        for level in np.linspace(low, high, 7).tolist():
            expected = np.interp(level, layer.level, layer.value)
            assert plain(between_nodes)(layer, node, level) == pytest.approx(expected, rel=1e-13)


def test_cliffs_are_filled_by_the_least_values_that_fall_and_not_too_steeply() -> None:
    for seed in range(40):
        layer = drawn_layer(seed)
        before, closed = layer.value.copy(), np.diff(layer.node_index) == 1
        plain(fill_cliffs)(layer, 2.0)
        fall = -np.diff(layer.value)[closed]
        assert (fall >= 0.0).all()
        assert (fall <= 2.0 * layer.step + 1e-12).all()
        runs = np.split(np.arange(before.size), np.flatnonzero(~closed) + 1)
        for run in runs:  # the least such values: of each node above, its own; of each below, what it may fall by
            above = np.maximum.accumulate(before[run][::-1])[::-1]
            steps = np.subtract.outer(np.arange(run.size), np.arange(run.size))
            least = np.where(steps >= 0, above[np.newaxis, :] - 2.0 * layer.step * steps, -np.inf).max(axis=1)
            assert layer.value[run] == pytest.approx(least, rel=1e-12)


@pytest.mark.parametrize(("cells", "mean", "highest"), [(28, 4.2544e-3, 1.5838e-2), (224, 1.6597e-3, 1.8027e-2)])
def test_the_slack_of_the_convex_bound_of_few_devices_is_no_more_than_it_was(
    cells: int, mean: float, highest: float
) -> None:
    found = [
        convex_bounded(frame_terms(*fixed_frame(*case)), cells)[2] / optimum(*case, 0, 1.0) - 1.0 for case in FIXED
    ]
    assert min(found) >= -1e-12
    assert np.mean(found) <= 1.001 * mean
    assert max(found) <= 1.001 * highest


def test_the_convex_bound_of_many_devices_is_as_tight_and_its_path_as_good_as_they_were() -> None:
    slack, short = np.empty((3, 2)), np.empty(3)
    for seed in range(3):
        terms = frame_terms(*many_devices(300, seed))
        _, _, best, _ = solve_terms(terms, 1e-5)
        slack[seed] = [convex_bounded(terms, cells)[2] / best - 1.0 for cells in (64, 256)]
        short[seed] = 1.0 - solve_small_steps(terms, highest_useful_level(terms), 1e-3)[2] / best
    assert slack.min() >= -1e-12
    assert (slack.mean(axis=0) <= 1.001 * np.array([7.7626e-3, 1.2605e-3])).all()
    assert short.max() <= 5.55e-5
