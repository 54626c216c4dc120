"""Estimates and residual interference: the policy decides by what it is told, the world charges the truth."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from quedge.model.cell import cell_of
from quedge.model.frame import NO_TIME_SHARES, Allocation, Decision, Frame
from quedge.model.scenario import Scenario
from quedge.model.uplink import realised_outcome
from quedge.policy.baselines import AllOffload, BestPair, Random
from quedge.policy.exact import Exact
from quedge.policy.policy import Policy, knows_disturbance
from quedge.simulation.measures import summarise
from quedge.simulation.processes import Normals, Recorded, estimate_gain
from quedge.simulation.run import run_in_world, simulate
from quedge.simulation.world import World, draw_world, random_streams
from tests.policies import every_policy

CELL = Scenario(devices=5, pqc_power_w=0.01)
IMPERFECT = dataclasses.replace(CELL, estimate_error=0.1, residual_sic_share=0.01)
FRAMES = 80


def errors_for(gain: np.ndarray, seed: int) -> Normals:
    return Normals(np.random.default_rng(seed), 2, *gain.shape, part=gain.shape[0])


def test_estimates_have_the_moments_of_their_error() -> None:
    # |1 + √ε z|² has mean 1 + ε and variance 2 ε + ε²; its fourth central moment at ε = 0.2 is below 1.4
    gain = np.full((1000, 100), 3e-11)
    ratio = estimate_gain(Scenario(devices=100, estimate_error=0.2), gain, errors_for(gain, 0)) / gain
    variance = 2.0 * 0.2 + 0.2**2
    assert abs(ratio.mean() - 1.2) < 5.0 * np.sqrt(variance / ratio.size)
    assert abs(ratio.var() - variance) < 5.0 * np.sqrt(1.4 / ratio.size)


def test_the_field_is_off_by_the_error_s_share_of_its_power() -> None:
    # a field √h e^{iφ} and an error of the same law around it: what the estimate's power is drawn from
    error, scenario = 0.05, Scenario(devices=1, estimate_error=0.05)
    gain = np.random.default_rng(1).exponential(2e-11, (200_000, 1))
    z = np.random.default_rng(2).standard_normal((2, 200_000, 1)) * np.sqrt(0.5)
    field = np.sqrt(gain) * (1.0 + np.sqrt(error) * (z[0] + 1j * z[1]))
    estimate = estimate_gain(scenario, gain, errors_for(gain, 2))
    np.testing.assert_allclose(estimate, np.abs(field) ** 2, rtol=1e-9)
    assert np.mean(np.abs(field - np.sqrt(gain)) ** 2) / gain.mean() == pytest.approx(error, rel=0.02)


def test_a_device_without_an_error_is_known_exactly() -> None:
    gain = np.random.default_rng(0).exponential(1e-11, (50, 2))
    scenario = Scenario(devices=2, estimate_error=[0.0, 0.3])
    estimate = estimate_gain(scenario, gain, errors_for(gain, 0))
    np.testing.assert_array_equal(estimate[:, 0], gain[:, 0])
    assert (estimate[:, 1] != gain[:, 1]).all()


def test_that_a_device_is_out_of_coverage_is_known_and_no_other_estimate_is_moved_by_it() -> None:
    scenario, gain = Scenario(devices=3, estimate_error=0.3), np.full((50, 3), 1e-10)
    estimate = estimate_gain(scenario, gain, errors_for(gain, 0))
    gone = gain.copy()
    gone[::2, 1] = 0.0
    np.testing.assert_array_equal(
        estimate_gain(scenario, gone, errors_for(gone, 0)), np.where(gone > 0.0, estimate, 0.0)
    )


def test_without_an_error_the_policy_is_told_the_very_truth() -> None:
    world = draw_world(CELL, 10, seed=3)
    assert world.has_perfect_csi
    assert world.part(2, 5).has_perfect_csi
    assert not draw_world(IMPERFECT, 10, seed=3).has_perfect_csi


def test_errors_of_estimates_move_no_other_random_number() -> None:
    true, told = draw_world(CELL, 10, seed=3), draw_world(IMPERFECT, 10, seed=3)
    np.testing.assert_array_equal(told.channel_gain, true.channel_gain)
    np.testing.assert_array_equal(told.arrival_mbit, true.arrival_mbit)
    streams = random_streams(6)
    for stream, child in zip(streams[:3], np.random.SeedSequence(6).spawn(3), strict=True):
        assert stream.random() == np.random.default_rng(child).random()
    fates = np.random.default_rng(np.random.SeedSequence(6, spawn_key=(3,)))
    assert streams.estimates.random() != fates.random()


class Listener:
    """Decides as exact, and keeps the gains that it was told."""

    def __init__(self) -> None:
        self.told: list[np.ndarray] = []

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        self.told.append(frame.channel_gain)
        return Exact().decide(frame, rng)


def test_a_policy_is_told_the_estimates_and_the_trace_keeps_both() -> None:
    listener = Listener()
    trace = simulate(IMPERFECT, listener, FRAMES, seed=1)
    world = draw_world(IMPERFECT, FRAMES, seed=1)
    np.testing.assert_array_equal(listener.told, world.estimated_gain)
    np.testing.assert_array_equal(trace.channel_estimate, world.estimated_gain)
    np.testing.assert_array_equal(trace.channel_gain, world.channel_gain)


@every_policy
def test_the_world_charges_the_truth_and_never_more_than_the_queue(policy: Policy) -> None:
    trace = simulate(IMPERFECT, policy, FRAMES, seed=2)
    cell = cell_of(IMPERFECT)
    for t in range(FRAMES):
        offload, share = trace.offload[t], trace.time_share[t]
        share = NO_TIME_SHARES if (share[offload] == 1.0).all() else share
        allocation = Allocation(offload, trace.transmit_power_w[t], trace.cpu_frequency_hz[t], share)
        frame = Frame(cell, trace.channel_estimate[t], trace.data_queue_mbit[t], trace.energy_queue[t])
        rate, power, objective = realised_outcome(frame, allocation, trace.channel_gain[t], 0.01)
        np.testing.assert_array_equal(trace.rate_mbps[t], rate)
        np.testing.assert_array_equal(trace.power_w[t], power)
        assert trace.objective[t] == objective
        known = 0.01 if knows_disturbance(policy) else 0.0
        predicted = realised_outcome(frame, allocation, trace.channel_estimate[t], known)
        np.testing.assert_array_equal(trace.promised_rate_mbps[t], predicted.rate_mbps)
        assert trace.promised_objective[t] == predicted.objective
    left = trace.data_queue_mbit - trace.rate_mbps * CELL.frame_s
    assert (left >= -1e-12 * trace.data_queue_mbit).all()
    np.testing.assert_allclose(trace.data_queue_mbit[1:], (np.maximum(left, 0.0) + trace.arrival_mbit)[:-1], rtol=1e-12)


def test_the_exact_policy_s_bound_holds_for_what_it_promised() -> None:
    trace = simulate(IMPERFECT, Exact(), FRAMES, seed=3)
    slack = 1e-9 * np.abs(trace.upper_bound)
    assert (trace.promised_objective <= trace.upper_bound + slack).all()
    assert (trace.promised_objective >= trace.upper_bound * (1.0 - 1e-3) - slack).all()
    assert (trace.objective > trace.upper_bound).any()  # a channel that is better than its estimate


def test_with_the_truth_and_perfect_cancellation_what_was_promised_is_what_was_reached() -> None:
    trace = simulate(CELL, BestPair(), FRAMES, seed=1)
    assert trace.promised_objective is trace.objective
    assert trace.promised_rate_mbps is trace.rate_mbps
    summary = summarise(trace)
    assert summary.delivered_ratio == summary.objective_ratio
    assert summary.outage_ratio == 0.0


def test_a_world_whose_estimates_are_true_runs_as_one_without_estimates_bit_for_bit() -> None:
    world = draw_world(CELL, FRAMES, seed=5)
    told = World(world.channel_gain, world.arrival_mbit, world.channel_gain.copy())
    plain, estimated = (run_in_world(CELL, Random(), each, seed=5) for each in (world, told))
    hand_made = run_in_world(CELL, Random(), World(*world[:2]), seed=5)
    for name in ("rate_mbps", "power_w", "data_queue_mbit", "energy_queue", "objective", "promised_objective"):
        np.testing.assert_array_equal(getattr(estimated, name), getattr(plain, name))
        np.testing.assert_array_equal(getattr(hand_made, name), getattr(plain, name))


def test_more_residual_interference_carries_less_and_leaves_who_is_decoded_first_alone() -> None:
    delivered = []
    for share in (0.0, 0.01, 0.3):
        scenario = dataclasses.replace(CELL, residual_sic_share=share)
        trace = simulate(scenario, AllOffload(), 2, seed=4, arrivals=Recorded(np.full((2, 5), 50.0)))
        delivered.append(trace.rate_mbps[1])
    strongest = int(np.argmax(trace.channel_gain[1]))
    assert delivered[0][strongest] == delivered[2][strongest]
    assert delivered[0].sum() > delivered[1].sum() > delivered[2].sum()


def test_the_two_ratios_tell_what_was_decided_from_what_came_of_it() -> None:
    trace = simulate(dataclasses.replace(CELL, residual_sic_share=0.05), Exact(), 400, seed=1)
    summary = summarise(trace)
    assert summary.objective_ratio == pytest.approx(1.0, abs=2e-3)
    assert summary.delivered_ratio < 0.99
    assert 0.0 < summary.outage_ratio < 1.0
    settled = slice(200, None)
    short = trace.rate_mbps[settled] < trace.promised_rate_mbps[settled] * (1.0 - 1e-9)
    assert summary.outage_ratio == short.sum() / trace.offload[settled].sum()


def test_a_recording_s_gains_are_the_truth_and_are_estimated_like_any_other() -> None:
    gain = np.random.default_rng(0).exponential(1e-11, (FRAMES, 5))
    keys: dict[str, Any] = {"doppler_hz": 0.1, "shadowing_db": 8.0, "estimate_error": 0.1}
    trace = simulate(dataclasses.replace(CELL, **keys), Exact(), FRAMES, channel=Recorded(gain))
    np.testing.assert_array_equal(trace.channel_gain, gain)
    assert (trace.channel_estimate != gain).all()


def test_parts_of_a_world_with_estimates_equal_one_run() -> None:
    world = draw_world(IMPERFECT, 30, seed=9)
    whole = run_in_world(IMPERFECT, Random(), world, seed=9)
    first = run_in_world(IMPERFECT, Random(), world.part(0, 12), seed=9)
    rest = run_in_world(IMPERFECT, Random(), world.part(12, 30), seed=9, start=first.end)
    for name in ("rate_mbps", "promised_rate_mbps", "channel_estimate", "promised_objective"):
        np.testing.assert_array_equal(np.concatenate([getattr(first, name), getattr(rest, name)]), getattr(whole, name))
