"""Properties that hold for every allocator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.allocation.allocator import Allocator, allocate_best
from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.sca import CvxpyClarabel, NomaSca
from quedge.model.frame import Decision, Frame
from tests import oracle
from tests.frames import drawn_frame, laid_frame
from tests.policies import (
    assert_keeps_limits,
    assert_says_what_it_brings,
    every_allocator,
    every_noma_allocator,
    permuted,
)
from tests.strategies import frames_with_decisions, permutations


class OneAtATime:
    def allocate(self, frame: Frame, offload: np.ndarray) -> Decision:
        return NomaGreedy().allocate(frame, offload)


@every_allocator
@given(case=frames_with_decisions())
def test_every_allocator_keeps_all_limits_and_the_decision(
    allocator: Allocator, case: tuple[Frame, np.ndarray]
) -> None:
    frame, offload = case
    decision = allocator.allocate(frame, offload)
    np.testing.assert_array_equal(decision.offload, offload)
    assert_keeps_limits(frame, decision)


@every_allocator
@given(case=frames_with_decisions())
def test_every_allocator_says_what_its_decision_brings(allocator: Allocator, case: tuple[Frame, np.ndarray]) -> None:
    frame, offload = case
    assert_says_what_it_brings(frame, allocator.allocate(frame, offload))


@every_noma_allocator
@given(case=frames_with_decisions(max_devices=4))
def test_no_noma_allocator_beats_the_best_powers_of_a_decision(
    allocator: Allocator, case: tuple[Frame, np.ndarray]
) -> None:
    frame, offload = case
    frequency = np.where(offload, 0.0, oracle.best_frequencies(frame))
    best = oracle.evaluate(frame, offload, oracle.best_powers(frame, offload), frequency)
    reached = allocator.allocate(frame, offload).objective
    assert reached <= best.objective + 1e-9 * oracle.magnitude(frame, best)


@every_allocator
@given(data=st.data())
def test_permuting_the_devices_permutes_the_allocation(allocator: Allocator, data: st.DataObject) -> None:
    frame, offload = data.draw(frames_with_decisions())
    order = data.draw(permutations(frame.cell.devices))
    here = allocator.allocate(frame, offload)
    there = allocator.allocate(permuted(frame, order), offload[order])
    for ours, theirs in zip(here[:5], there[:5], strict=True):
        np.testing.assert_allclose(theirs, ours[order], rtol=1e-12)
    np.testing.assert_allclose(there.objective, here.objective, rtol=1e-12)


@every_allocator
def test_a_thousand_devices_are_allocated_within_limits(allocator: Allocator) -> None:
    frame = drawn_frame(1000, seed=8)
    decision = allocator.allocate(frame, np.random.default_rng(8).random(1000) < 0.5)
    assert_keeps_limits(frame, decision)
    assert_says_what_it_brings(frame, decision)


@every_allocator
def test_a_device_that_may_not_send_gets_no_rate(allocator: Allocator) -> None:
    frame = laid_frame([1e-11, 1e-10, 1e-9], 10.0, 1.0, max_transmit_power_w=[0.1, 0.0, 0.1])
    decision = allocator.allocate(frame, np.ones(3, dtype=np.bool_))
    assert decision.transmit_power_w[1] == 0.0
    assert decision.rate_mbps[1] == 0.0
    assert (decision.rate_mbps[[0, 2]] > 0.0).all()


@every_allocator
def test_the_best_of_no_decisions_is_refused(allocator: Allocator) -> None:
    with pytest.raises(ValueError, match=r"offloads: .* is not allowed; it must hold at least one decision"):
        allocate_best(allocator, drawn_frame(3, seed=0), np.empty((0, 3), dtype=np.bool_))


def test_the_best_of_no_decisions_is_refused_of_an_allocator_that_knows_one_at_a_time_and_of_other_solvers() -> None:
    for allocator in (OneAtATime(), NomaSca(solver=CvxpyClarabel())):
        with pytest.raises(ValueError, match="offloads: "):
            allocate_best(allocator, drawn_frame(3, seed=0), np.empty((0, 3), dtype=np.bool_))


@every_allocator
@pytest.mark.parametrize("offload", [[1, 0, 1], [True, False], [[True, False, True]], "yes", [0.5, 0.2, 0.1]])
def test_anything_but_a_boolean_for_each_device_is_refused(allocator: Allocator, offload: object) -> None:
    with pytest.raises(ValueError, match=r"offload: .* is not allowed; it must be 3 booleans"):
        allocator.allocate(drawn_frame(3, seed=0), offload)  # type: ignore[arg-type]
