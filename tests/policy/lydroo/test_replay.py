"""The memory of past frames."""

from __future__ import annotations

import numpy as np

from quedge.policy.lydroo.replay import Replay


def remember(replay: Replay, number: int, devices: int = 3) -> None:
    """A frame whose features are its number, and in which every second device offloads."""
    features = np.full((devices, 2), number, dtype=np.float32)
    replay.add(features, np.arange(devices) % 2 == number % 2)


def test_the_oldest_frame_gives_way_to_the_newest() -> None:
    replay = Replay(4, 2)
    for number in range(7):
        remember(replay, number)
        assert len(replay) == min(number + 1, 4)
    held = set(replay.sample(400, np.random.default_rng(0)).features[:, 0, 0].tolist())
    assert held == {3.0, 4.0, 5.0, 6.0}


def test_features_and_decisions_stay_together() -> None:
    replay = Replay(16, 2)
    for number in range(16):
        remember(replay, number)
    batch = replay.sample(64, np.random.default_rng(1))
    for features, offload in zip(batch.features, batch.offload, strict=True):
        assert offload.tolist() == (np.arange(3) % 2 == features[0, 0] % 2).tolist()
    assert (batch.devices == 3).all()


def test_frames_of_fewer_devices_are_padded_and_counted() -> None:
    replay = Replay(8, 2)
    for number, devices in enumerate((3, 5, 2, 5)):
        remember(replay, number, devices)
    batch = replay.sample(50, np.random.default_rng(2))
    counts = {0.0: 3, 1.0: 5, 2.0: 2, 3.0: 5}
    for features, offload, devices in zip(*batch, strict=True):
        count = counts[features[0, 0].item()]
        assert devices == count
        assert (features[count:] == 0.0).all()
        assert (offload[count:] == 0.0).all()


def test_a_larger_frame_leaves_nothing_behind_when_a_smaller_one_takes_its_place() -> None:
    replay = Replay(1, 2)
    remember(replay, 7, devices=4)
    remember(replay, 2, devices=2)
    assert replay.sample(1, np.random.default_rng(0)).features.shape == (1, 2, 2)
    assert replay.state()["features"].shape == (1, 4, 2)
    assert (replay.state()["features"][0, 2:] == 0.0).all()


def test_a_restored_memory_samples_and_forgets_as_the_first_would() -> None:
    first, second = Replay(4, 2), Replay(4, 2)
    for number in range(6):
        remember(first, number)
    second.restore(first.state())
    for number in (6, 7):
        here, there = (memory.sample(10, np.random.default_rng(number)) for memory in (first, second))
        np.testing.assert_array_equal(here.features, there.features)
        np.testing.assert_array_equal(here.offload, there.offload)
        remember(first, number)
        remember(second, number)
