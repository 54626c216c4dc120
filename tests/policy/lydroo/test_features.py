"""What the actor sees, against the allocator's own answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import quedge
from quedge.allocation.greedy import NomaGreedy
from quedge.model.cell import cell_of
from quedge.model.frame import Frame
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal
from quedge.policy.lydroo.features import MODEL_FEATURES, Inputs, device_features, model_features
from tests import oracle
from tests.frames import drawn_frame, laid_frame
from tests.policies import decide, permuted
from tests.strategies import EXTREME_GAINS, frames, permutations


def only(devices: int, *offloading: int) -> np.ndarray:
    offload = np.zeros(devices, dtype=np.bool_)
    offload[list(offloading)] = True
    return offload


def test_features_tell_what_each_device_brings_alone_and_beside_the_leader() -> None:
    frame = drawn_frame(6, seed=4, pqc_power_w=0.01)
    features = model_features(frame)
    value = oracle.rate_weights(frame)
    price = frame.cell.nu * frame.energy_queue

    def worth(*offloading: int) -> tuple[np.ndarray, float]:
        decision = NomaGreedy().allocate(frame, only(6, *offloading))
        return value * decision.rate_mbps - price * decision.power_w, decision.objective

    local, all_local = worth()
    alone = np.array([worth(i)[0][i] for i in range(6)])
    scale = max(np.abs(alone).max(), local.max())
    advantage = alone - local
    leader = int(np.argmax(advantage))
    np.testing.assert_allclose(features[:, 3], alone / scale, rtol=1e-5)
    np.testing.assert_allclose(features[:, 4], advantage / scale, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(features[:, 7], np.maximum(advantage / advantage[leader], -1.0), rtol=1e-4, atol=1e-6)
    for i in range(6):
        beside = worth(leader, i)[1] - worth(leader)[1] if i != leader else worth(leader)[1] - all_local
        np.testing.assert_allclose(features[i, 8], beside / scale, rtol=1e-4, atol=1e-6)
        sinr = np.expm1(features[i, 5] / 0.2)
        sent = NomaGreedy().allocate(frame, only(6, i)).transmit_power_w[i]
        np.testing.assert_allclose(sinr, sent * frame.channel_gain[i] / frame.cell.noise_w, rtol=1e-4)
        np.testing.assert_allclose(features[i, 6], sent / frame.cell.max_transmit_power_w[i], rtol=1e-4)


def test_the_state_is_seen_on_log_scales() -> None:
    frame = laid_frame([1e-11, 1e-13], [7.0, 0.0], [0.0, 3.0])
    features = model_features(frame)
    # N0 = 7.962143e-15 W: log10(h / N0) = 3.098970 and 1.098970; ln 8 = 2.079442; ln(1 + 60 · 3) = 5.198497
    np.testing.assert_allclose(features[:, 0], [0.098970, -1.901030], rtol=1e-4)
    np.testing.assert_allclose(features[:, 1], [2.079442 / 2.0, 0.0], rtol=1e-5)
    np.testing.assert_allclose(features[:, 2], [0.0, 5.198497 / 4.0], rtol=1e-5)


def test_each_kind_of_inputs_has_its_own_scales() -> None:
    frame = laid_frame([1e-11, 1e-13], [7.0, 0.0], [0.0, 3.0])
    np.testing.assert_array_equal(device_features(frame, Inputs.MODEL), model_features(frame))
    np.testing.assert_array_equal(device_features(frame, Inputs.STATE), model_features(frame)[:, :3])
    np.testing.assert_array_equal(device_features(frame, Inputs.GAIN), model_features(frame)[:, :1])
    linear = device_features(frame, Inputs.LINEAR)  # h · 1e10, Q / 1e4, Y / 1e4
    np.testing.assert_allclose(linear, [[0.1, 7e-4, 0.0], [1e-3, 0.0, 3e-4]], rtol=1e-6)
    for inputs in Inputs:
        assert device_features(frame, inputs).shape == (2, inputs.features)
        assert device_features(frame, inputs).flags.c_contiguous


@given(frame=frames(powers_of_ten=EXTREME_GAINS))
def test_features_of_any_frame_are_finite_and_of_order_one(frame: Frame) -> None:
    features = model_features(frame)
    assert features.shape == (frame.cell.devices, MODEL_FEATURES)
    assert np.isfinite(features).all()
    assert (np.abs(features) <= 30.0).all()
    assert (np.abs(features[:, [3, 6, 7]]) <= 1.0 + 1e-6).all()


def test_a_device_out_of_coverage_has_features_and_gains_nothing() -> None:
    frame = laid_frame([0.0, 1e-10], [5.0, 5.0], [1.0, 1.0])
    features = model_features(frame)
    assert np.isfinite(features).all()
    assert features[0, 0] == -6.0
    assert (features[0, 4:7] == 0.0).all()
    np.testing.assert_array_equal(device_features(frame, Inputs.LINEAR)[0, 0], 0.0)


@given(data=st.data())
def test_permuting_the_devices_permutes_the_features(data: st.DataObject) -> None:
    frame = data.draw(frames(min_devices=2))
    order = data.draw(permutations(frame.cell.devices))
    here, there = model_features(frame), model_features(permuted(frame, order))
    # two devices of the same advantage may change roles as leader
    np.testing.assert_allclose(there[:, :8], here[order][:, :8], rtol=1e-5, atol=1e-6)


def test_an_empty_cell_has_features_without_worth() -> None:
    frame = laid_frame([1e-11, 1e-12], 0.0, 0.0, v=0.0)
    assert decide(AllLocal(), frame).objective == 0.0
    assert (model_features(frame)[:, 3:5] == 0.0).all()


def test_where_nobody_gains_but_for_rounding_nobody_leads() -> None:
    frame = Frame(cell_of(Scenario(devices=4)), np.array([1e-9, 1e-10, 3e-11, 1e-12]), np.full(4, 3.0), np.zeros(4))
    features = model_features(frame)
    assert abs(features[:, 4].max()) < 1e-12  # energy is free, and the CPUs alone empty the queues
    assert (features[:, 7] == -1.0).all()


@pytest.mark.parametrize("inputs", Inputs)
def test_features_have_their_documented_shape_and_type(inputs: Inputs) -> None:
    features = quedge.device_features(drawn_frame(6, seed=4), inputs)
    assert features.shape == (6, inputs.features)
    assert features.dtype == np.float32
    assert features.flags.c_contiguous


def test_features_are_what_the_page_of_exported_networks_says() -> None:
    frame = drawn_frame(6, seed=4, pqc_power_w=0.01, frame_s=0.25, nu=40.0, queue_exponent=0.6)
    cell, gain, data, energy = frame
    local = AllLocal().decide(frame, np.random.default_rng(0))
    worth = oracle.rate_weights(frame) * local.rate_mbps - cell.nu * energy * local.power_w  # L
    alone = [NomaGreedy().allocate(frame, only(6, i)) for i in range(6)]
    value = np.array([decision.objective for decision in alone]) - worth.sum() + worth  # A
    power = np.array([decision.transmit_power_w[i] for i, decision in enumerate(alone)])
    scale, advantage = max(np.abs(value).max(), worth.max()), value - worth
    lead = int(advantage.argmax())
    pairs = np.array([NomaGreedy().allocate(frame, only(6, i, lead)).objective for i in range(6)])
    defined = np.column_stack(
        [
            np.log10(gain / cell.noise_w) - 3.0,
            0.5 * np.log1p(data / 0.25),
            0.25 * np.log1p(40.0 * energy / 0.5),
            value / scale,
            advantage / scale,
            0.2 * np.log1p(power * gain / cell.noise_w),
            power / cell.max_transmit_power_w,
            np.maximum(advantage / advantage.max(), -1.0),
            np.where(np.arange(6) == lead, advantage, pairs - alone[lead].objective) / scale,
        ]
    )
    np.testing.assert_allclose(quedge.device_features(frame, Inputs.MODEL), defined, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(quedge.device_features(frame, Inputs.STATE), defined[:, :3], rtol=1e-5)
    linear = np.column_stack([gain * 1e10, data / 0.25 / 1e4, energy / 0.5 / 1e4])
    np.testing.assert_allclose(quedge.device_features(frame, Inputs.LINEAR), linear, rtol=1e-6)
