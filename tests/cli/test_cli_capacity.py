"""`quedge capacity`, in this process but for what only a process shows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import quedge
from quedge.cli import main
from quedge.cli.capacity import parse_groups
from quedge.region.sampling import Precision

SMALL = ("capacity", "--set", "devices=3", "--samples", "200")


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.strip().removeprefix("quedge: ")


def test_json_holds_what_the_function_finds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--json", "--seed", "4"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = quedge.capacity(quedge.Scenario(devices=3), precision=Precision(samples=200, seed=4))
    assert told["upper"]["factor"] == found.upper.value
    assert told["lower"]["rate_mbps"] == found.lower.value * 3.0
    assert told["rate_price"] == found.rate_price.tolist()
    assert told["frames"] == 200


def test_a_table_names_bounds_prices_and_what_binds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--set", "estimate_error=0.1"]) == 0
    told = capsys.readouterr().out
    for said in ("no policy carries more", "a stationary policy carries it", "rate, power budget", "know the true"):
        assert said in told


def test_a_direction_sets_where_load_grows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--json", "--direction", "arrival_rate_mbps=[0, 0, 2]"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rate_binds"] == [False, False, True]


def test_a_recording_is_bounded_exactly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "gains.csv"
    rows = "".join(f"{t},{i},{gain}\n" for t, i, gain in [(0, 0, 1e-11), (0, 1, 3e-12), (1, 0, 2e-12), (1, 1, 9e-12)])
    trace.write_text("frame,device,channel_gain\n" + rows)
    assert main(["capacity", "--channel-trace", str(trace), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["upper"]["factor_ci95"] == 0.0
    assert told["frames"] == 2
    assert 0.0 <= told["gap"] <= 1e-3


@pytest.mark.parametrize(("minimise", "measure"), [("power", "mean"), ("largest-power", "largest")])
def test_the_least_power_is_told(capsys: pytest.CaptureFixture[str], minimise: str, measure: str) -> None:
    assert main([*SMALL, "--json", "--minimise", minimise]) == 0
    told = json.loads(capsys.readouterr().out)
    found = quedge.least_power(quedge.Scenario(devices=3), measure=measure, precision=Precision(samples=200))
    assert told["lower_w"]["value"] == found.lower.value
    assert main([*SMALL, "--minimise", minimise]) == 0
    assert "no policy draws less" in capsys.readouterr().out


def test_the_edge_is_written_as_table_and_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "edge"
    assert main([*SMALL, "--boundary", "0-1,2", "--points", "3", "--out", str(out)]) == 0
    rows = list(csv.DictReader((out / "boundary.csv").read_text().splitlines()))
    assert len(rows) == 3
    assert float(rows[0]["upper_second_mbps"]) == float(rows[-1]["upper_first_mbps"]) == 0.0
    assert (out / "boundary.png").read_bytes().startswith(b"\x89PNG")
    assert "boundary.csv" in capsys.readouterr().out
    assert main([*SMALL, "--boundary", "0-1,2", "--points", "3", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3


def test_groups_are_numbers_and_ranges() -> None:
    assert parse_groups("0-2+5,3-4", 6) == ([0, 1, 2, 5], [3, 4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--access", "fdma"), "--access: 'fdma' is not allowed; it must be one of noma, tdma, none"),
        (("--minimise", "queue"), "--minimise: 'queue' is not allowed; it must be one of power, largest-power"),
        (("--boundary", "0-3,4"), "--boundary: '0-3,4' is not allowed; it must be two groups of devices"),
        (("--boundary", "0,1,2"), "--boundary: '0,1,2' is not allowed"),
        (("--boundary", "2-1,0"), "--boundary: '2-1,0' is not allowed"),
        (("--boundary", "0,0-1"), "groups: [0] is not allowed; it must be each device in one group at most"),
        (("--boundary", "0,1", "--minimise", "power"), "--boundary: is not allowed beside --minimise"),
        (("--direction", "v=3"), "--direction: 'v=3' is not allowed; it must be arrival_rate_mbps=..."),
        (
            ("--direction", "arrival_rate_mbps=[1, 2]"),
            "direction: [1.0, 2.0] is not allowed; it must be a list of 3 rates",
        ),
        (("--direction", "arrival_rate_mbps=0"), "direction: [0.0, 0.0, 0.0] is not allowed; it must be finite"),
        (("--out", "somewhere"), "--out: is not allowed without --boundary"),
        (("--set", "arrival_rate_mbps=90", "--minimise", "power"), "arrival_rate_mbps: 90.0 is not allowed"),
        (("--tolerance", "0"), "Invalid value for '--tolerance': '0' is not allowed"),
    ],
)
def test_what_is_not_allowed_is_refused_on_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    told = refusal(capsys, *SMALL, *arguments)
    assert told.startswith(message)
    assert "\n" not in told


def test_more_prices_than_one_bind_where_devices_differ(capsys: pytest.CaptureFixture[str]) -> None:
    keys = ("--set", "power_budget_w=[0.08, 5.0, 0.08]", "--set", "arrival_rate_mbps=[3.0, 0.0, 3.0]")
    assert main([*SMALL, *keys, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert not told["rate_binds"][1]
    assert not told["power_binds"][1]
    assert np.all(np.array(told["power_price"]) >= 0.0)
