"""What environments show of a frame: text, pictures, videos, and a window where there is a display."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quedge.environment import IDS, register_environments
from quedge.errors import MissingExtraError
from quedge.model.scenario import Scenario

gymnasium = pytest.importorskip("gymnasium")
matplotlib = pytest.importorskip("matplotlib")
register_environments()
NAME, CELL = "quedge/Offloading-v0", Scenario(devices=3)


@pytest.fixture
def windows() -> Iterator[list[float]]:
    """For how long windows were shown, in Matplotlib with a backend that has some."""
    import matplotlib.pyplot as plt

    before = plt.get_backend()
    plt.switch_backend("module://tests.environment.windows")
    from tests.environment.windows import shown

    shown.clear()
    yield shown
    plt.switch_backend(before)


@pytest.fixture
def no_windows() -> Iterator[None]:
    """Matplotlib with a backend that has none."""
    import matplotlib.pyplot as plt

    before = plt.get_backend()
    plt.switch_backend("agg")
    yield
    plt.switch_backend(before)


def decided(name: str = NAME, **keys: Any) -> Any:
    env = gymnasium.make(name, scenario=CELL, frames=5, **keys)
    env.reset(seed=1)
    env.step(np.array([0, 1, 0], np.int8))
    return env


@pytest.mark.parametrize("name", IDS)
@pytest.mark.usefixtures("windows")
def test_gymnasium_s_checker_has_nothing_to_say_of_any_mode(name: str) -> None:
    from gymnasium.utils.env_checker import check_env

    check_env(gymnasium.make(name, scenario=CELL, frames=20).unwrapped)


def test_text_has_a_line_of_the_frame_and_one_of_each_device() -> None:
    env = decided(render_mode="ansi", optimum=False)
    queue = env.unwrapped.frame.data_queue_mbit
    head, columns, *devices = env.render().splitlines()
    assert head.startswith(f"frame 1: queue {queue.mean():.2f} Mbit, power ")
    assert head.endswith("1 of 3 devices offload")
    assert columns.split()[:3] == ["device", "queue", "(Mbit)"]
    assert [line.split()[:2] for line in devices] == [[str(i), f"{queue[i]:.2f}"] for i in range(3)]
    assert ["local" in line for line in devices] == [True, False, True]
    env.reset(seed=1)
    assert env.render().startswith("frame 0: queue 0.00 Mbit, power 0.0000 of ")


def test_a_picture_changes_with_the_frame_and_tells_who_offloads() -> None:
    env = decided(render_mode="rgb_array", optimum=False)
    first = env.render()
    assert (first.shape, first.dtype) == ((432, 768, 3), np.uint8)
    np.testing.assert_array_equal(first, env.render())
    env.step(np.array([1, 1, 1], np.int8))
    second = env.render()
    blue = [(picture == (0x00, 0x72, 0xB2)).all(axis=2)[:, :384].sum() for picture in (first, second)]
    assert 0 < blue[0] < blue[1]


def test_a_window_shows_every_frame_and_render_returns_nothing(windows: list[float]) -> None:
    import matplotlib.pyplot as plt

    env = decided(render_mode="human")
    assert windows == [0.1, 0.1]  # of the reset and of the step
    assert env.render() is None
    assert len(plt.get_fignums()) == 1
    env.close()
    assert plt.get_fignums() == []


@pytest.mark.usefixtures("no_windows")
def test_no_window_without_a_display() -> None:
    import matplotlib.pyplot as plt

    wrong = "render_mode: 'human' is not allowed; it must be 'ansi' or 'rgb_array' here: Matplotlib's backend agg opens"
    with pytest.raises(ValueError, match=wrong):
        gymnasium.make(NAME, render_mode="human")
    assert plt.get_fignums() == []


def test_every_cell_of_a_vector_is_shown() -> None:
    keys = {"num_envs": 2, "scenario": CELL, "frames": 5}
    together = gymnasium.make_vec(NAME, render_mode="ansi", **keys)
    apart = gymnasium.make_vec(NAME, render_mode="ansi", vectorization_mode="sync", **keys)
    for env in (together, apart):
        env.reset(seed=1)
        for _ in range(2):
            env.step(np.array([[0, 1, 0], [1, 0, 0]], np.int8))
    assert together.render() == apart.render()
    assert len(set(together.render())) == 2
    assert gymnasium.make_vec(NAME, num_envs=2).render() is None


def test_an_unknown_mode_is_refused() -> None:
    from quedge.environment.offloading import OffloadingEnv
    from quedge.environment.vector import OffloadingVectorEnv

    with pytest.raises(ValueError, match=r"render_mode: 'ascii' .* None or one of ansi, rgb_array, human"):
        OffloadingEnv(render_mode="ascii")
    with pytest.raises(ValueError, match=r"render_mode: 'human' .* None or one of ansi, rgb_array"):
        OffloadingVectorEnv(render_mode="human")


def test_a_video_is_recorded(tmp_path: Path) -> None:
    pytest.importorskip("moviepy", exc_type=ImportError)
    env = gymnasium.make(NAME, scenario=CELL, frames=4, render_mode="rgb_array", optimum=False)
    env = gymnasium.wrappers.RecordVideo(env, str(tmp_path / "videos"), name_prefix="cell")
    env.reset(seed=0)
    for _ in range(4):
        env.step(env.action_space.sample())
    env.close()
    assert [file.name for file in (tmp_path / "videos").iterdir()] == ["cell-episode-0.mp4"]


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"render_mode='rgb_array' needs Matplotlib, .*'quedge\[plot\]'"):
        gymnasium.make(NAME, render_mode="rgb_array")
    gymnasium.make(NAME, render_mode="ansi")
