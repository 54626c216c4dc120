"""Partial offloading on the command line: decisions, runs, and what is refused before anything runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.in_process import main_in

SET = ("--set", "offloading=partial")


def test_a_decision_has_a_frequency_beside_a_power(tmp_path: Path) -> None:
    frame = {"channel_gain": [2e-10, 1e-11], "data_queue_mbit": [9.0, 30.0], "energy_queue": [1.0, 2.0]}
    (tmp_path / "frames").write_text(json.dumps(frame))
    done = main_in(tmp_path, "decide", "frames", "--policy", "best-single", *SET)
    assert done.returncode == 0
    decided = json.loads(done.stdout)
    assert any(
        f > 0.0 and p > 0.0 for f, p in zip(decided["cpu_frequency_hz"], decided["transmit_power_w"], strict=True)
    )


def test_a_run_s_trace_has_both(tmp_path: Path) -> None:
    options = ("--policy", "best-single", "--frames", "20", "--set", "devices=3", "--out", "out", "--no-figure")
    assert main_in(tmp_path, "run", *options, *SET).returncode == 0
    (trace,) = tmp_path.glob("out/*.csv")
    rows = list(csv.DictReader(trace.read_text().splitlines()))
    assert any(float(row["transmit_power_w"]) > 0.0 and float(row["cpu_frequency_hz"]) > 0.0 for row in rows)


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--policy", "best-single", "--policy", "myopic", "--frames", "5", *SET),
        ("sweep", "--policy", "droo", "--frames", "5", "--vary", "offloading=binary,partial"),
        ("tune", "--policy", "myopic", "--frames", "5", *SET),
        ("decide", "nothing", "--policy", "myopic-saving", *SET),
        ("serve", "--listen", "127.0.0.1:0", "--policy", "droo", "--learn", *SET),
        ("capacity", *SET),
    ],
    ids=lambda command: command[0],
)
def test_what_cannot_carry_it_is_refused_by_name_before_anything_runs(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = main_in(tmp_path, *command)
    assert done.returncode == 2
    assert "offloading: 'partial' is not allowed for the " in done.stderr
    assert not list(tmp_path.iterdir())
