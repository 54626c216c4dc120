"""From the bound to a decision, and what polishing must reach: no better level for any one offloader."""

from __future__ import annotations

import numpy as np
import pytest

from quedge.model.terms import Terms, chain_objective, frame_terms, highest_level
from quedge.policy.exact.exact import solve_chain
from quedge.policy.exact.path import Offloaders, first_free, follow_bound, lowest_start, polish, room_to_move
from tests import oracle
from tests.frames import drawn_frame, plain
from tests.policy.test_exact_at_scale import tied_chain, wide_ranging_chain
from tests.policy.test_exact_bound import bounded
from tests.policy.test_exact_convex import random_decision

RNG = np.random.default_rng


def test_from_the_lowest_start_a_device_just_reaches_its_end() -> None:
    rng = RNG(1)
    for _ in range(200):
        terms = wide_ranging_chain(rng)
        for k in range(terms.device.size):
            end = 1.0 + float(rng.exponential(10.0))
            start = plain(lowest_start)(terms, k, end)
            assert start <= end
            if start > 0.0:
                assert highest_level(terms, k, start) == pytest.approx(end, rel=1e-12)


def offloaders_of(terms: Terms, offload: np.ndarray, level: np.ndarray) -> Offloaders:
    place = np.flatnonzero(offload)
    alpha, beta = (np.diff(values[place], append=0.0) * -1.0 for values in (terms.rate_value, terms.level_price))
    return Offloaders(place, alpha, beta, np.concatenate([[1.0], level[place]]))


def moved(terms: Terms, offload: np.ndarray, level: np.ndarray, m: int, to: float) -> np.ndarray | None:
    """Levels with one offloader at another, those tied to it at their limits, the rest as they were; None if none may.

    An offloader is tied if it stands at its limit, and so does each one between.
    """
    place = np.flatnonzero(offload)
    own = np.concatenate([[1.0], level[place]])
    free = m + 1
    while free < place.size and own[free + 1] >= highest_level(terms, place[free], own[free]) * (1.0 - 1e-12):
        free += 1
    own[m + 1] = to
    for q in range(m + 1, free):
        own[q + 1] = highest_level(terms, place[q], own[q])
    highest = np.array([highest_level(terms, k, before) for k, before in zip(place, own[:-1], strict=True)])
    if (own[1:] < own[:-1]).any() or (own[1:] > highest * (1.0 + 1e-13)).any():
        return None
    return np.asarray(own[np.cumsum(offload)])


def chains_with_decisions(count: int, seed: int) -> list[tuple[Terms, np.ndarray, np.ndarray]]:
    rng, found = RNG(seed), []
    while len(found) < count:
        terms = wide_ranging_chain(rng)
        offload, level = random_decision(terms, 0.8, rng)
        if offload.any():
            found.append((terms, offload, level))
    return found


def tied_chains(count: int) -> list[tuple[Terms, np.ndarray, np.ndarray]]:
    return [(terms, np.ones(4, np.bool_), level) for terms, level in (tied_chain(RNG(seed)) for seed in range(count))]


def test_an_offloader_has_just_the_room_in_which_all_limits_hold() -> None:
    for terms, offload, level in [*chains_with_decisions(150, 2), *tied_chains(50)]:
        offloaders = offloaders_of(terms, offload, level)
        for m in range(offloaders.place.size):
            low, high = room_to_move(terms, offloaders, m, first_free(terms, offloaders, m))
            if high - low <= 1e-9 * high:
                continue
            inside = low + (high - low) * np.array([1e-9, 0.3, 0.7, 1.0 - 1e-9])
            assert all(moved(terms, offload, level, m, to) is not None for to in inside.tolist())
            outside = (low - 1e-6 * (high - low), high + 1e-6 * (high - low))
            assert all(moved(terms, offload, level, m, to) is None for to in outside)


def test_polishing_never_lowers_the_objective_and_keeps_every_limit() -> None:
    for terms, offload, level in [*chains_with_decisions(300, 3), *tied_chains(100)]:
        before, polished = chain_objective(terms, offload, level), level.copy()
        polish(terms, offload, polished)
        assert chain_objective(terms, offload, polished) >= before - 1e-12 * abs(before)
        start = 1.0
        for k in range(offload.size):
            assert start <= polished[k] <= highest_level(terms, k, start) * (1.0 + 1e-12) if offload[k] else True
            assert offload[k] or polished[k] == start
            start = polished[k]


STEPS = np.array([-1e-2, -1e-4, -1e-6, 1e-6, 1e-4, 1e-2])
"""Relative changes of a level."""


def test_hardly_any_offloader_has_a_better_level_nearby_after_polishing() -> None:
    """Where tied offloaders pull both ways, the levels between may be overlooked: in two decisions of these."""
    improvable = 0
    for terms, offload, level in [*chains_with_decisions(150, 4), *tied_chains(50)]:
        polish(terms, offload, level)
        reached = chain_objective(terms, offload, level) + 1e-10 * float(terms.rate_value.max())
        others = [
            moved(terms, offload, level, m, to)
            for m, k in enumerate(np.flatnonzero(offload))
            for to in (level[k] * (1.0 + STEPS)).tolist()
        ]
        improvable += any(chain_objective(terms, offload, each) > reached for each in others if each is not None)
    assert improvable <= 2


def test_polishing_any_levels_reaches_the_best_ones_of_most_decisions() -> None:
    """It is a local search; what it leaves, the next round of the bound finds."""
    reached = 0
    for seed in range(100):
        frame = drawn_frame(4, seed, pqc_power_w=0.02 * (seed % 2))
        terms = frame_terms(*frame)
        offload, level = random_decision(terms, 0.7, RNG(seed))
        polish(terms, offload, level)
        decided = np.empty(4, np.bool_)
        decided[terms.device] = offload
        frequency = np.where(decided, 0.0, oracle.best_frequencies(frame))
        best = oracle.evaluate(frame, decided, oracle.best_powers(frame, decided), frequency).objective
        objective = chain_objective(terms, offload, level)
        assert objective <= best + 1e-9 * abs(best)
        reached += objective >= best - 1e-9 * abs(best)
    assert reached >= 85


@pytest.mark.parametrize(("cells", "mean"), [(9, 0.022812), (28, 1.217e-3), (224, 8.552e-5)])
def test_the_path_of_the_bound_keeps_all_limits_and_is_worth_nearly_what_the_bound_promises(
    cells: int, mean: float
) -> None:
    short = []
    for seed in range(12):
        frame = drawn_frame(5, seed)
        terms = frame_terms(*frame)
        lattice, bound = bounded(frame, cells)
        offload, level = np.zeros(5, np.bool_), np.ones(5)
        follow_bound(terms, lattice, bound, offload, level)
        start = 1.0
        for k in range(5):
            highest = highest_level(terms, k, start) if offload[k] else start
            assert start <= level[k] <= highest
            start = level[k]
        short.append(1.0 - chain_objective(terms, offload, level) / bound.unused[0])
    assert min(short) >= -1e-12
    assert np.mean(short) <= 1.001 * mean


def test_what_is_found_first_is_the_optimum_however_large_a_gap_is_allowed() -> None:
    """The bound's path, polished, need not be: a round more would find it."""
    for devices in (2, 3, 4):
        for seed in range(8):
            frame = drawn_frame(devices, seed, pqc_power_w=0.02 * (seed % 2))
            _, _, objective, _ = solve_chain(frame_terms(*frame), 0.3)
            assert objective == pytest.approx(oracle.enumeration(frame).objective, rel=1e-9)
