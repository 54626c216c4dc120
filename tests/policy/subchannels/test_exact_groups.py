"""The policy with a certificate: against all assignments, against the rules, and against `Exact`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from quedge.model.cell import cell_of
from quedge.model.frame import Decision, Frame, Status, checked_frame, packed_frame
from quedge.model.interpreting import interpreted
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.policy.compiled import NOTES, Compiled
from quedge.policy.exact import Exact
from quedge.policy.policy import check_decision
from quedge.policy.subchannels import ExactGroups, Ofdma, RoundRobin, StrongWeak, group_bounds
from quedge.simulation.processes import RicianFading
from tests import oracle

RULES = (Ofdma(), StrongWeak(), RoundRobin(), AllLocal(), BestSingle())


def drawn(devices: int, seed: int, **keys: object) -> Frame:
    """A frame as a run meets it, with flat or selective gains."""
    rng = np.random.default_rng((seed, devices))
    scenario = Scenario(devices=devices, **keys)  # type: ignore[arg-type]
    gain = RicianFading().sample(scenario, 1, rng)[0]
    return checked_frame(cell_of(scenario), gain, rng.exponential(8.0, devices), rng.exponential(3.0, devices))


def decided(policy: object, frame: Frame) -> Decision:
    decision: Decision = policy.decide(frame, np.random.default_rng(0))  # type: ignore[attr-defined]
    check_decision(frame.cell, decision)
    return decision


def assert_says_what_it_brings(frame: Frame, decision: Decision) -> None:
    subchannel = np.where(decision.offload, 0, -1) if decision.subchannel is None else decision.subchannel
    charged = oracle.evaluate_groups(frame, subchannel, decision.transmit_power_w, decision.cpu_frequency_hz)
    cut = oracle.cut_to_limits(frame, decision.offload, charged)
    np.testing.assert_allclose(decision.rate_mbps, cut.rate_mbps, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(decision.power_w, cut.power_w, rtol=1e-9, atol=1e-12)
    assert decision.objective == pytest.approx(cut.objective, rel=1e-9)


CASES = [
    (devices, subchannels, most, selective)
    for (devices, subchannels), most, selective in itertools.product(
        [(3, 2), (4, 3), (5, 1), (6, 2)], [1, 2, None], [False, True]
    )
    if (subchannels, selective) != (1, True) and (devices, most) != (6, None)
]


@pytest.mark.parametrize(("devices", "subchannels", "most", "selective"), CASES)
def test_it_is_within_its_gap_of_the_best_of_all_assignments(
    devices: int, subchannels: int, most: int | None, selective: bool
) -> None:
    for seed in range(2):
        frame = drawn(
            devices, seed, subchannels=subchannels, group_size_max=most, frequency_selective=selective,
            pqc_power_w=0.02 * seed, pqc_overhead_bits=1e5 * seed,
        )  # fmt: skip
        decision = decided(ExactGroups(), frame)
        best = oracle.best_groups(frame)
        assert decision.upper_bound is not None
        assert decision.objective <= best * (1.0 + 1e-9)
        assert decision.upper_bound >= best * (1.0 - 1e-9)
        assert decision.objective >= 0.995 * best  # what local exchange misses
        assert_says_what_it_brings(frame, decision)
        is_closed = decision.upper_bound - decision.objective <= ExactGroups().tolerance * decision.objective
        assert decision.status == (Status.OK if is_closed else Status.GAP_OPEN)


@pytest.mark.parametrize("selective", [False, True])
@pytest.mark.parametrize("policy", RULES, ids=repr)
def test_no_rule_exceeds_it_or_its_bound_and_each_says_what_it_brings(policy: object, selective: bool) -> None:
    for seed, (devices, subchannels, most) in enumerate([(8, 3, 2), (12, 4, 4), (4, 6, 1), (9, 2, None), (7, 1, 2)]):
        frame = drawn(
            devices, seed, subchannels=subchannels, group_size_max=most, frequency_selective=selective and most != 1
        )
        decision, best = decided(policy, frame), decided(ExactGroups(), frame)
        assert_says_what_it_brings(frame, decision)
        assert best.upper_bound is not None
        assert decision.objective <= best.objective * (1.0 + 1e-12)
        assert best.objective <= best.upper_bound


def test_with_one_sub_channel_and_no_limit_it_decides_as_exact() -> None:
    for seed, devices in enumerate((1, 5, 12)):
        frame = drawn(devices, seed)
        ours, exact = decided(ExactGroups(), frame), decided(Exact(), frame)
        assert ours.subchannel is None
        for one, other in zip(ours[:7], exact[:7], strict=True):
            np.testing.assert_array_equal(one, other)


def test_random_assignments_do_not_exceed_the_bound() -> None:
    rng = np.random.default_rng(7)
    for selective in (False, True):
        frame = drawn(16, 1, subchannels=4, group_size_max=3, frequency_selective=selective)
        bound = decided(ExactGroups(), frame).upper_bound
        assert bound is not None
        frequency = oracle.best_frequencies(frame)
        for _ in range(60):
            subchannel = np.full(16, -1)
            subchannel[rng.permutation(16)[:12]] = np.repeat(np.arange(4), 3)
            subchannel[rng.random(16) < rng.random()] = -1
            power = np.zeros(16)
            for k in range(4):
                power += oracle.best_powers(oracle.with_gains_of(frame, k), subchannel == k)
            local = np.where(subchannel >= 0, 0.0, frequency)
            assert oracle.evaluate_groups(frame, subchannel, power, local).objective <= bound


def test_bounds_of_many_frames_are_those_of_each() -> None:
    frames = [drawn(6, seed, subchannels=2, group_size_max=2, frequency_selective=True) for seed in range(2)]
    bounds = group_bounds(
        frames[0].cell, *(np.stack([getattr(frame, name) for frame in frames]) for name in Frame._fields[1:])
    )
    for frame, bound in zip(frames, bounds, strict=True):
        assert decided(ExactGroups(), frame).upper_bound == pytest.approx(bound, rel=1e-11)


def test_more_rounds_and_a_tighter_tolerance_lower_the_bound() -> None:
    frame = drawn(12, 3, subchannels=3, group_size_max=2)
    loose, tight = decided(ExactGroups(rounds=3), frame), decided(ExactGroups(tolerance=1e-6, rounds=300), frame)
    assert loose.upper_bound is not None
    assert tight.upper_bound is not None
    assert tight.upper_bound <= loose.upper_bound
    assert loose.notes["rounds"] <= 3.0 < tight.notes["rounds"] <= 300.0
    with pytest.raises(ValueError, match="tolerance: 0 is not allowed"):
        ExactGroups(tolerance=0)


def test_with_nothing_to_send_nobody_offloads() -> None:
    frame = drawn(5, 0, subchannels=2)._replace(data_queue_mbit=np.zeros(5))
    decision = decided(ExactGroups(), frame)
    assert not decision.offload.any()
    assert decision.subchannel is not None
    assert (decision.subchannel == -1).all()
    assert decision.objective == 0.0


@pytest.mark.parametrize("policy", [ExactGroups(rounds=4), *RULES], ids=repr)
def test_python_decides_as_machine_code_does_bit_for_bit(policy: Compiled) -> None:
    frame = drawn(4, 2, subchannels=2, group_size_max=2, frequency_selective=True)
    decisions = []
    for kernel in (policy.kernel_for(4), interpreted(policy.kernel_for(4))):
        filled = np.zeros(4, np.bool_), np.zeros((5, 4)), np.zeros(NOTES + len(policy.note_names))
        kernel(packed_frame(frame), policy.own_numbers(4), np.empty(0), *filled)
        decisions.append([values.tobytes() for values in filled])
    assert decisions[0] == decisions[1]
