from __future__ import annotations

import io
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from quedge.experiments.figures.runs import Runs, draw_runs, moving_average
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, Random
from quedge.simulation.run import simulate


def drawn(*columns: Runs) -> np.ndarray:
    target = io.BytesIO()
    draw_runs(columns, target)
    target.seek(0)
    return matplotlib.image.imread(target, format="png")


def test_a_figure_has_a_column_a_scenario() -> None:
    runs = Runs(
        "cell",
        {"local": simulate(Scenario(devices=2), AllLocal(), 60), "random": simulate(Scenario(devices=2), Random(), 60)},
    )
    one, two = drawn(runs), drawn(runs, runs)
    assert two.shape[0] == one.shape[0]
    assert two.shape[1] > one.shape[1]
    assert one[..., :3].min() < 0.1  # something black was drawn
    assert one[0, 0].min() == 1.0  # on white


@pytest.mark.parametrize("frames", [1, 2])
def test_a_run_of_few_frames_can_be_drawn(frames: int, tmp_path: Path) -> None:
    quiet = Scenario(devices=1, arrival_rate_mbps=0.0)  # and all of it zero
    draw_runs([Runs("", {"local": simulate(quiet, AllLocal(), frames)})], tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_drawing_leaves_the_users_own_figures_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    drawn(Runs("", {"local": simulate(Scenario(devices=1), AllLocal(), 3)}))
    assert "matplotlib.pyplot" not in sys.modules


def test_nothing_to_draw_is_refused() -> None:
    for columns in ([], [Runs("empty", {})]):
        with pytest.raises(ValueError, match="nothing to draw"):
            draw_runs(columns, io.BytesIO())


def test_a_moving_average_is_the_mean_of_its_window() -> None:
    at, mean = moving_average(np.array([1.0, 2.0, 3.0, 6.0]), 2)
    assert at.tolist() == [0.5, 1.5, 2.5]
    assert mean.tolist() == [1.5, 2.5, 4.5]


def test_a_moving_average_of_a_long_run_has_few_points_and_both_ends() -> None:
    at, mean = moving_average(np.arange(100_000.0), 1)
    assert at.size <= 400
    assert (mean[0], mean[-1]) == (0.0, 99_999.0)


def test_a_window_longer_than_the_run_is_the_whole_run() -> None:
    assert moving_average(np.array([1.0, 3.0]), 10)[1].tolist() == [2.0]
