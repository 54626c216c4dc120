"""Pictures for papers and notebooks: what is drawn is what was run, and what cannot be drawn is refused."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

import quedge
from quedge.errors import MissingExtraError
from quedge.simulation.delays import delay_distribution
from quedge.simulation.recordings.recording import MUNICH_SCENARIO, MunichWalk, munich_places

CELL = quedge.Scenario(devices=3)


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def runs() -> dict[str, quedge.Trace]:
    policies = {"all-local": quedge.AllLocal(), "best-single": quedge.BestSingle()}
    return {name: quedge.simulate(CELL, policy, frames=60) for name, policy in policies.items()}


def names_in_legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_lines_over_time_are_the_means_of_devices(runs: dict[str, quedge.Trace]) -> None:
    ax = quedge.plot.queue(runs)
    assert names_in_legend(ax) == list(runs)
    for line, run in zip(ax.lines, runs.values(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), run.data_queue_mbit.mean(axis=1))
    power = quedge.plot.power(runs["best-single"])
    np.testing.assert_allclose(power.lines[0].get_ydata(), runs["best-single"].power_w.mean(axis=1))
    assert power.lines[1].get_ydata()[0] == CELL.mean_power_budget_w
    assert power.get_legend() is None


def test_the_delay_is_that_of_the_bits_after_the_warm_up(runs: dict[str, quedge.Trace]) -> None:
    ax = quedge.plot.delay(runs, warmup=0.2)
    share = delay_distribution(runs["all-local"], 12)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), share)
    longer = quedge.plot.delay(runs, warmup=0.2, longer=True)
    seen = longer.lines[0].get_ydata() > 1e-4
    np.testing.assert_allclose(longer.lines[0].get_ydata()[seen], (1.0 - share)[seen])


def test_a_raster_has_a_row_per_device_and_a_column_per_frame(runs: dict[str, quedge.Trace]) -> None:
    ax = quedge.plot.decisions(runs["best-single"], first_frame=50, frames=100)
    (mesh,) = ax.collections
    np.testing.assert_array_equal(mesh.get_array() > 0, runs["best-single"].offload[50:].T)
    assert ax.get_xlim() == (49.5, 59.5)


def test_a_front_has_a_point_per_run_with_its_key(runs: dict[str, quedge.Trace]) -> None:
    ax = quedge.plot.front({name: [run, run] for name, run in runs.items()}, key="nu", warmup=0.0)
    for line, run in zip(ax.lines, runs.values(), strict=False):
        np.testing.assert_allclose(line.get_xydata(), 2 * [(run.power_w.mean(), run.data_queue_mbit.mean())])
    assert [text.get_text() for text in ax.texts] == 2 * [f"{CELL.nu:g}"]  # both runs of a line are at one place


def test_a_learner_shows_its_loss_and_candidates() -> None:
    run = quedge.simulate(CELL, quedge.Lydroo(batch=8, update_every=4), frames=100)
    ax = quedge.plot.learner(run)
    loss = run.notes["loss"]
    assert ax.lines[0].get_ydata().size == np.isfinite(loss).sum()
    assert set(ax.figure.axes[-1].lines[0].get_ydata()) <= set(run.notes["candidates"] / 2) | set(
        run.notes["candidates"]
    )


def test_a_heat_map_shows_means_over_seeds_and_leaves_holes_white(tmp_path: Path) -> None:
    file = tmp_path / "sweep-cells.csv"
    file.write_text("nu,v,policy,seed,power_w\n1,5,a,0,2\n1,5,a,1,4\n10,7,a,0,8\n10,7,b,0,9\n")
    ax = quedge.plot.heat_map(file, "nu", "v", "power_w", policy="a")
    np.testing.assert_array_equal(ax.collections[0].get_array().filled(-1), [[3, -1], [-1, 8]])
    assert [text.get_text() for text in ax.texts] == ["3", "8"]
    columns = {"nu": [1, 1], "v": [5, 5], "mine": [1.0, 2.0]}
    assert quedge.plot.heat_map(columns, "nu", "v", "mine").texts[0].get_text() == "1.5"
    with pytest.raises(ValueError, match="policy: None is not allowed; it must be one of a, b"):
        quedge.plot.heat_map(file, "nu", "v", "power_w")
    with pytest.raises(ValueError, match="measure: 'policy' is not allowed; it must be a column of numbers"):
        quedge.plot.heat_map(file, "nu", "v", "policy", policy="a")
    with pytest.raises(ValueError, match="column: 'power' is not allowed; it must be one of nu, v"):
        quedge.plot.heat_map(file, "nu", "v", "power")


def test_the_map_of_munich_has_ten_starts() -> None:
    ax = quedge.plot.munich_map(frames=100)
    assert [text.get_text() for text in ax.texts] == list("ABCDEFGHIJ")
    assert -110.0 < ax.collections[0].get_array().min() < ax.collections[0].get_array().max() < -65.0


@pytest.fixture(scope="module")
def walk() -> quedge.Trace:
    return quedge.simulate(MUNICH_SCENARIO, quedge.BestSingle(), frames=12, channel=MunichWalk())


def test_the_film_of_munich_shows_who_is_where_and_offloads_and_what_waits(walk: quedge.Trace, tmp_path: Path) -> None:
    film = quedge.plot.munich_walk(walk, first_frame=9, every=2)
    film.save(tmp_path / "walk.gif", writer="pillow")
    with Image.open(tmp_path / "walk.gif") as pictures:
        assert pictures.n_frames == 2  # frames 9 and 11
    x_m, y_m, _ = munich_places()
    above, below = film._fig.axes
    np.testing.assert_array_equal(above.collections[1].get_offsets(), np.column_stack([x_m[11], y_m[11]]))
    blue = above.collections[1].get_facecolors()[:, 2] > above.collections[1].get_facecolors()[:, 0]
    np.testing.assert_array_equal(blue, walk.offload[11])
    assert [bar.get_height() for bar in below.patches] == walk.data_queue_mbit[11].tolist()
    assert above.get_title(loc="left") == "frame 11"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"first_frame": 12}, "first_frame: 12 is not allowed; it must be an integer from 0 to 11"),
        ({"frames": 0}, "frames: 0 is not allowed"),
        ({"every": 0}, "every: 0 is not allowed"),
    ],
)
def test_a_film_of_other_frames_is_refused(walk: quedge.Trace, given: dict[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        quedge.plot.munich_walk(walk, **given)


def test_a_film_of_another_channel_is_refused(runs: dict[str, quedge.Trace]) -> None:
    for run in (runs["best-single"], quedge.simulate(MUNICH_SCENARIO, quedge.AllLocal(), frames=5), None):
        with pytest.raises(ValueError, match=r"trace: .* with channel=MunichWalk\(\)"):
            quedge.plot.munich_walk(run)


def test_differences_are_those_of_the_comparison() -> None:
    policies = {"all-local": quedge.AllLocal(), "best-single": quedge.BestSingle()}
    comparison = quedge.compare(policies, CELL, frames=40, seeds=2)
    ax = quedge.plot.difference(comparison, "power_w")
    of = comparison.differences("best-single")["power_w"]
    (bar,) = ax.containers
    assert bar.lines[0].get_xdata()[0] == of.mean
    np.testing.assert_allclose(bar.lines[2][0].get_segments()[0][:, 0], [of.low, of.high])
    with pytest.raises(ValueError, match="measure: 'watts' is not allowed; it must be one of data_queue_mbit"):
        quedge.plot.difference(comparison, "watts")


def test_axes_that_are_given_are_drawn_on_and_keep_their_size(runs: dict[str, quedge.Trace]) -> None:
    figure, ax = pyplot.subplots(figsize=(5, 4))
    assert quedge.plot.queue(runs, ax=ax) is ax
    assert figure.get_size_inches().tolist() == [5, 4]
    assert quedge.plot.queue(runs).figure.get_figwidth() == 3.5


@pytest.mark.parametrize(("ending", "begins"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_a_figure_is_saved_alike_twice(
    runs: dict[str, quedge.Trace], tmp_path: Path, ending: str, begins: bytes
) -> None:
    for name in ("first", "second"):
        quedge.plot.save(quedge.plot.queue(runs), tmp_path / f"{name}.{ending}")
    written = (tmp_path / f"first.{ending}").read_bytes()
    assert written.startswith(begins)
    assert written == (tmp_path / f"second.{ending}").read_bytes()


def test_letters_of_a_vector_stay_letters(runs: dict[str, quedge.Trace], tmp_path: Path) -> None:
    quedge.plot.save(quedge.plot.queue(runs), tmp_path / "queue.pdf")
    assert b"/Type3" not in (tmp_path / "queue.pdf").read_bytes()


@pytest.mark.parametrize(
    ("drawn", "says"),
    [
        (lambda run: quedge.plot.queue({}), r"traces: \{\} is not allowed; it must be a Trace, or a mapping"),
        (lambda run: quedge.plot.power([run]), "traces: .* is not allowed"),
        (lambda run: quedge.plot.delay(run, warmup=1.0), "warmup: 1.0 is not allowed"),
        (lambda run: quedge.plot.decisions(run, first_frame=60), "first_frame: 60 .* from 0 to 59"),
        (lambda run: quedge.plot.decisions(run, frames=0), "frames: 0 is not allowed"),
        (lambda run: quedge.plot.front({"a": []}), "traces: .* is not allowed"),
        (lambda run: quedge.plot.front({"a": [run]}, key="w"), "key: 'w' is not allowed"),
        (lambda run: quedge.plot.learner(run), "trace: .* a learning agent"),
        (lambda run: quedge.plot.munich_map(frames=5_001), "frames: 5001 .* from 25 to 5000"),
        (lambda run: quedge.plot.difference(run), "comparison: .* of at least two policies"),
        (lambda run: quedge.plot.save(quedge.plot.queue(run), "queue.gif"), "file: 'queue.gif' .* .pdf, .svg, .png"),
    ],
)
def test_what_cannot_be_drawn_is_refused(runs: dict[str, quedge.Trace], drawn: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        drawn(runs["best-single"])


def test_without_matplotlib_the_extra_is_named(runs: dict[str, quedge.Trace], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"quedge\.plot needs Matplotlib.*'quedge\[plot\]'"):
        quedge.plot.queue(runs)
