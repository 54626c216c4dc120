"""Traces on the command line: how they are written, what is told of them, and standard input."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.in_process import main_in

LAB = "time;UE;RSRP\n" + "".join(f"{t};{ue};-{80 + t + 2 * ue},5\n" for t in range(4) for ue in range(2))
GOOD = "frame,device,channel_gain\n0,0,1e-9\n0,1,1e-10\n1,0,1e-9\n1,1,1e-10\n"
NAMES = ["frame=time", "device=UE", "channel_gain=RSRP", "gain_unit=dbm:18"]


def laid(*texts: str) -> list[str]:
    return [argument for text in texts for argument in ("--layout", text)]


def summary(folder: Path, *arguments: str) -> dict[str, Any]:
    """Of a run whose policy needs no compiled solver."""
    done = main_in(folder, "run", "--policy", "best-single", "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_measurements_of_a_lab_are_run_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "lab.csv").write_text(LAB)
    (tmp_path / "sparse.csv").write_text("frame,device,arrival_mbit\n2,1,3\n")
    found = summary(
        tmp_path, "--channel-trace", "lab.csv", "--arrival-trace", "sparse.csv", *laid(*NAMES, "arrivals=sparse"),
        "--warmup", "0",
    )  # fmt: skip
    assert (found["frames"], found["devices"]) == (4, 2)
    assert found["arrivals_weighted_mbps"] == pytest.approx(3.0 / 4.0)


def test_both_traces_may_come_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def give(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    rows = GOOD.replace("gain\n", "gain,arrival_mbit\n").replace("e-9\n", "e-9,2\n").replace("e-10\n", "e-10,2\n")
    give(rows)
    assert summary(tmp_path, "--channel-trace", "-", "--arrival-trace", "-")["frames"] == 2
    give(GOOD)
    done = main_in(tmp_path, "run", "--channel-trace", "-", "--arrival-trace", "-")
    assert "standard input: arrival_mbit: no such column or variable; it is needed here" in done.stderr


def test_what_is_likely_wrong_is_told_on_standard_error_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "loss.csv").write_text("frame,device,channel_gain\n0,0,95.2\n")
    done = main_in(tmp_path, "run", "--policy", "all-local", "--channel-trace", "loss.csv", "--json")
    (line,) = done.stderr.splitlines()
    assert line.startswith("quedge: warning: loss.csv: channel_gain: 95.2 W/W: a gain above 1 is more than was sent")
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (laid("gain_unit=db"), "--layout: is not allowed without --channel-trace or --arrival-trace"),
        (["--channel-trace", "good.csv", *laid("unit=db")], "--layout: 'unit=db' is not allowed; it must be KEY=VALUE"),
        (["--channel-trace", "good.csv", *laid("gain_unit=dB")], "--layout: gain_unit: 'dB' is not allowed"),
    ],
)
def test_a_layout_that_is_none_is_refused(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    (tmp_path / "good.csv").write_text(GOOD)
    done = main_in(tmp_path, "run", *arguments)
    (line,) = done.stderr.splitlines()
    assert complaint in line
    assert done.returncode == 2
