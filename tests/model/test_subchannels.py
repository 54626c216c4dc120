"""Sub-channels in the model: each has its share of bandwidth and noise, and offloaders interfere on their own only."""

from __future__ import annotations

import numpy as np
import pytest

from quedge.model.cell import ANY_SIZE, cell_of
from quedge.model.frame import NO_TIME_SHARES, Allocation, Frame, checked_frame
from quedge.model.scenario import Scenario
from quedge.model.uplink import predicted_outcome, realised_outcome
from tests import oracle

SCENARIO = Scenario(devices=6, subchannels=3, group_size_max=2)


def test_a_sub_channel_has_its_share_of_bandwidth_and_noise() -> None:
    whole, divided = cell_of(Scenario(devices=6)), cell_of(SCENARIO)
    assert divided.noise_w == pytest.approx(whole.noise_w / 3.0)
    np.testing.assert_allclose(divided.uplink_mbps, whole.uplink_mbps / 3.0)
    assert (divided.subchannels, divided.group_size_max) == (3, 2)
    assert (whole.subchannels, whole.group_size_max) == (1, ANY_SIZE)
    assert [cell.is_grouped for cell in (whole, divided, whole._replace(group_size_max=5))] == [False, True, True]


def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Frame, Allocation]:
    cell = cell_of(SCENARIO)
    frame = checked_frame(cell, 10.0 ** rng.uniform(-12, -9, shape), rng.uniform(0, 9, 6), rng.uniform(0, 9, 6))
    subchannel = rng.permutation([0, 0, 1, 1, 2, -1])
    offload = subchannel >= 0
    power = np.where(offload, rng.uniform(0.0, 0.1, 6), 0.0)
    frequency = np.where(offload, 0.0, rng.uniform(0.0, 3e8, 6))
    return frame, Allocation(offload, power, frequency, NO_TIME_SHARES, subchannel)


@pytest.mark.parametrize("shape", [(6,), (6, 3)])
def test_the_outcome_is_that_of_the_equations_on_each_sub_channel(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        frame, allocation = drawn(rng, shape)
        offload, power, frequency, _, subchannel = allocation
        charged = oracle.cut_to_limits(frame, offload, oracle.evaluate_groups(frame, subchannel, power, frequency))
        rate, drawn_w, objective = predicted_outcome(frame, allocation)
        idle = ~offload
        np.testing.assert_allclose(rate[offload], charged.rate_mbps[offload], rtol=1e-11)
        np.testing.assert_allclose(drawn_w[offload], charged.power_w[offload], rtol=1e-11)
        local = np.minimum(charged.rate_mbps[idle], frame.data_queue_mbit[idle])
        np.testing.assert_allclose(rate[idle], local, rtol=1e-11)
        value = frame.data_queue_mbit + frame.cell.v * frame.cell.weight
        price = frame.cell.nu * frame.energy_queue
        assert objective == pytest.approx(float(value @ rate - price @ drawn_w), rel=1e-11)


def test_what_cancellation_leaves_disturbs_those_of_the_same_sub_channel_only() -> None:
    scenario = Scenario(devices=3, subchannels=2, pqc_power_w=0.0)
    cell = cell_of(scenario)
    frame = checked_frame(cell, [1e-10, 2e-10, 4e-10], np.full(3, 1e3), np.zeros(3))
    all_three = np.ones(3, np.bool_)
    allocation = Allocation(all_three, np.full(3, 0.1), np.zeros(3), NO_TIME_SHARES, np.array([0, 1, 0]))
    ideal, left = (realised_outcome(frame, allocation, frame.channel_gain, share).rate_mbps for share in (0.0, 0.5))
    assert left[1] == ideal[1]  # alone
    assert left[2] == ideal[2]  # decoded first
    sinr = 0.1 * 1e-10 / (cell.noise_w + 0.5 * 0.1 * 4e-10)
    assert left[0] == pytest.approx(cell.uplink_mbps[0] * np.log2(1.0 + sinr))


def test_decoding_goes_by_the_gains_on_the_own_sub_channel() -> None:
    cell = cell_of(Scenario(devices=2, subchannels=2))
    gain = np.array([[9e-10, 1e-10], [1e-12, 2e-10]])  # the second is the stronger one on sub-channel 1
    frame = checked_frame(cell, gain, np.full(2, 1e3), np.zeros(2))
    allocation = Allocation(np.ones(2, np.bool_), np.full(2, 0.1), np.zeros(2), NO_TIME_SHARES, np.array([1, 1]))
    rate = predicted_outcome(frame, allocation).rate_mbps
    assert rate[0] == pytest.approx(cell.uplink_mbps[0] * np.log2(1.0 + 0.1 * 1e-10 / cell.noise_w))
    disturbed = 0.1 * 2e-10 / (cell.noise_w + 0.1 * 1e-10)
    assert rate[1] == pytest.approx(cell.uplink_mbps[1] * np.log2(1.0 + disturbed))


def test_gains_of_another_shape_are_refused() -> None:
    cell = cell_of(SCENARIO)
    queues = np.ones(6), np.ones(6)
    with pytest.raises(
        ValueError, match=r"channel_gain: shape \(6, 2\) is not allowed; it must be \(6,\), .* \(6, 3\)"
    ):
        checked_frame(cell, np.ones((6, 2)), *queues)
    with pytest.raises(ValueError, match=r"channel_gain\[1, 2\]: -1.0 is not allowed"):
        checked_frame(cell, np.where(np.arange(18).reshape(6, 3) == 5, -1.0, 1.0), *queues)
    with pytest.raises(ValueError, match=r"data_queue_mbit: shape \(6, 3\) is not allowed"):
        checked_frame(cell, np.ones(6), np.ones((6, 3)), np.ones(6))
