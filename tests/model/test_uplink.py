"""Successive interference cancellation: rates, powers and interference against direct sums."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from quedge.model.frame import NO_TIME_SHARES, Allocation, Frame
from quedge.model.terms import chain_objective, frame_terms, powers_of_levels
from quedge.model.uplink import Reception, decoding_order, fill_interference, predicted_outcome, realised_outcome
from tests import oracle
from tests.frames import laid_frame
from tests.strategies import EXTREME_GAINS, distinct_gains, frames, offloads


@st.composite
def frames_with_powers(draw: st.DrawFn) -> tuple[Frame, np.ndarray, np.ndarray, np.ndarray]:
    frame = draw(frames())
    offload = draw(offloads(frame.cell.devices))
    share = np.array(draw(st.lists(st.floats(0.0, 1.0), min_size=offload.size, max_size=offload.size)))
    power = np.where(offload, share * frame.cell.max_transmit_power_w, 0.0)
    return frame, offload, power, np.where(offload, 0.0, share * frame.cell.max_frequency_hz)


def interference_w(
    gain: np.ndarray, offload: np.ndarray, power: np.ndarray, estimate: np.ndarray | None = None, residual: float = 0.0
) -> np.ndarray:
    interference = np.empty(gain.size)
    reception = Reception(decoding_order(gain if estimate is None else estimate), gain, residual)
    fill_interference(reception, offload, power, interference)
    return interference


@given(case=frames_with_powers())
def test_interference_is_the_sum_over_the_devices_decoded_later_eq_24(case: tuple) -> None:
    frame, offload, power, _ = case
    gain = frame.channel_gain
    direct = [
        sum(power[j] * gain[j] for j in range(gain.size) if gain[j] < gain[i] and offload[j]) for i in range(gain.size)
    ]
    np.testing.assert_allclose(interference_w(gain, offload, power), direct, rtol=1e-12, atol=0.0)


@given(case=frames_with_powers())
def test_interference_product_equals_direct_sum_eq_25(case: tuple) -> None:
    frame, offload, power, _ = case
    gain, noise = frame.channel_gain, frame.cell.noise_w
    total = interference_w(gain, offload, power)
    growth = np.where(offload, 1.0 + power * gain / (noise + total), 1.0)  # 1 + SINR
    for i in range(gain.size):
        product = noise * np.prod([growth[j] for j in oracle.decoded_after(gain, i) if offload[j]])
        np.testing.assert_allclose(product, noise + total[i], rtol=1e-12)


@given(frame=frames(), data=st.data())
def test_powers_of_levels_bring_those_levels_eqs_27_28(frame: Frame, data: st.DataObject) -> None:
    devices = frame.cell.devices
    offload = data.draw(offloads(devices))
    share = data.draw(st.lists(st.floats(0.0, 1.0), min_size=devices, max_size=devices))
    terms = frame_terms(*frame)
    level, before = np.ones(devices), 1.0
    for k in range(devices):
        if offload[k] and terms.rate_value[k] > 0.0:  # no solver lifts the level for one to whom bits cost energy only
            highest = min(terms.growth_limit[k] * before, before + terms.step_limit[k])
            before = before + share[k] * (highest - before)
        level[k] = before
    decided, transmit, frequency, rate, power = powers_of_levels(terms, frame, offload, level)
    np.testing.assert_array_equal(decided[terms.device], offload)
    brings = oracle.evaluate(frame, decided, transmit, frequency)
    rounding = 10.0 * oracle.rounding_of_rates(frame)
    assert (np.abs(rate - brings.rate_mbps) <= 1e-9 * brings.rate_mbps + rounding).all()
    assert (
        np.abs(power - brings.power_w) <= 1e-9 * brings.power_w + frame.cell.circuit_energy_j_per_mbit * rounding
    ).all()
    scale = oracle.magnitude(frame, brings)
    assert abs(chain_objective(terms, offload, level) - brings.objective) <= 1e-9 * scale


def assert_charged(
    frame: Frame, offload: np.ndarray, brings: oracle.Charged, rate: np.ndarray, power: np.ndarray
) -> None:
    cut, rounding = oracle.cut_to_limits(frame, offload, brings), oracle.rounding_of_rates(frame)
    assert (np.abs(rate - cut.rate_mbps) <= 1e-12 * cut.rate_mbps + rounding).all()
    uncertain = frame.cell.circuit_energy_j_per_mbit * (1e-12 * brings.rate_mbps + rounding)
    assert (np.abs(power - cut.power_w) <= 1e-12 * cut.power_w + uncertain).all()


@given(case=frames_with_powers())
def test_the_predicted_outcome_follows_eqs_1_to_6_and_17_and_cuts_at_the_queue(case: tuple) -> None:
    frame, offload, transmit, frequency = case
    rate, power, objective = predicted_outcome(frame, Allocation(offload, transmit, frequency, NO_TIME_SHARES))
    brings = oracle.evaluate(frame, offload, transmit, frequency)
    assert_charged(frame, offload, brings, rate, power)
    value = oracle.rate_weights(frame)
    price = frame.cell.nu * frame.energy_queue
    size = value @ rate + price @ power
    assert abs(objective - (value @ rate - price @ power)) <= 1e-12 * size


def test_the_stronger_device_bears_the_interference_of_the_weaker() -> None:
    # N0 = 2e6 Hz · 10^(-17.4) mW/Hz = 7.962143e-15 W. The weak device sends 0.1 W over 1e-13: SINR = 1.255943,
    # 1.818182 log2(2.255943) = 2.134056 Mbit/s. The strong one sends 0.05 W over 1e-11 into N0 + 1e-14 W:
    # SINR = 5e-13 / 1.7962143e-14 = 27.836321 and 1.818182 log2(28.836321) = 8.817846 Mbit/s.
    frame = laid_frame([1e-11, 1e-13], 100.0, 0.0, pqc_power_w=0.02)
    allocation = Allocation(np.array([True, True]), np.array([0.05, 0.1]), np.zeros(2), NO_TIME_SHARES)
    rate, power, _ = predicted_outcome(frame, allocation)
    np.testing.assert_allclose(rate, [8.817846, 2.134056], rtol=1e-5)
    np.testing.assert_allclose(power, [0.07, 0.12])


def estimates(devices: int) -> st.SearchStrategy[np.ndarray]:
    """Factors between estimates and true gains, of which no two are equal."""
    return distinct_gains(devices, (-0.5, 0.5))


@given(case=frames_with_powers(), residual=st.floats(0.0, 1.0), data=st.data())
def test_what_is_left_of_decoded_signals_equals_the_direct_sum(
    case: tuple, residual: float, data: st.DataObject
) -> None:
    frame, offload, power, _ = case
    gain = frame.channel_gain
    estimate = gain * data.draw(estimates(gain.size))
    assume(np.unique(estimate).size == gain.size)
    received = np.where(offload, power * gain, 0.0)
    later = estimate[np.newaxis, :] < estimate[:, np.newaxis]  # [i, j]: j is decoded after i
    direct = (later * received).sum(axis=1) + residual * (later.T * received).sum(axis=1)
    found = interference_w(gain, offload, power, estimate, residual)
    np.testing.assert_allclose(found, direct, rtol=1e-12, atol=0.0)


@given(case=frames_with_powers(), residual=st.floats(0.0, 1.0), data=st.data())
def test_realised_rates_are_those_of_the_true_gains_and_never_more_than_the_queue(
    case: tuple, residual: float, data: st.DataObject
) -> None:
    frame, offload, transmit, frequency = case
    cell, gain = frame.cell, frame.channel_gain
    estimate = gain * data.draw(estimates(gain.size))
    seen, allocation = frame._replace(channel_gain=estimate), Allocation(offload, transmit, frequency, NO_TIME_SHARES)
    rate, power, _ = realised_outcome(seen, allocation, gain, residual)
    interference = interference_w(gain, offload, transmit, estimate, residual)
    uplink = cell.uplink_mbps * np.log2(1.0 + transmit * gain / (cell.noise_w + interference))
    secured = np.minimum(np.maximum(uplink - cell.overhead_mbps, 0.0), cell.max_secured_mbps)
    expected = np.minimum(
        np.where(offload, secured, frequency / cell.cycles_per_mbit), frame.data_queue_mbit / cell.frame_s
    )
    np.testing.assert_allclose(rate, expected, rtol=1e-9, atol=1e-9 * cell.uplink_mbps.max())
    assert (rate * cell.frame_s <= frame.data_queue_mbit * (1.0 + 1e-15)).all()
    circuit = cell.circuit_power_w + cell.circuit_energy_j_per_mbit * rate
    drawn = np.where(offload, transmit + circuit, cell.energy_coefficient * frequency**3)
    np.testing.assert_allclose(power, drawn, rtol=1e-12)


@given(case=frames_with_powers(), share=st.none() | st.floats(0.0, 1.0))
def test_true_estimates_and_perfect_cancellation_realise_what_is_predicted_bit_for_bit(
    case: tuple, share: float | None
) -> None:
    frame, offload, *powers = case
    time_share = NO_TIME_SHARES if share is None else np.where(offload, share / offload.size, 0.0)
    allocation = Allocation(offload, *powers, time_share)
    predicted = predicted_outcome(frame, allocation)
    realised = realised_outcome(frame, allocation, frame.channel_gain.copy(), 0.0)
    for one, other in zip(realised, predicted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_tenth_of_the_stronger_signal_is_left_over_the_weaker() -> None:
    # N0 as above. The strong device, 0.05 W over 1e-11, is decoded first: 8.817846 Mbit/s as above. Of its 5e-13 W a
    # tenth stays: the weak one's SINR is 1e-14 / (7.962143e-15 + 5e-14) = 0.172527, 0.417492 Mbit/s.
    # Estimates that swap the two decode the weak one first, under all of the strong one: 1e-14 / 5.07962143e-13 =
    # 0.0196865, 0.051138 Mbit/s; the strong one meets a tenth of 1e-14 W: 5e-13 / 8.962143e-15 = 55.790225,
    # 10.595583 Mbit/s.
    frame = laid_frame([1e-11, 1e-13], 100.0, 0.0)
    allocation = Allocation(np.array([True, True]), np.array([0.05, 0.1]), np.zeros(2), NO_TIME_SHARES)
    rate, _, _ = realised_outcome(frame, allocation, frame.channel_gain, 0.1)
    np.testing.assert_allclose(rate, [8.817846, 0.417492], rtol=1e-5)
    swapped = frame._replace(channel_gain=np.array([1e-13, 1e-11]))
    rate, _, _ = realised_outcome(swapped, allocation, frame.channel_gain, 0.1)
    np.testing.assert_allclose(rate, [10.595583, 0.051138], rtol=1e-5)


@given(case=frames_with_powers(), data=st.data())
def test_devices_that_transmit_in_turn_meet_no_interference_and_pay_for_their_share(
    case: tuple, data: st.DataObject
) -> None:
    frame, offload, transmit, frequency = case
    share = np.where(offload, data.draw(st.floats(0.0, 1.0)) / offload.size, 0.0)
    rate, power, _ = predicted_outcome(frame, Allocation(offload, transmit, frequency, share))
    brings = oracle.evaluate(frame, offload, transmit, frequency, share)
    assert_charged(frame, offload, brings, rate, power)


def test_a_quarter_of_the_frame_brings_a_quarter_of_the_rate_for_a_quarter_of_the_transmit_power() -> None:
    # N0 as above; 0.1 W over 1e-13 has SINR 1.255943 and 2.134056 Mbit/s over a whole frame
    frame = laid_frame([1e-11, 1e-13], 100.0, 0.0, pqc_power_w=0.02)
    transmit = np.array([0.05, 0.1])
    allocation = Allocation(np.array([True, True]), transmit, np.zeros(2), np.array([0.75, 0.25]))
    rate, power, _ = predicted_outcome(frame, allocation)
    np.testing.assert_allclose(rate[1], 2.134056 / 4.0, rtol=1e-5)
    np.testing.assert_allclose(power, [0.02 + 0.0375, 0.02 + 0.025])


@given(frame=frames(max_devices=100, powers_of_ten=EXTREME_GAINS))
def test_decoding_order_runs_from_the_weakest_to_the_strongest(frame: Frame) -> None:
    order = decoding_order(frame.channel_gain)
    np.testing.assert_array_equal(order, np.argsort(frame.channel_gain, kind="stable"))


def test_equal_gains_keep_their_order_in_small_and_large_cells() -> None:
    for devices in (5, 200):
        np.testing.assert_array_equal(decoding_order(np.full(devices, 1e-10)), np.arange(devices))
