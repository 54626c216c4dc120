"""Commands of scenarios with sub-channels: who is refused before anything runs, and what runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.in_process import main_in

DIVIDED = ("--set", "devices=4", "--set", "subchannels=2", "--set", "group_size_max=2")


@pytest.mark.parametrize(
    "command",
    [
        ("run", *DIVIDED, "--policy", "ofdma", "--policy", "exact"),
        ("tune", *DIVIDED),
        ("sweep", "--set", "devices=4", "--vary", "subchannels=1,2"),
        ("decide", *DIVIDED, "--policy", "exact"),
    ],
    ids=lambda command: command[0],
)
def test_policies_that_assign_no_sub_channels_are_refused_before_anything_runs(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    ran = main_in(tmp_path, *command)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "--policy exact: subchannels: 2 is not allowed with Exact, which assigns no sub-channels" in ran.stderr
    assert not list(tmp_path.iterdir())


def test_a_learning_agent_is_refused_by_name(tmp_path: Path) -> None:
    ran = main_in(tmp_path, "train", *DIVIDED, "--frames", "5", "--out", "agent.npz")
    assert ran.returncode == 2
    assert "subchannels: 2 is not allowed with Lydroo, which assigns no sub-channels" in ran.stderr
    assert not list(tmp_path.iterdir())


def test_a_run_writes_where_devices_offload_and_its_trace_is_played_again(tmp_path: Path) -> None:
    selective = (*DIVIDED, "--set", "frequency_selective=true", "--policy", "ofdma", "--frames", "12")
    ran = main_in(tmp_path, "run", *selective, "--out", "runs", "--no-figure", "--json")
    assert ran.returncode == 0, ran.stderr
    trace = tmp_path / "runs" / "trace-ofdma.csv"
    header = trace.read_text().splitlines()[0].split(",")
    assert header[:3] == ["frame", "device", "subchannel"]
    assert "offload_subchannel" in header
    recorded = ("--channel-trace", str(trace), "--arrival-trace", str(trace))
    again = main_in(tmp_path, "run", *DIVIDED, "--policy", "ofdma", *recorded, "--json")
    assert again.returncode == 0, again.stderr
    one, other = (json.loads(each.stdout) for each in (ran, again))
    assert one["data_queue_mbit"] == other["data_queue_mbit"]
    undivided = main_in(tmp_path, "run", "--set", "devices=4", "--policy", "all-local", *recorded)
    assert undivided.returncode == 2
    assert "channel: shape (12, 4, 2) is not allowed" in undivided.stderr


def test_without_a_policy_the_one_that_assigns_them_runs(tmp_path: Path) -> None:
    ran = main_in(tmp_path, "run", *DIVIDED, "--frames", "4", "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["policy"] == "exact-groups"
