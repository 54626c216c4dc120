"""The networks: compiled forward pass and gradient against PyTorch's, and steps of Adam."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.policy.lydroo.network import Actor, MlpActor, SharedActor, Trainer, Weights, fresh_weights, mlp, shared
from quedge.policy.lydroo.network.network import adam
from quedge.policy.lydroo.replay import Batch
from tests.strategies import permutations

torch = pytest.importorskip("torch")
from tests.policy.lydroo.network.networks import logits_of, loss_and_gradient  # noqa: E402

every_actor = pytest.mark.parametrize(
    "actor", [SharedActor(), SharedActor(5, 7), MlpActor(), MlpActor((6, 4))], ids=repr
)


def untrained(actor: Actor, devices: int = 6, features: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    return fresh_weights(actor.shapes(devices, features), np.random.default_rng(seed))


def some_features(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def frames_of_three_and_five() -> tuple[np.ndarray, np.ndarray, Batch]:
    """Features of a frame of three devices and of one of five, and both as one padded batch."""
    few, many = some_features(3, 9, seed=1), some_features(5, 9, seed=2)
    padded = np.stack([np.vstack([few, np.zeros((2, 9), np.float32)]), many])
    offload = np.array([[1, 0, 1, 0, 0], [0, 1, 0, 0, 1]], dtype=np.float32)
    return few, many, Batch(padded, offload, np.array([3, 5]))


def a_batch(frames: int, devices: int, features: int, seed: int = 1) -> Batch:
    offload = np.random.default_rng(seed).random((frames, devices)) < 0.5
    return Batch(
        some_features(frames, devices, features, seed=seed), offload.astype(np.float32), np.full(frames, devices)
    )


def our_gradient(actor: Actor, weights: Weights, batch: Batch) -> tuple[float, dict[str, np.ndarray]]:
    gradient = {name: np.full_like(values, np.nan) for name, values in weights.items()}
    return actor.gradient(weights, batch, gradient), gradient


def assert_gradients_agree(actor: Actor, weights: Weights, batch: Batch) -> None:
    (loss, ours), (expected, theirs) = our_gradient(actor, weights, batch), loss_and_gradient(actor, weights, batch)
    assert loss == pytest.approx(expected, rel=1e-5)
    for name, slopes in theirs.items():
        np.testing.assert_allclose(ours[name], slopes, rtol=1e-4, atol=1e-6 * (1.0 + abs(slopes).max()), err_msg=name)


def by_network(actor: Actor, weights: Weights, features: np.ndarray) -> np.ndarray:
    theirs = {name: torch.from_numpy(values) for name, values in weights.items()}
    one_frame = torch.from_numpy(features[np.newaxis])
    return logits_of(actor, theirs, one_frame, torch.ones(1, features.shape[0])).numpy()[0]


@every_actor
def test_the_compiled_forward_pass_equals_the_network_s(actor: Actor) -> None:
    weights = untrained(actor)
    for seed in range(20):
        features = some_features(6, 4, seed=seed)
        np.testing.assert_allclose(
            actor.logits(weights, features), by_network(actor, weights, features), rtol=1e-5, atol=1e-6
        )


@given(order=permutations(7))
def test_the_shared_actor_is_equivariant(order: np.ndarray) -> None:
    actor, features = SharedActor(), some_features(7, 9)
    weights = untrained(actor, 7, 9)
    here, there = actor.logits(weights, features), actor.logits(weights, np.ascontiguousarray(features[order]))
    np.testing.assert_allclose(there, here[order], rtol=1e-5, atol=1e-6)


@given(devices=st.integers(1, 40))
def test_the_shared_actor_serves_any_number_of_devices_with_the_same_weights(devices: int) -> None:
    actor = SharedActor()
    weights = untrained(actor, 10, 9)
    features = some_features(devices, 9)
    logits = actor.logits(weights, features)
    assert logits.shape == (devices,)
    np.testing.assert_allclose(logits, by_network(actor, weights, features), rtol=1e-5, atol=1e-6)


def test_a_device_more_changes_the_context_of_the_others() -> None:
    actor, features = SharedActor(), some_features(5, 9)
    weights = untrained(actor, 5, 9)
    assert (actor.logits(weights, features)[:4] != actor.logits(weights, features[:4].copy())).all()


def test_padding_changes_neither_loss_nor_gradient() -> None:
    actor = SharedActor()
    weights = untrained(actor, 5, 9)
    few, many, together = frames_of_three_and_five()
    loss, gradient = our_gradient(actor, weights, together)
    alone = [
        our_gradient(actor, weights, Batch(features[np.newaxis], offload[np.newaxis, :count], np.array([count])))
        for features, offload, count in zip((few, many), together.offload, (3, 5), strict=True)
    ]
    assert loss == pytest.approx((3 * alone[0][0] + 5 * alone[1][0]) / 8, rel=1e-5)
    for name, slopes in gradient.items():
        expected = (3 * alone[0][1][name] + 5 * alone[1][1][name]) / 8
        np.testing.assert_allclose(slopes, expected, rtol=1e-4, atol=1e-6, err_msg=name)


@every_actor
def test_the_gradient_equals_pytorch_s(actor: Actor) -> None:
    for seed in range(10):
        assert_gradients_agree(actor, untrained(actor, seed=seed), a_batch(8, 6, 4, seed))


def test_the_gradient_of_a_padded_batch_equals_pytorch_s() -> None:
    assert_gradients_agree(SharedActor(), untrained(SharedActor(), 5, 9), frames_of_three_and_five()[2])


def test_devices_that_look_alike_share_the_slope_of_their_maximum() -> None:
    batch = a_batch(4, 6, 4)
    batch.features[:, 3] = batch.features[:, 1]
    batch.features[:, 5] = batch.features[:, 1]
    assert_gradients_agree(SharedActor(), untrained(SharedActor()), batch)


@every_actor
def test_no_logit_is_so_large_that_the_loss_is_not_finite(actor: Actor) -> None:
    weights = {name: 100.0 * values for name, values in untrained(actor).items()}
    assert_gradients_agree(actor, weights, a_batch(4, 6, 4))


def test_an_mlp_refuses_another_number_of_devices_with_both_numbers() -> None:
    actor = MlpActor()
    with pytest.raises(ValueError, match=r"devices: 5 is not allowed; this mlp actor was made for 6"):
        actor.logits(untrained(actor), some_features(5, 4))


@pytest.mark.parametrize("units", [0, -3, 2.5, True, 5000])
def test_a_number_of_units_that_is_none_is_refused(units: object) -> None:
    with pytest.raises(ValueError, match="embedding"):
        SharedActor(embedding=units)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hidden"):
        MlpActor(hidden=(units, 4))  # type: ignore[arg-type]


def tiny() -> tuple[MlpActor, dict[str, np.ndarray]]:
    """One device, one feature, one unit a layer: logit = 0.5 · max(2 · max(x, 0) + 1, 0) - 1."""
    weights = {
        "first.weight": [[1.0]], "first.bias": [0.0], "second.weight": [[2.0]], "second.bias": [1.0],
        "output.weight": [[0.5]], "output.bias": [-1.0],
    }  # fmt: skip
    return MlpActor((1, 1)), {name: np.array(values, dtype=np.float32) for name, values in weights.items()}


def test_the_first_step_of_adam_on_the_cross_entropy_equals_a_hand_computation() -> None:
    actor, weights = tiny()
    batch = Batch(np.array([[[3.0]], [[1.0]]], np.float32), np.array([[1.0], [0.0]], np.float32), np.ones(2, np.int64))
    # x = 3: logit 0.5 · 7 - 1 = 2.5, label 1; x = 1: logit 0.5 · 3 - 1 = 0.5, label 0
    loss = (math.log1p(math.exp(-2.5)) + math.log1p(math.exp(0.5))) / 2.0
    trainer = Trainer(actor, weights)
    assert trainer.step(batch, learning_rate=0.01) == pytest.approx(loss, rel=1e-6)
    # dL/dz = (sigmoid(z) - label) / 2
    pulls = np.array([1.0 / (1.0 + math.exp(-2.5)) - 1.0, 1.0 / (1.0 + math.exp(-0.5))]) / 2.0
    gradient = {
        "output.weight": pulls @ [7.0, 3.0], "output.bias": pulls.sum(),
        "second.weight": 0.5 * pulls @ [3.0, 1.0], "second.bias": 0.5 * pulls.sum(),
        "first.weight": pulls @ [3.0, 1.0], "first.bias": pulls.sum(),
    }  # fmt: skip
    _, before = tiny()
    for name, slope in gradient.items():
        step = -0.01 * slope / (abs(slope) + 1e-8)  # the first step of Adam, bias corrected
        assert weights[name].item() == pytest.approx(before[name].item() + step, rel=1e-5)
        assert trainer.moments()[f"{name}:exp_avg"].item() == pytest.approx(0.1 * slope, rel=1e-5)
        assert trainer.moments()[f"{name}:exp_avg_sq"].item() == pytest.approx(0.001 * slope**2, rel=1e-4)


def test_adam_keeps_its_moments_from_step_to_step() -> None:
    actor, weights = tiny()
    batch = Batch(np.array([[[3.0]]], np.float32), np.array([[1.0]], np.float32), np.ones(1, np.int64))
    trainer = Trainer(actor, weights)
    for _ in range(3):
        trainer.step(batch, learning_rate=1e-5)
    assert trainer.moments()["output.bias:step"] == 3.0
    slope = 1.0 / (1.0 + math.exp(-2.5)) - 1.0  # about the same in all three steps
    assert trainer.moments()["output.bias:exp_avg"].item() == pytest.approx((1.0 - 0.9**3) * slope, rel=1e-3)


def test_adam_that_is_built_anew_forgets_its_moments() -> None:
    actor, weights = tiny()
    batch = Batch(np.array([[[3.0]]], np.float32), np.array([[1.0]], np.float32), np.ones(1, np.int64))
    trainer = Trainer(actor, weights, keeps_moments=False)
    for _ in range(3):
        trainer.step(batch, learning_rate=1e-3)
    assert trainer.moments()["output.bias:step"] == 1.0
    assert weights["output.bias"].item() == pytest.approx(-1.0 + 3 * 1e-3, rel=1e-6)  # the gradient is negative


@pytest.mark.parametrize("weight_decay", [0.0, 1e-2])
def test_adam_steps_as_pytorch_s_does(weight_decay: float) -> None:
    rng = np.random.default_rng(5)
    weights = rng.standard_normal(50).astype(np.float32)
    parameter = torch.nn.Parameter(torch.from_numpy(weights.copy()))
    theirs = torch.optim.Adam([parameter], weight_decay=weight_decay)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, 201):
        gradient, rate = rng.standard_normal(50).astype(np.float32), 0.02 / math.sqrt(step)
        theirs.param_groups[0]["lr"] = rate
        parameter.grad = torch.from_numpy(gradient)
        theirs.step()
        adam(weights, gradient, mean, square, float(step), rate, weight_decay)
    np.testing.assert_allclose(weights, parameter.detach().numpy(), rtol=1e-5, atol=1e-6)


@every_actor
def test_training_moves_the_very_weights_that_decide(actor: Actor) -> None:
    weights = untrained(actor)
    batch = a_batch(8, 6, 4, seed=2)
    before = actor.logits(weights, batch.features[0])
    trainer = Trainer(actor, weights)
    losses = [trainer.step(batch, 1e-2) for _ in range(150)]
    assert (actor.logits(weights, batch.features[0]) != before).all()
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("module", [shared, mlp], ids=["shared", "mlp"])
def test_learning_leaves_other_threads_their_turn(module: Any) -> None:
    assert module._gradient.targetoptions["nogil"]
