"""The terms of a chain against the physics that they stand for, device by device."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.model.frame import Frame
from quedge.model.terms import frame_terms, highest_level, stationary_level, step_objective
from tests import oracle
from tests.frames import laid_frame
from tests.strategies import ORDINARY_GAINS, frames

ORDINARY = frames(max_devices=4, powers_of_ten=ORDINARY_GAINS)


def best_alone(frame: Frame, i: int) -> float:
    """What device i brings at most as the only offloader, over a fine grid of powers and the best power itself."""
    devices, nothing = frame.cell.devices, np.zeros(frame.cell.devices)
    alone, everyone = np.arange(devices) == i, np.ones(devices, np.bool_)
    clearing = np.expm1(min(oracle.most_bits(frame)[i], 150.0) * np.log(2.0)) * frame.cell.noise_w
    power = np.linspace(0.0, 1.0, 41) * min(frame.cell.max_transmit_power_w[i], clearing / frame.channel_gain[i])
    tried = np.append(power, oracle.best_powers(frame, alone)[i])
    brings = [oracle.evaluate(frame, everyone, np.where(alone, each, 0.0), nothing).objective for each in tried]
    return max(brings) - oracle.evaluate(frame, everyone, nothing, nothing).objective


@given(frame=ORDINARY)
def test_a_device_sends_nothing_just_where_it_could_not_pay_for_its_overhead_as_the_only_one(frame: Frame) -> None:
    terms = frame_terms(*frame)
    for k, i in enumerate(terms.device.tolist()):
        gain, size = best_alone(frame, i), terms.rate_value[k] * (1.0 + terms.overhead[k])
        if gain > 1e-9 * size:
            assert highest_level(terms, k, 1.0) > 1.0
        if terms.overhead[k] > 0.0 and gain <= 0.0:
            assert terms.growth_limit[k] == 1.0


@given(frame=ORDINARY, start=st.floats(1.0, 1e3))
def test_a_device_lifts_the_level_by_what_its_queue_and_its_power_allow(frame: Frame, start: float) -> None:
    terms, cell = frame_terms(*frame), frame.cell
    for k, i in enumerate(terms.device.tolist()):
        by_power = start + cell.max_transmit_power_w[i] * frame.channel_gain[i] / cell.noise_w
        by_queue = start * 2.0 ** min(oracle.most_bits(frame)[i], 150.0)
        lifted = highest_level(terms, k, start)
        assert lifted == pytest.approx(min(by_power, by_queue), rel=1e-12) or terms.growth_limit[k] == 1.0


@given(frame=ORDINARY, before=st.floats(1.0, 100.0), growth=st.floats(1.0, 50.0))
def test_a_step_adds_what_its_rate_is_worth_less_what_its_power_costs(
    frame: Frame, before: float, growth: float
) -> None:
    terms, cell = frame_terms(*frame), frame.cell
    for k, i in enumerate(terms.device.tolist()):
        worth, price = oracle.rate_weights(frame)[i], cell.nu * frame.energy_queue[i]
        if worth <= price * cell.circuit_energy_j_per_mbit[i]:
            continue  # its bits cost more than they are worth: no solver has it send any
        rate = max(cell.uplink_mbps[i] * np.log2(growth) - cell.overhead_mbps[i], 0.0)
        transmit = before * (growth - 1.0) * cell.noise_w / frame.channel_gain[i]
        power = transmit + cell.circuit_power_w[i] + cell.circuit_energy_j_per_mbit[i] * rate
        size = worth * cell.uplink_mbps[i] * (1.0 + np.log2(growth)) + price * power
        size += worth * cell.overhead_mbps[i]
        assert abs(step_objective(terms, k, before, before * growth) - (worth * rate - price * power)) <= 1e-12 * size


@given(frame=ORDINARY)
def test_at_its_stationary_level_a_device_s_own_part_stops_rising(frame: Frame) -> None:
    terms = frame_terms(*frame)
    for k in range(terms.device.size):
        alpha, beta, level = terms.rate_value[k], terms.level_price[k], stationary_level(terms, k)
        if alpha == 0.0:
            assert level == 0.0
        elif beta == 0.0:
            assert level == np.inf
        else:
            assert alpha / level == pytest.approx(beta, rel=1e-12)


def test_an_overhead_just_paid_for_is_sent_and_one_just_not_is_not() -> None:
    # One device without price on energy: any bit beyond the overhead is worth something. 2 Mbit/s / 1.1 over SINR
    # 0.1 W · 1e-12 / 7.962143e-15 W = 12.559432 carry 1.818182 log2(13.559432) = 6.838597 Mbit/s.
    for overhead_bits, sends in ((6.838e6, True), (6.839e6, False)):
        frame = laid_frame([1e-12], 100.0, 0.0, pqc_overhead_bits=overhead_bits)
        assert (frame_terms(*frame).growth_limit[0] > 1.0) == sends
