"""The command line end to end, each time as a process of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import quedge
from quedge.files.scenario import read_scenario
from quedge.model.scenario import Scenario
from quedge.policy.registry import DEMO_SCHEMES
from quedge.simulation.measures import Summary
from quedge.simulation.recordings.recording import read_recording
from tests.cli.in_process import main_in

QUEDGE = [sys.executable, "-W", "error", "-m", "quedge"]
FRAME = '{"channel_gain": [1e-9], "data_queue_mbit": [3], "energy_queue": [0]}\n'


def run(*arguments: str, folder: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*QUEDGE, *arguments], cwd=folder, input=given, capture_output=True, text=True, timeout=600, check=False
    )


def objects(output: str) -> list[dict[str, Any]]:
    """The JSON objects of an output that holds nothing else."""
    return [json.loads(line) for line in output.splitlines()]


def remarks(error: str) -> list[str]:
    """What stands on standard error, but for what is said of a pause: to compile, or half a minute with many cells."""
    of_a_pause = re.compile(r"Compiling the solvers|\d+ of \d+ cells, ")
    return [line for line in error.splitlines() if not of_a_pause.match(line)]


def test_a_run_prints_one_object_a_policy_and_nothing_else(tmp_path: Path) -> None:
    done = run("run", "--json", "--frames", "40", "--policy", "best-pair", "--policy", "random", folder=tmp_path)
    assert done.returncode == 0
    assert remarks(done.stderr) == []  # no progress bar either: this is no terminal
    first, second = objects(done.stdout)
    assert list(first) == ["policy", *(field.name for field in dataclasses.fields(Summary))]
    assert (first["policy"], second["policy"]) == ("best-pair", "random")
    assert first["arrivals_weighted_mbps"] == second["arrivals_weighted_mbps"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["csv", "npz", "parquet"])
def test_a_run_leaves_files_that_play_back_as_the_same_run(tmp_path: Path, kind: str) -> None:
    first = run(
        "run", "--frames", "30", "--set", "devices=3", "--set", "nu=50", "--out", "a/b", "--traces", kind,
        folder=tmp_path,
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    assert "exact" in first.stdout
    folder = tmp_path / "a" / "b"
    names = {"summary.json", "scenario.toml", "figure.png", "delay.png", f"trace-exact.{kind}"}
    assert {path.name for path in folder.iterdir()} == names
    resolved = Scenario(devices=3, nu=50.0, weight=[1.5, 1.0, 1.5], distance_m=[120.0, 187.5, 255.0])
    assert read_scenario(folder / "scenario.toml").scenario == resolved
    trace = str(folder / f"trace-exact.{kind}")
    again = run(
        "run", "a/b/scenario.toml", "--channel-trace", trace, "--arrival-trace", trace, "--out", "again", "--json",
        "--traces", "parquet", "--no-figure", folder=tmp_path,
    )  # fmt: skip
    (summary,) = json.loads((folder / "summary.json").read_text())
    (played,) = objects(again.stdout)
    timed = {"decision_us_p50", "decision_us_p99", "wall_s"}
    assert {name: value for name, value in summary.items() if name not in timed} == {
        name: value for name, value in played.items() if name not in timed
    }
    assert not (tmp_path / "again" / "figure.png").exists()
    before, after = read_recording(trace), pq.read_table(tmp_path / "again" / "trace-exact.parquet")
    for name in ("channel_gain", "arrival_mbit"):
        np.testing.assert_array_equal(after[name], getattr(before, name).reshape(-1))
    assert after.column_names[:4] == ["frame", "device", "channel_gain", "arrival_mbit"]
    refused = main_in(tmp_path, "run", "--frames", "3", "--policy", "random", "--out", "again")
    assert refused.returncode == 2
    assert "trace-exact.parquet: belongs to another run" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run", "bad.toml"], "bad.toml: nuu: unknown key (value 3); did you mean nu?"),
        (["run", "none.toml"], "none.toml: cannot be read"),
        (["run", "--set", "nu=-1"], "--set nu=-1: nu: -1.0 is not allowed; it must be at least 0 and at most 1e+09"),
        (["run", "--frames", "0"], "'--frames': '0' is not allowed; it must be an integer from 1"),
        (["run", "--seed", "-1"], "'--seed': '-1' is not allowed; it must be an integer from 0"),
        (["run", "--warmup", "1"], "'--warmup': '1' is not allowed; it must be a number, at least 0 and below 1"),
        (["run", "--policy", "best"], "--policy: 'best' is not allowed; it must be one of exact"),
        (["run", "--out", "bad.toml"], "bad.toml: is a file; it must be a folder"),
        (["run", "--channel-trace", "bad.parquet"], "--channel-trace: bad.parquet: cannot be read as Parquet"),
        (["run", "--channel-trace", "good.csv", "--frames", "2", "--out", "x"], "good.csv: frames: 2 frames are not"),
        (["run", "--channel-trace", "good.csv", "--set", "devices=2"], "good.csv: devices: 1 recorded devices are not"),
        (["run", "--arrival-trace", "good.csv"], "--arrival-trace: good.csv: arrival_mbit: no such column"),
        (
            ["run", "--channel-trace", "good.csv", "--arrival-trace", "good.csv"],
            "--arrival-trace: good.csv: arrival_mbit: no such column; the columns are frame, device, channel_gain",
        ),
        (
            ["run", "--channel-trace", "bad.csv", "--arrival-trace", "bad.csv"],
            "--channel-trace and --arrival-trace: bad.csv: arrival_mbit: 'x' (row 1) is not allowed",
        ),
        (
            ["run", "--channel-trace", "good.csv", "--arrival-trace", "two.csv"],
            "good.csv holds 1 devices and two.csv 2; both must hold the same number",
        ),
        (["run", "--out", ""], "'--out': '' is not allowed"),
        (["run", "--out", "x", "--traces", "xlsx"], "--traces: 'xlsx' is not allowed; it must be one of csv, npz, par"),
        (["run", "--traces", "csv"], "--traces csv: is not allowed without --out"),
        (["run", "--no-figure"], "--no-figure: is not allowed without --out"),
        (["run", "--out", "/proc/none/of/it"], "/proc/none/of/it: cannot be written to"),
        (["run", "--out", "taken"], "summary.json: is a folder; a file must go there"),
        (["init", "/proc/scenario.toml"], "quedge: /proc/scenario.toml: cannot be written"),
        (["demo", "--out", "/proc/none/demo.png"], "/proc/none: cannot be written to"),
        (["decide", "none.jsonl"], "none.jsonl: cannot be read"),
        (["decide", "--policy", "best"], "--policy: 'best' is not allowed"),
        (["decide", "--policy", ""], "--policy: '' is not allowed"),
        (["init", "bad.toml"], "bad.toml: exists already"),
        (["demo", "--out", "figure.pdf"], "figure.pdf: is not allowed"),
        (["run", "--bogus"], "No such option: --bogus"),
        (["decide", "--bogus"], "See 'quedge decide --help'."),
        (["frob"], "No such command 'frob'"),
        ([], "Missing command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_of_use_is_one_line_with_status_2_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    (tmp_path / "bad.toml").write_text("nuu = 3\n")
    (tmp_path / "bad.parquet").write_text("this is not Parquet")
    (tmp_path / "good.csv").write_text("frame,device,channel_gain\n0,0,1e-9\n")
    (tmp_path / "two.csv").write_text("frame,device,arrival_mbit,channel_gain\n0,0,1,-3\n0,1,1,x\n")
    (tmp_path / "bad.csv").write_text("frame,device,arrival_mbit,channel_gain\n0,0,x,1\n")
    (tmp_path / "taken" / "summary.json").mkdir(parents=True)
    before = set(tmp_path.rglob("*"))
    done = main_in(tmp_path, *arguments)
    (line,) = done.stderr.splitlines()
    assert complaint in line
    assert done.returncode == 2
    assert done.stdout == ""
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",), ("--version",), ("init", "-"), ("init", "bad.toml"), ("run", "--frames", "0"), ("run", "bad.toml"),
        ("decide", "none.jsonl"), ("frob",), (), ("pqc", "show", "level3"), ("pqc", "show", "level4"),
        ("train", "--out", "."), ("reproduce", "fig2"), ("report", "nowhere"), ("serve", "--listen", "50051"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_process_of_its_own_and_a_call_from_python_answer_the_same(tmp_path: Path, arguments: tuple[str]) -> None:
    (tmp_path / "bad.toml").write_text("nuu = 3\n")
    called, started = main_in(tmp_path, *arguments), run(*arguments, folder=tmp_path)
    assert (called.returncode, called.stdout) == (started.returncode, started.stdout)
    assert called.stderr == started.stderr


def test_decide_answers_good_lines_and_reports_bad_ones(tmp_path: Path) -> None:
    done = run("decide", folder=tmp_path, given=f"{FRAME}junk\n\n{FRAME}")
    first, bad, last = objects(done.stdout)
    assert first == last
    assert first["status"] == "ok"
    assert first["upper_bound"] >= first["objective"]
    assert bad["line"] == 2
    assert "error" in bad
    assert done.returncode == 1


def test_decide_answers_a_line_before_the_next_one_is_asked() -> None:
    with subprocess.Popen(
        [*QUEDGE, "decide", "--policy", "best-single"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(FRAME)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["status"] == "ok"
        process.stdin.close()
        assert process.wait(timeout=120) == 0


def test_a_reader_that_stops_early_ends_decide_quietly(tmp_path: Path) -> None:
    frames = tmp_path / "frames.jsonl"
    frames.write_text(FRAME * 20_000)
    with subprocess.Popen(
        [*QUEDGE, "decide", "--policy", "best-single", str(frames)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert remarks(process.stderr.read()) == []


def test_ctrl_c_ends_a_run_quietly_with_status_130_and_writes_nothing(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    arguments = ["run", "--frames", "1000000", "--policy", "all-local", "--policy", "random", "--out", "x", "--json"]
    with subprocess.Popen(
        [*QUEDGE, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal, cwd=tmp_path,
        env=os.environ | {"TERM": "xterm"}, text=True,
    ) as process:  # fmt: skip
        os.close(terminal)
        shown = b""
        while b"all-local" not in shown:  # now it runs
            shown += os.read(controller, 4096)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=600)
    os.close(controller)
    assert process.returncode == 130
    assert output == ""
    assert b"Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_sees_progress_and_the_table_fits_it(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [*QUEDGE, "run", "--frames", "50", "--policy", "all-local"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=terminal, cwd=tmp_path, env=os.environ | {"TERM": "xterm"}, text=True,
    ) as process:  # fmt: skip
        os.close(terminal)
        shown = b""
        while True:
            try:
                shown += os.read(controller, 4096)
            except OSError:  # how Linux says that nobody writes to a terminal any more
                break
        os.close(controller)
        assert process.stdout is not None
        assert "all-local" in process.stdout.read()
    assert b"50/50" in shown


def test_the_demo_compares_its_policies_in_both_scenarios_and_draws(tmp_path: Path) -> None:
    done = run("demo", "--frames", "20", "--json", "--out", "made/demo.png", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = [(line["scenario"], line["policy"]) for line in objects(done.stdout)]
    assert told == [(scenario, policy) for scenario in ("paper", "munich") for policy, _ in DEMO_SCHEMES]
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["demo.png"]


def test_init_writes_a_scenario_file_that_is_the_default(tmp_path: Path) -> None:
    done = run("init", folder=tmp_path)
    assert done.stdout == "Written to scenario.toml.\n"
    assert read_scenario(tmp_path / "scenario.toml").scenario == Scenario()
    assert run("init", "-", folder=tmp_path).stdout == (tmp_path / "scenario.toml").read_text()


def test_help_names_the_commands_and_the_version_is_the_packages(tmp_path: Path) -> None:
    shown = run("--help", folder=tmp_path).stdout
    assert all(command in shown for command in ("run", "decide", "init", "demo"))
    assert run("--version", folder=tmp_path).stdout == f"quedge {quedge.__version__}\n"
