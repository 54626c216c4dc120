"""`quedge reproduce`, `sweep`, `report` and `tune` end to end, each time as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from quedge import errors
from quedge.cli.reproduce import run_experiments, that_can_run
from quedge.errors import MissingExtraError
from quedge.experiments.catalogue import EXPERIMENTS, chosen
from quedge.experiments.experiment import Experiment, Grid, Size, vary
from quedge.experiments.sweep import sweep_experiment
from quedge.model.scenario import Scenario
from quedge.policy.registry import EXACT
from tests.cli.in_process import main_in
from tests.cli.test_cli import QUEDGE, remarks, run
from tests.experiments.jobs import Told

pytest.importorskip("torch")

SWEEP = ["sweep", "--vary", "nu=20,60", "--policy", "best-single", "--policy", "exact", "--frames", "40"]
SMALL = ["--set", "devices=3"]
ALONE = [*SMALL, "--workers", "1"]
PATIENCE_S = 60.0


def outputs(folder: Path) -> dict[str, bytes]:
    """Every file that a command has left, but for those of single cells."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def cells(folder: Path) -> set[str]:
    return {path.name for path in (folder / "cells").glob("*.parquet")}


def test_a_figure_of_the_paper_is_reproduced(tmp_path: Path) -> None:
    done = run("reproduce", "table3", "--frames", "20", "--seeds", "2", "--out", "made", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert remarks(done.stderr) == []
    assert "30 cells. In made: table3.md." in done.stdout
    assert "| 50 | the paper: lydroo-noma | 15.13 |" in (tmp_path / "made" / "table3.md").read_text()
    assert len(cells(tmp_path / "made")) == 30


def test_a_second_call_runs_only_what_is_new(tmp_path: Path) -> None:
    first = run(*SWEEP, *ALONE, "--seeds", "1", "--out", "made", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    before, kept = outputs(tmp_path / "made"), cells(tmp_path / "made")
    again = run(*SWEEP, *ALONE, "--seeds", "1", "--out", "made", folder=tmp_path)
    assert "4 cells, 4 of them from before." in again.stdout
    assert outputs(tmp_path / "made") == before
    wider = run(*SWEEP, "--vary", "v=20,50", *ALONE, "--seeds", "2", "--out", "made", folder=tmp_path)
    assert "16 cells, 4 of them from before." in wider.stdout
    assert kept < cells(tmp_path / "made")


def test_a_failing_cell_is_reported_the_rest_finishes_and_the_status_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = sweep_experiment("mine", Scenario(devices=2), {"nu": [20.0, 60.0]}, [EXACT])
    grid = Grid([EXACT], vary(nu=[20.0, 60.0]), Scenario(devices=2))
    experiment = Experiment("sweep", "Mine", "", [grid], shown.figure, shown.table, Told(failing=1))
    with pytest.raises(typer.Exit) as left:
        run_experiments([experiment], Size(5, 3), tmp_path / "made", 2, None)
    assert left.value.exit_code == 1
    told = capsys.readouterr()
    assert "6 cells. In" in told.out
    assert "quedge: 2 cells failed; the same command tries again:" in told.err
    assert "sweep: exact, nu = 60.0, seed 1: ValueError: told to fail" in told.err
    assert "2 cells failed" in (tmp_path / "made" / "report.html").read_text()


def test_a_sweep_of_an_imperfect_channel_has_a_column_of_what_was_delivered() -> None:
    def measures(scenario: Scenario, **varied: list[float]) -> list[str]:
        table = sweep_experiment("mine", scenario, varied, [EXACT]).table
        assert table is not None
        return [column.name for column in table.columns]

    assert "delivered_ratio" not in measures(Scenario(), nu=[20.0, 60.0])
    assert "delivered_ratio" in measures(Scenario(), residual_sic_share=[0.0, 0.1])
    assert "delivered_ratio" in measures(Scenario(estimate_error=0.1), nu=[20.0, 60.0])


def test_a_sweep_that_cannot_run_leaves_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "short.csv").write_text("frame,device,channel_gain,arrival_mbit\n0,0,1e-10,3\n1,0,1e-10,3\n")
    traces = ["--channel-trace", "short.csv", "--arrival-trace", "short.csv", "--seeds", "1", "--out", "made"]
    first = run("sweep", "--vary", "v=2,20", *traces, folder=tmp_path)
    assert first.returncode == 0, first.stderr
    before = outputs(tmp_path / "made")
    for wrong, complaint in (
        (["--vary", "v=2,20", "--frames", "3"], "short.csv: frames: 3 frames are not allowed; 2 are recorded"),
        (["--vary", "devices=1,2"], "--vary devices: is not allowed, since a trace says what it is"),
        (["--vary", "arrival_rate_mbps=2,3"], "--vary arrival_rate_mbps: is not allowed, since --arrival-trace says"),
        (["--vary", "distance_m=100,200"], "--vary distance_m: is not allowed, since --channel-trace says"),
        (["--vary", "v=2,20", "--set", "v=5"], "--vary v: is not allowed, since --set says what it is"),
        (["--vary", "v=2", "--set", "devices=5"], "short.csv: devices: 1 recorded devices are not allowed"),
    ):
        done = main_in(tmp_path, "sweep", *wrong, *traces)
        assert complaint in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.returncode == 2
        assert outputs(tmp_path / "made") == before


def test_a_run_that_was_killed_goes_on_and_ends_as_an_uncut_one(tmp_path: Path) -> None:
    command = [*SWEEP[:-1], "1500", "--vary", "v=5,20,50", *SMALL, "--seeds", "4"]
    uncut = run(*command, "--out", "uncut", folder=tmp_path)
    assert uncut.returncode == 0, uncut.stderr
    children: set[int] = set()
    total = len(cells(tmp_path / "uncut"))
    for done in (1, total // 4, total // 2):
        killed = subprocess.Popen(
            [*QUEDGE, *command, "--out", "killed"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while len(cells(tmp_path / "killed")) < done and killed.poll() is None:
            time.sleep(0.005)
        assert killed.poll() is None  # in the middle of its work
        children |= descendants(killed.pid)
        killed.kill()
        killed.wait()
        assert 0 < len(cells(tmp_path / "killed")) < total
    resumed = run(*command, "--out", "killed", folder=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    ignored = ("sweep-cells.csv", "report.html")  # the former has times of decisions; the latter is compared below
    expected = {name: content for name, content in outputs(tmp_path / "uncut").items() if name not in ignored}
    found = {name: content for name, content in outputs(tmp_path / "killed").items() if name not in ignored}
    assert found == expected
    assert outputs(tmp_path / "killed")["report.html"] == outputs(tmp_path / "uncut")["report.html"]
    assert cells(tmp_path / "killed") == cells(tmp_path / "uncut")
    assert_ended(children)  # nobody stays behind a killed parent


def test_ctrl_c_ends_everything_quietly_and_keeps_what_has_run(tmp_path: Path) -> None:
    command = [*QUEDGE, "sweep", "--vary", "nu=20,60", "--frames", "3000", "--seeds", "200", "--out", "made"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + PATIENCE_S
    while not cells(tmp_path / "made") and time.monotonic() < deadline:
        time.sleep(0.1)
    children = descendants(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert (out, remarks(err)) == ("", ["quedge: what has run is kept in made; the same command goes on with it"])
    assert cells(tmp_path / "made")
    assert not list((tmp_path / "made" / "cells").glob(".*.part"))
    assert_ended(children)


def descendants(pid: int) -> set[int]:
    """Processes that a process has begun, and those that they have."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent == pid:
                found |= {int(entry.name)} | descendants(int(entry.name))
    return found


def assert_ended(processes: set[int]) -> None:
    """These processes end, soon if not at once."""
    deadline = time.monotonic() + PATIENCE_S
    while any(map(alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [process for process in processes if alive(process)]


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_page_is_made_of_what_a_folder_holds(tmp_path: Path) -> None:
    run(*SWEEP, *ALONE, "--seeds", "1", "--out", "made", folder=tmp_path)
    page = tmp_path / "made" / "report.html"
    content = page.read_bytes()
    page.unlink()
    done = main_in(tmp_path, "report", "made")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Written to made/report.html.\n"
    assert page.read_bytes() == content


def test_tune_prints_what_it_found(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    command = ["tune", *SMALL, "--policy", "best-single", "--frames", "300", "--trials", "8"]
    done = run(*command, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert {"v", "nu", "data_queue_mbit", "power_w", "baseline_data_queue_mbit", "baseline_power_w"} <= found.keys()
    assert found["data_queue_mbit"] <= found["baseline_data_queue_mbit"]
    shown = run(*command, folder=tmp_path)
    assert f"--set v={found['v']:.4g} --set nu={found['nu']:.4g}" in shown.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["reproduce", "fig2"], "'fig2' is not allowed; it must be one of all, beyond, fig3"),
        (["reproduce", "--seeds", "0"], "'--seeds': '0' is not allowed; it must be an integer from 1"),
        (["reproduce", "--workers", "no"], "'--workers': 'no' is not allowed; it must be an integer from 1"),
        (["reproduce", "--out", "taken.txt"], "--out: taken.txt: is a file; it must be a folder"),
        (["reproduce", "--workers", "2", "--ray", "10.0.0.1:6379"], "--workers: 2 is not allowed with --ray 10.0.0.1"),
        (["sweep"], "--vary: is missing; it must name a key and its values"),
        (["sweep", "--vary", "nuu=1"], "--vary nuu=1: nuu: unknown key (value 1); did you mean nu?"),
        (["sweep", "--vary", "nu=1", "--policy", "best"], "--policy: 'best' is not allowed"),
        (["sweep", "none.toml", "--vary", "nu=1"], "none.toml: cannot be read"),
        (["tune", "--ray", "127.0.0.1:9"], "--ray 127.0.0.1:9: nobody answers there"),
        (["sweep", "--vary", "nu=1", "--ray", "127.0.0.1:9"], "--ray 127.0.0.1:9: nobody answers there"),
        (["report", "nowhere"], "nowhere: is not allowed; it must be a folder"),
        (["report", "."], ".: holds no experiment; `quedge reproduce --out .` would write some"),
        (["tune", "--minimise", "rate"], "--minimise: 'rate' is not allowed; it must be one of data_queue, delay_p95"),
        (["tune", "--trials", "0"], "'--trials': '0' is not allowed; it must be an integer from 1"),
        (["tune", "--policy", "best"], "--policy: 'best' is not allowed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_of_use_is_one_line_with_status_2_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    (tmp_path / "taken.txt").write_text("")
    done = main_in(tmp_path, *arguments)
    (line,) = done.stderr.splitlines()
    assert complaint in line
    assert (done.returncode, done.stdout) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.txt"]


def test_no_command_loads_what_it_does_not_need() -> None:
    heavy = ("ray", "optuna", "jinja2", "matplotlib", "torch", "cvxpy", "pyarrow")
    program = f"import sys, quedge.cli; print([name for name in {heavy!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_what_a_group_brings_along_and_cannot_run_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(errors, "_is_installed", lambda module: module != "stable_baselines3")
    size = Size(frames=4, seeds=1)
    wanted = chosen(["beyond"])
    able = that_can_run(wanted, ["beyond"], size)
    assert [each.name for each in wanted if each not in able] == ["beyond-baselines", "beyond-ppo"]
    assert capsys.readouterr().err == "".join(
        f"quedge: {name} is left out: PPO needs Stable-Baselines3, which is not installed: pip install 'quedge[ppo]'\n"
        for name in ("beyond-baselines", "beyond-ppo")
    )
    for named in (["beyond-ppo"], ["all", "beyond-ppo"]):
        with pytest.raises(MissingExtraError, match=r"PPO needs Stable-Baselines3, .*'quedge\[ppo\]'"):
            that_can_run(chosen(named), named, size)
    monkeypatch.setattr(errors, "_is_installed", lambda module: False)
    with pytest.raises(MissingExtraError):
        that_can_run([EXPERIMENTS["beyond-ppo"]], [], size)
