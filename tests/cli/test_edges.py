"""What surrounds a command: its input, its environment, and Ctrl-C before and after it has done its work."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import quedge
from quedge.cli import main

SRC = Path(quedge.__file__).parent.parent
FRAME = '{"channel_gain": [2e-11], "data_queue_mbit": [5], "energy_queue": [1]}\n'
DECIDE = ["decide", "--set", "devices=1", "--policy", "all-local"]


def test_a_byte_order_mark_before_json_is_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(("\ufeff" + 2 * FRAME).encode())))
    assert main(DECIDE) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first) == json.loads(second)
    assert json.loads(first)["status"] == "ok"


def test_a_closed_standard_input_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it then
    assert main(DECIDE) == 2
    assert capsys.readouterr().err == "quedge: standard input is closed; name a file of frames, or send them there\n"


def test_a_terminal_of_no_width_is_one_of_unknown_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert main(["--help"]) == 0
    usual = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "0")
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == usual
    assert "Simulate a scenario" in usual


@pytest.mark.parametrize("number", ["0", "-1", "many", ""])
def test_a_number_of_threads_that_numba_stops_at_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", number)
    assert main(DECIDE) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"quedge: NUMBA_NUM_THREADS: {number!r} is not allowed; it must be an integer, at least 1"


def interrupted(folder: Path, customised: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """A command in a process that a Ctrl-C meets at a place of its own."""
    (folder / "sitecustomize.py").write_text(f"import atexit, signal, sys\n{customised}")
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "quedge", *command], input=FRAME, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{SRC}"}, timeout=600, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


WHILE_IMPORTING = """
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
"""
AT_THE_END = "atexit.register(signal.raise_signal, signal.SIGINT)\n"


@pytest.mark.parametrize(
    "module",
    [
        "typer",
        "quedge.cli.command",
        "quedge.cli.decide",
        "numba.core.types",
        "quedge.files.scenario",
        "quedge.policy.exact",
    ],
)
def test_an_interruption_while_libraries_are_loaded_leaves_no_traceback(tmp_path: Path, module: str) -> None:
    done = interrupted(tmp_path, WHILE_IMPORTING.format(module=module), DECIDE)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")


def test_a_second_interruption_at_the_end_leaves_no_traceback_either(tmp_path: Path) -> None:
    done = interrupted(tmp_path, WHILE_IMPORTING.format(module="quedge.cli.decide") + AT_THE_END, DECIDE)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (-signal.SIGINT, "", "")


def test_an_interruption_after_the_work_is_done_takes_nothing_of_it(tmp_path: Path) -> None:
    done = interrupted(tmp_path, AT_THE_END, DECIDE)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
    assert json.loads(done.stdout)["status"] == "ok"
