from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.allocation.greedy import NomaGreedy
from quedge.model.frame import Frame
from quedge.model.terms import Terms, frame_terms, highest_level, step_objective
from quedge.policy.baselines import AllLocal
from quedge.policy.dual import best_part
from quedge.policy.exact import Exact
from quedge.policy.exact.span import highest_useful_level
from quedge.policy.lagrangian import Lagrangian
from quedge.policy.rounding import RandomRounding, relaxed_decision
from tests import oracle
from tests.frames import drawn_frame
from tests.policies import decide
from tests.strategies import EXTREME_GAINS, frames, numbers


@given(frame=frames(max_devices=5), rounds=st.sampled_from([1, 3, 60]))
def test_the_dual_bound_is_never_below_the_optimum(frame: Frame, rounds: int) -> None:
    bound = decide(Lagrangian(rounds), frame).upper_bound
    assert bound is not None
    assert bound >= decide(Exact(tolerance=1e-6), frame).objective


@given(frame=frames(powers_of_ten=EXTREME_GAINS))
def test_the_dual_bound_is_valid_whatever_the_gains(frame: Frame) -> None:
    bound = decide(Lagrangian(), frame).upper_bound
    assert bound is not None
    assert bound >= decide(Exact(), frame).objective


def test_more_rounds_never_give_a_higher_bound_nor_a_worse_decision() -> None:
    for seed in range(30):
        few, more = (decide(Lagrangian(rounds), drawn_frame(8, seed)) for rounds in (5, 80))
        assert few.upper_bound is not None
        assert more.upper_bound is not None
        assert more.upper_bound <= few.upper_bound
        assert more.objective >= few.objective >= decide(AllLocal(), drawn_frame(8, seed)).objective


def on_a_grid(terms: Terms, k: int, reward: float, price: float, highest: float) -> float:
    """The best part of a device over many pairs of levels."""
    levels = np.exp(np.linspace(0.0, math.log(highest), 60))
    best = -math.inf
    for before in levels if k > 0 else [1.0]:
        paid = (reward - price) * math.log(before)
        best = max(best, terms.local_value[k] + paid)
        top = min(highest_level(terms, k, before), highest)
        for after in (*levels[(levels >= before) & (levels <= top)], top):
            told = reward * math.log(before) - price * math.log(after)
            best = max(best, step_objective(terms, k, before, after) + told)
    return best


@given(frame=frames(max_devices=3), data=st.data())
def test_the_closed_forms_are_at_least_the_best_of_a_grid_and_within_the_limits(
    frame: Frame, data: st.DataObject
) -> None:
    terms = frame_terms(*frame)
    highest = highest_useful_level(terms)
    scale = float(terms.rate_value.max())
    for k in range(frame.cell.devices):
        reward = data.draw(numbers(0.0, 2.0)) * scale if k > 0 else 0.0
        price = data.draw(numbers(0.0, 2.0)) * scale
        part = best_part(terms, k, reward, price, highest)
        rounding = 1e-9 * (scale * (1.0 + math.log(highest)) + abs(part.value))
        assert part.value >= on_a_grid(terms, k, reward, price, highest) - rounding
        assert part.after <= highest_level(terms, k, part.before) * (1.0 + 1e-9) or not part.offload
        assert 1.0 <= part.before <= part.after


def test_a_relaxed_decision_without_doubt_is_rounded_to_itself() -> None:
    for seed in range(20):
        frame = drawn_frame(6, seed)
        relaxed = relaxed_decision(frame, 60)
        assert ((relaxed >= 0.0) & (relaxed <= 1.0)).all()
        offload = decide(RandomRounding(), frame).offload
        assert offload[relaxed == 1.0].all()
        assert not offload[relaxed == 0.0].any()


def test_rounding_takes_the_best_of_its_draws() -> None:
    frame = drawn_frame(6, seed=3)
    relaxed = relaxed_decision(frame, 60)
    drawn = np.random.default_rng(7).random((5, 6)) < relaxed
    best = max(NomaGreedy().allocate(frame, offload).objective for offload in drawn)
    assert RandomRounding(draws=5).decide(frame, np.random.default_rng(7)).objective == best


def test_many_draws_come_close_to_the_best_decision_that_rounding_can_give() -> None:
    frame = drawn_frame(4, seed=5)
    possible = relaxed_decision(frame, 60) > 0.0
    allowed = (np.array(bits) for bits in itertools.product((False, True), repeat=4))
    best = max(NomaGreedy().allocate(frame, x).objective for x in allowed if not (x & ~possible).any())
    assert decide(RandomRounding(draws=2_000), frame).objective == pytest.approx(best)
    assert best <= oracle.enumeration(frame).objective * (1.0 + 1e-9)


@pytest.mark.parametrize("count", [0, 10_001, True, 2.0, "many"])
def test_a_bad_number_of_rounds_or_draws_is_refused(count: int) -> None:
    for make in (Lagrangian, lambda rounds: RandomRounding(rounds=rounds)):
        with pytest.raises(ValueError, match=r"rounds: .* is not allowed; it must be an integer, from 1 to 10,000"):
            make(count)
    with pytest.raises(ValueError, match=r"draws: .* is not allowed"):
        RandomRounding(draws=count)
