"""Properties that hold for every policy."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.model.frame import Frame, Status
from quedge.policy.auto import Auto
from quedge.policy.baselines import AllLocal, AllOffload, BestPair, BestSingle, Random
from quedge.policy.coordinate_descent import LyCd
from quedge.policy.exact import Exact
from quedge.policy.policy import Policy
from tests import oracle
from tests.frames import drawn_frame, laid_frame
from tests.policies import (
    POLICIES,
    assert_keeps_limits,
    assert_says_what_it_brings,
    decide,
    every_policy,
    every_policy_free_of_chance,
    every_policy_of_the_objective,
    permuted,
)
from tests.strategies import EXTREME_GAINS, frames, permutations


@every_policy
@given(frame=frames())
def test_every_policy_keeps_all_limits(policy: Policy, frame: Frame) -> None:
    assert_keeps_limits(frame, decide(policy, frame))


@every_policy
@given(frame=frames())
def test_every_policy_says_what_its_decision_brings(policy: Policy, frame: Frame) -> None:
    assert_says_what_it_brings(frame, decide(policy, frame))


@every_policy
@given(frame=frames(powers_of_ten=EXTREME_GAINS))
def test_every_policy_answers_frames_with_gains_from_nothing_to_lossless(policy: Policy, frame: Frame) -> None:
    decision = decide(policy, frame)
    assert_keeps_limits(frame, decision)
    assert_says_what_it_brings(frame, decision)


@every_policy_free_of_chance
@given(data=st.data())
def test_permuting_the_devices_permutes_the_answer(policy: Policy, data: st.DataObject) -> None:
    frame = data.draw(frames(min_devices=2))
    order = data.draw(permutations(frame.cell.devices))
    here, there = decide(policy, frame), decide(policy, permuted(frame, order))
    np.testing.assert_array_equal(there.offload, here.offload[order])
    np.testing.assert_allclose(there.transmit_power_w, here.transmit_power_w[order], rtol=1e-12)
    np.testing.assert_allclose(there.cpu_frequency_hz, here.cpu_frequency_hz[order], rtol=1e-12)
    np.testing.assert_allclose(there.objective, here.objective, rtol=1e-12)
    assert there.status == here.status
    if here.upper_bound is not None:
        np.testing.assert_allclose(there.upper_bound, here.upper_bound, rtol=1e-12)


@every_policy_of_the_objective
@given(frame=frames(max_devices=1))
def test_a_single_device_gets_the_closed_form(policy: Policy, frame: Frame) -> None:
    if isinstance(policy, Auto):
        return  # its weights are not those of (17)
    cell = frame.cell
    gain, energy = float(frame.channel_gain[0]), float(frame.energy_queue[0])
    value, price = float(oracle.rate_weights(frame)[0]), cell.nu * energy
    uplink, noise_to_gain = float(cell.uplink_mbps[0]), cell.noise_w / gain
    secured = max(value - price * float(cell.circuit_energy_j_per_mbit[0]), 0.0)
    overhead = float(cell.overhead_mbps[0])
    most_bits = min(float(oracle.most_bits(frame)[0]), 900.0)
    sinr = min(2.0**most_bits - 1.0, float(cell.max_transmit_power_w[0]) / noise_to_gain)
    if price > 0.0:  # eq. (36): the stationary point, clipped
        with np.errstate(over="ignore"):  # next to no price: the point lies beyond every limit
            sinr = min(sinr, max(secured * uplink / (np.log(2.0) * price * noise_to_gain) - 1.0, 0.0))
    sent = uplink * np.log1p(sinr) / np.log(2.0)
    gained = max(secured * (sent - overhead) - price * sinr * noise_to_gain, 0.0)  # else it sends nothing
    offloading = gained - price * float(cell.circuit_power_w[0])
    nothing = np.zeros(1)
    locally = oracle.evaluate(frame, np.zeros(1, dtype=np.bool_), nothing, oracle.best_frequencies(frame)).objective
    decision = decide(policy, frame)
    expected = offloading if decision.offload[0] else locally
    if isinstance(policy, (BestSingle, BestPair, LyCd, Exact)):
        expected = max(offloading, locally)
    rounding = 1e-9 * (value * (sent + overhead + uplink * 1e-6) + abs(expected) + price * float(decision.power_w[0]))
    assert abs(decision.objective - expected) <= rounding + (
        policy.tolerance * abs(expected) if isinstance(policy, Exact) else 0.0
    )


def another_length(frame: Frame, factor: float) -> Frame:
    """The same frame, `factor` times as long, as the cell of the longer one sees it; docs/model.md."""
    cell = frame.cell._replace(
        frame_s=frame.cell.frame_s * factor, v=frame.cell.v * factor, nu=frame.cell.nu * math.sqrt(factor)
    )
    return Frame(cell, frame.channel_gain, frame.data_queue_mbit * factor, frame.energy_queue * math.sqrt(factor))


@every_policy
@given(frame=frames())
def test_a_frame_of_a_quarter_of_the_length_is_decided_alike_to_the_bit(policy: Policy, frame: Frame) -> None:
    here, there = decide(policy, frame), decide(policy, another_length(frame, 0.25))
    for name in ("offload", "transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name), err_msg=name)
    assert there.objective == 0.25 * here.objective
    assert there.upper_bound == (None if here.upper_bound is None else 0.25 * here.upper_bound)


@pytest.mark.parametrize("policy", [AllOffload(), BestPair(), Exact()], ids=repr)
@pytest.mark.parametrize("frame_s", [0.1, 0.01])
def test_a_shorter_frame_of_the_paper_s_cell_is_decided_alike(policy: Policy, frame_s: float) -> None:
    for seed in range(50):
        second = drawn_frame(10, seed)
        gain, queue, energy = second[1:]
        here = decide(policy, second)
        there = decide(policy, laid_frame(gain, queue * frame_s, energy * math.sqrt(frame_s), frame_s=frame_s))
        np.testing.assert_array_equal(there.offload, here.offload)
        for name in ("transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w"):
            np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-12, err_msg=name)
        assert there.objective == pytest.approx(frame_s * here.objective, rel=1e-12)


def test_the_fixed_policies_decide_what_they_are_called() -> None:
    frame = drawn_frame(6, seed=1)
    assert not decide(AllLocal(), frame).offload.any()
    assert decide(AllOffload(), frame).offload.all()
    assert decide(BestSingle(), frame).offload.sum() <= 1
    assert decide(BestPair(), frame).offload.sum() <= 2
    assert decide(Random(probability=1.0), frame).offload.all()
    assert not decide(Random(probability=0.0), frame).offload.any()


@every_policy
def test_empty_data_queues_bring_nothing_and_cost_no_power(policy: Policy) -> None:
    frame = laid_frame([3e-11, 1e-12, 4e-10, 2e-9], 0.0, [0.0, 5.0, 1.0, 0.0])
    decision = decide(policy, frame)
    assert (decision.rate_mbps == 0.0).all()
    assert (decision.transmit_power_w == 0.0).all()
    assert (decision.cpu_frequency_hz == 0.0).all()
    assert decision.objective == 0.0


@every_policy
def test_an_empty_cell_is_answered_when_rate_has_no_weight_at_all(policy: Policy) -> None:
    frame = laid_frame([3e-11, 1e-12, 4e-10], 0.0, 0.0, v=0.0)  # every objective is zero
    decision = decide(policy, frame)
    assert_keeps_limits(frame, decision)
    assert decision.objective == 0.0


@every_policy_of_the_objective
def test_without_energy_queues_every_device_works_at_a_limit(policy: Policy) -> None:
    frame = laid_frame([3e-11, 1e-12, 4e-10, 2e-9], [2.0, 40.0, 0.5, 9.0], 0.0)
    cell = frame.cell
    decision = decide(policy, frame)
    if isinstance(policy, Exact):
        assert decision.objective >= oracle.enumeration(frame).objective * (1.0 - policy.tolerance)
        return  # it may hold a device's power back for those decoded before it
    sends_all = np.isclose(decision.rate_mbps * cell.frame_s, frame.data_queue_mbit, rtol=1e-9)
    full_power = decision.transmit_power_w >= cell.max_transmit_power_w * (1.0 - 1e-9)
    full_clock = decision.cpu_frequency_hz >= cell.max_frequency_hz * (1.0 - 1e-12)
    assert (sends_all | full_power | full_clock).all()


@every_policy
def test_one_dominant_gain_is_answered_within_limits(policy: Policy) -> None:
    frame = laid_frame([2e-13, 5e-13, 1e-3, 3e-13, 1e-13], [4.0, 8.0, 30.0, 1.0, 20.0], [3.0, 0.0, 6.0, 1.0, 2.0])
    decision = decide(policy, frame)
    assert_keeps_limits(frame, decision)
    assert_says_what_it_brings(frame, decision)
    if isinstance(policy, (BestSingle, BestPair, Exact)):
        assert decision.offload[2]  # a nearly free channel is always worth taking


@every_policy
def test_gains_of_1e_20_and_1_are_answered_within_limits(policy: Policy) -> None:
    frame = laid_frame([1e-20, 1.0, 2e-20, 0.5], [4.0, 8.0, 3.0, 60.0], [3.0, 5.0, 0.0, 1.0])
    decision = decide(policy, frame)
    assert_keeps_limits(frame, decision)
    assert_says_what_it_brings(frame, decision)


@every_policy
def test_equal_gains_are_decoded_from_the_last_listed_to_the_first(policy: Policy) -> None:
    frame = laid_frame([2e-11, 2e-11, 5e-12, 2e-11], [9.0, 14.0, 3.0, 25.0], [3.0, 0.5, 2.0, 6.0])
    decision = decide(policy, frame)
    assert_keeps_limits(frame, decision)
    assert_says_what_it_brings(frame, decision)  # by a direct sum over the weaker and the equal ones listed before


@every_policy
@pytest.mark.parametrize("energy", [5e-324, 1e-300, 1e-100])
def test_an_energy_queue_next_to_zero_is_answered_like_an_empty_one(policy: Policy, energy: float) -> None:
    gain, queue = [3e-11, 1e-12, 4e-10], [2.0, 40.0, 9.0]
    almost, empty = (decide(policy, laid_frame(gain, queue, price)) for price in (energy, 0.0))
    np.testing.assert_array_equal(almost.offload, empty.offload)
    np.testing.assert_allclose(almost.transmit_power_w, empty.transmit_power_w, rtol=1e-9)
    assert almost.objective == pytest.approx(empty.objective, rel=1e-12)


@every_policy
def test_a_thousand_devices_are_answered_within_limits(policy: Policy) -> None:
    frame = drawn_frame(1000, seed=3)
    decision = decide(policy, frame)
    assert_keeps_limits(frame, decision)
    assert_says_what_it_brings(frame, decision)


@every_policy
def test_no_policy_changes_the_frame(policy: Policy) -> None:
    frame = drawn_frame(7, seed=4)
    before = copy.deepcopy(frame)
    decide(policy, frame)
    for here, there in zip((*frame.cell, *frame[1:]), (*before.cell, *before[1:]), strict=True):
        np.testing.assert_array_equal(here, there)


@given(frame=frames())
def test_more_offloaders_to_choose_from_are_never_worse(frame: Frame) -> None:
    local, single, pair = (decide(policy, frame).objective for policy in (AllLocal(), BestSingle(), BestPair()))
    assert local <= single <= pair


@given(frame=frames(max_devices=6))
def test_exact_is_at_least_the_best_pair_within_its_tolerance(frame: Frame) -> None:
    exact = decide(Exact(tolerance=1e-3), frame)
    pair = decide(BestPair(), frame).objective
    assert exact.status == Status.GAP_OPEN or exact.objective >= pair * (1.0 - 1e-3)


def test_the_tables_hold_every_policy_of_the_package() -> None:
    import quedge

    public = {name: getattr(quedge, name) for name in quedge.__all__}
    deciding = {name: each for name, each in public.items() if hasattr(each, "decide") or hasattr(each, "new_agent")}
    kinds = {name for name, each in deciding.items() if isinstance(each, type)}
    kinds -= {"Policy", "Learner", "LydrooAgent", "TrainedLydroo"}  # protocols, and what a learner begins and leaves
    assert kinds == {type(policy).__name__ for policy in POLICIES}
    assert all(each in POLICIES for each in deciding.values() if not isinstance(each, type))
