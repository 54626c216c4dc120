"""The greedy backward induction against searches that know only eqs. (1)-(6)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from quedge.allocation.greedy import NomaGreedy, greedy_levels, greedy_objectives
from quedge.model.frame import Frame
from quedge.model.terms import frame_terms
from tests import oracle
from tests.frames import drawn_frame, laid_frame
from tests.strategies import ORDINARY_GAINS, frames


@pytest.mark.parametrize("seed", range(10))
def test_each_device_takes_the_best_power_of_its_own_part_on_a_fine_grid(seed: int) -> None:
    frame = drawn_frame(5, seed, pqc_power_w=0.03)
    cell, gain = frame.cell, frame.channel_gain
    power = NomaGreedy().allocate(frame, np.ones(5, dtype=np.bool_)).transmit_power_w
    for i in range(5):
        floor = cell.noise_w + sum(power[j] * gain[j] for j in oracle.decoded_after(gain, i))
        highest = min(
            cell.max_transmit_power_w[i],
            np.expm1(frame.data_queue_mbit[i] * np.log(2.0) / (cell.uplink_mbps[i] * cell.frame_s)) * floor / gain[i],
        )
        tried = np.append(np.linspace(0.0, highest, 20_001), power[i])
        value = oracle.rate_weights(frame)[i]
        own = value * cell.uplink_mbps[i] * np.log2(1.0 + tried * gain[i] / floor) - (
            cell.nu * frame.energy_queue[i] * tried
        )
        assert power[i] <= highest * (1.0 + 1e-9)
        assert own[-1] >= own.max() - 1e-9 * abs(own.max())
        assert own[-1] <= own[:-1].max() + 1e-3 * abs(own.max())  # the grid finds the same, so it can tell


def test_the_first_power_is_the_clipped_stationary_point_eqs_37_38() -> None:
    # α = (6 + 20 · 1.5) · 2 / 1.1 / ln 2 = 94.43; β = 60 · 5 · N0 / 1e-11 = 0.23886 with N0 = 7.962e-15 W;
    # α / β = 395.3, but P_max allows 1 + 0.1e-11 / N0 = 126.6 and the queue 2^(6 / 1.818) = 9.849: the queue decides.
    by_queue = NomaGreedy().allocate(laid_frame([1e-11], 6.0, 5.0), np.array([True]))
    assert by_queue.transmit_power_w[0] == pytest.approx(8.849155 * 7.962143e-4, rel=1e-6)
    assert by_queue.rate_mbps[0] == pytest.approx(6.0)
    # With 40 Mbit the stationary point, α = 183.61, and Y = 50, β = 2.38864: α / β = 76.87 lies below both limits.
    stationary = NomaGreedy().allocate(laid_frame([1e-11], 40.0, 50.0), np.array([True]))
    assert stationary.transmit_power_w[0] == pytest.approx(75.868 * 7.962143e-4, rel=1e-4)
    # Without any price on energy, P_max decides.
    by_power = NomaGreedy().allocate(laid_frame([1e-11], 40.0, 0.0), np.array([True]))
    assert by_power.transmit_power_w[0] == pytest.approx(0.1)


@given(frame=frames(powers_of_ten=ORDINARY_GAINS))
def test_the_last_decoded_device_takes_its_own_best_whatever_the_others_do(frame: Frame) -> None:
    weakest = int(np.argmin(frame.channel_gain))
    everyone, alone = np.ones(frame.cell.devices, dtype=np.bool_), np.zeros(frame.cell.devices, dtype=np.bool_)
    alone[weakest] = True
    together = NomaGreedy().allocate(frame, everyone).transmit_power_w[weakest]
    assert together == NomaGreedy().allocate(frame, alone).transmit_power_w[weakest]


def test_many_decisions_in_one_call_equal_one_by_one() -> None:
    frame = drawn_frame(6, seed=2)
    offload = np.random.default_rng(2).random((20, 6)) < 0.5
    terms = frame_terms(*frame)
    batch, level = np.empty(20), np.empty(6)
    greedy_objectives(terms, offload, level, batch)
    for candidate, objective in zip(offload, batch, strict=True):
        assert objective == greedy_levels(terms, candidate, level)
        decision = np.zeros(6, dtype=np.bool_)
        decision[terms.device] = candidate  # candidates are in the chain's order
        assert NomaGreedy().allocate(frame, decision).objective == pytest.approx(objective, rel=1e-12)
