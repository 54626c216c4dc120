"""Every experiment there is, at toy size, from nothing to its files."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import matplotlib.image
import pytest

from quedge import errors
from quedge.errors import MissingExtraError
from quedge.experiments.catalogue import EXPERIMENTS, check_extras
from quedge.experiments.engine import workers
from quedge.experiments.experiment import Experiment, Grid, Size, points_of, vary
from quedge.experiments.fingerprint import name_of
from quedge.experiments.presentation import POLICY, QUEUE, Sweep, Table
from quedge.experiments.probes.carried_load import CarriedLoad
from quedge.experiments.probes.secured import SecuredSimulation
from quedge.experiments.reproduce import reproduce
from quedge.experiments.rows import figure_header
from quedge.experiments.sweep import sweep_experiment
from quedge.model.scenario import Scenario
from quedge.policy.registry import BEST_SINGLE, LYDROO_NOMA
from tests.experiments.jobs import Told
from tests.workers import InProcess

pytest.importorskip("torch")
pytest.importorskip("cvxpy")

TOY = Size(frames=4, seeds=2)


def toy(experiment: Experiment) -> Size:
    """Few frames where each is solved dozens of times, and one seed where each run needs its capacity."""
    probe = experiment.probe
    seeds = 1 if isinstance(probe, SecuredSimulation | CarriedLoad) else 2
    return Size(frames=2 if probe.exclusive else 4, seeds=seeds)


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS.keys())
def test_an_experiment_leaves_its_files(experiment: Experiment, tmp_path: Path) -> None:
    size = toy(experiment)
    done = reproduce([experiment], size, tmp_path, InProcess())
    assert done.failed == []
    name, figure, table = experiment.name, experiment.figure, experiment.table
    names = {path.name for path in tmp_path.iterdir()} - {"cells"}
    expected = {"report.html", f"{name}.experiment.json", f"{name}-cells.csv"}
    if figure is not None:
        expected |= {f"{name}.png", f"{name}.pdf", f"{name}.csv"}
        assert matplotlib.image.imread(tmp_path / f"{name}.png").shape[0] > 200
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        lines = list(csv.DictReader((tmp_path / f"{name}.csv").read_text().splitlines()))
        assert set(figure_header(figure)) < lines[0].keys()
        drawn = {panel.name for panel in getattr(figure, "panels", ())}
        assert drawn <= {line["measure"] for line in lines if line["source"] == "quedge"}
        assert len(getattr(figure, "marks", ())) == 0 or "paper" in {line["source"] for line in lines}
    if table is not None:
        stem = name if figure is None else f"{name}-table"
        expected |= {f"{stem}.csv", f"{stem}.md"}
        text = (tmp_path / f"{stem}.md").read_text()
        assert ("| the paper" in text) == bool(table.marks)
        schemes = {scheme.name for grid in experiment.grids for scheme in grid.schemes}
        assert all(f"| {scheme} |" in text for scheme in schemes)
    assert names == expected
    cells = list(csv.DictReader((tmp_path / f"{name}-cells.csv").read_text().splitlines()))
    assert {line["cell"] for line in cells} == {name_of(point.job) for point in points_of(experiment, size)}
    assert experiment.title.split(":")[0] in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / f"{name}.experiment.json").read_text())["result"]


def test_a_second_run_writes_the_same_files(tmp_path: Path) -> None:
    experiment = EXPERIMENTS["fig7"]
    contents = []
    for _ in range(2):
        reproduce([experiment], Size(6, 2), tmp_path, InProcess())
        contents.append({path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()})
    assert contents[0] == contents[1]


def failing(seeds: set[int]) -> Experiment:
    grid = Grid([BEST_SINGLE], vary(nu=[1.0, 2.0]), Scenario(devices=2))
    sweep = sweep_experiment("mine", Scenario(devices=2), {"nu": [1.0, 2.0]}, [BEST_SINGLE])
    probe, result = Told(failing=min(seeds)), lambda found: "as was to be shown"
    return Experiment("sweep", "Mine", "", [grid], sweep.figure, sweep.table, probe, result=result)


def test_a_failed_cell_is_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    done = reproduce([failing({1})], Size(4, 3), tmp_path, InProcess())
    assert done.failed == [
        "sweep: best-single, nu = 1.0, seed 1: ValueError: told to fail",
        "sweep: best-single, nu = 2.0, seed 1: ValueError: told to fail",
    ]
    told = json.loads((tmp_path / "sweep.experiment.json").read_text())["failed"]
    assert [f"sweep: {why}" for why in told.values()] == done.failed
    assert json.loads((tmp_path / "sweep.experiment.json").read_text())["result"] is None
    assert "2 cells failed" in (tmp_path / "report.html").read_text()
    cells = list(csv.DictReader((tmp_path / "sweep-cells.csv").read_text().splitlines()))
    assert [line["seed"] for line in cells] == ["0", "2", "0", "2"]


def test_where_every_cell_failed_nothing_is_drawn(tmp_path: Path) -> None:
    done = reproduce([failing({0})], Size(4, 1), tmp_path, InProcess())
    assert done.written == []
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.experiment.json", "report.html"}


def test_a_cell_that_experiments_share_fails_once(tmp_path: Path) -> None:
    shared = failing({1})
    twice = [shared, dataclasses.replace(shared, name="other")]
    done = reproduce(twice, Size(4, 2), tmp_path, InProcess())
    assert [line.partition(":")[0] for line in done.failed] == ["sweep", "sweep"]
    assert "2 cells failed" in (tmp_path / "report.html").read_text()


def test_a_page_lists_experiments_as_the_catalogue_does_whenever_they_ran(tmp_path: Path) -> None:
    for name in ("table3", "fig7", "table4"):
        reproduce([EXPERIMENTS[name]], Size(4, 1), tmp_path, InProcess())
    page = (tmp_path / "report.html").read_text()
    assert page.index("Figure 7:") < page.index("Table IV:") < page.index("Table III:")


def test_what_an_experiment_has_written_before_goes_and_what_it_has_not_stays(tmp_path: Path) -> None:
    (tmp_path / "sweep.md").write_text("mine")
    with_figure = failing({9})
    without = dataclasses.replace(with_figure, figure=None)
    reproduce([with_figure], Size(4, 1), tmp_path, InProcess())
    assert (tmp_path / "sweep.png").exists()
    assert (tmp_path / "sweep.md").read_text() == "mine"
    reproduce([dataclasses.replace(without, name="sweep2")], Size(4, 1), tmp_path, InProcess())
    assert (tmp_path / "sweep.png").exists()
    reproduce([without], Size(4, 1), tmp_path, InProcess())
    assert not (tmp_path / "sweep.png").exists()


def test_lists_can_be_varied_in_python(tmp_path: Path) -> None:
    grid = Grid([BEST_SINGLE], vary(weight=[[1.0, 2.0], [2.0, 1.0]]), Scenario(devices=2))
    table = Table([("weight", "c")], [QUEUE])
    mine = Experiment("mine", "Mine", "", [grid], table=table)
    assert reproduce([mine], Size(4, 1), tmp_path, InProcess()).failed == []
    assert "| (1.0, 2.0) | best-single |" in (tmp_path / "mine.md").read_text()


def test_the_report_says_with_which_versions_the_cells_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = EXPERIMENTS["table3"]
    monkeypatch.setattr(workers, "versions", lambda: {"numpy": "0.0.1"})
    reproduce([experiment], Size(4, 1), tmp_path, InProcess())
    monkeypatch.setattr(workers, "versions", lambda: {"numpy": "0.0.2"})
    reproduce([experiment], Size(4, 2), tmp_path, InProcess())
    assert "numpy 0.0.1 and 0.0.2" in (tmp_path / "report.html").read_text()


def test_where_every_cell_fails_what_stood_there_stays(tmp_path: Path) -> None:
    good, bad = failing({9}), failing({0})
    reproduce([good], Size(4, 1), tmp_path, InProcess())
    before = (tmp_path / "sweep-table.md").read_bytes()
    assert reproduce([bad], Size(4, 1), tmp_path, InProcess()).written == []
    assert (tmp_path / "sweep-table.md").read_bytes() == before


def test_runs_that_were_shorter_say_so_in_the_figure(tmp_path: Path) -> None:
    from quedge.experiments.figures import draw_figure
    from quedge.experiments.presentation import Measure
    from quedge.experiments.rows import OURS, Row

    rows = [
        Row(float(x), line, "data_queue_mbit", 1.0, 0.5, 1.5, "ci95", 3, frames, OURS)
        for x in (1, 2)
        for line, frames in (("exact", 2000), ("best-pair", 500), ("best-single", 2000 // x))
    ]
    drawn = draw_figure(Sweep("nu", [Measure("data_queue_mbit", "queue", "queue")]), rows)
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == [
        "exact", "best-pair (500 frames)", "best-single (2,000 to 1,000 frames)"
    ]  # fmt: skip


def test_a_sweep_over_several_keys_has_a_line_a_combination() -> None:
    two = {"nu": [1.0, 2.0, 3.0], "v": [5.0, 6.0]}
    figure = sweep_experiment("mine", Scenario(), two, [BEST_SINGLE]).figure
    assert isinstance(figure, Sweep)
    assert (figure.x, tuple(figure.lines)) == ("nu", ("v",))
    figure = sweep_experiment("mine", Scenario(), two, [BEST_SINGLE, LYDROO_NOMA]).figure
    assert isinstance(figure, Sweep)
    assert tuple(figure.lines) == (POLICY, "v")
    many = {"nu": [1.0, 2.0], "v": list(map(float, range(11)))}
    swapped = sweep_experiment("mine", Scenario(), many, [BEST_SINGLE] * 6)
    assert swapped.figure is None
    assert swapped.table is not None
    mixed = {"weight": [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0)], "nu": [1.0, 2.0]}
    figure = sweep_experiment("mine", Scenario(devices=2), mixed, [BEST_SINGLE]).figure
    assert isinstance(figure, Sweep)
    assert (figure.x, tuple(figure.lines)) == ("nu", ("weight",))
    lists = {"weight": [(1.0, 2.0), (2.0, 1.0)]}
    assert sweep_experiment("mine", Scenario(devices=2), lists, [BEST_SINGLE]).figure is None


@pytest.mark.parametrize(
    ("name", "missing", "extra"),
    [("beyond-ppo", "stable_baselines3", "ppo"), ("fig6", "cvxpy", "sca"), ("fig6", "clarabel", "sca")],
)
def test_what_cannot_run_is_refused_before_anything_does(
    name: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "_is_installed", lambda module: module != missing)
    with pytest.raises(MissingExtraError, match=rf"quedge\[{extra}\]"):
        check_extras(point.job for point in points_of(EXPERIMENTS[name], TOY))
