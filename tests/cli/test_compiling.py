from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numba
import pytest

import quedge
from quedge.cli import progress
from quedge.model import kernel_cache
from quedge.policy.baselines import BestPair
from quedge.simulation import measures

PATIENCE_S = 60.0
PACKAGE = Path(quedge.__file__).parent
FRAME = '{"channel_gain": [1e-9, 2e-9], "data_queue_mbit": [3, 4], "energy_queue": [0, 1]}\n'
DECIDE = [sys.executable, "-W", "error", "-m", "quedge", "decide", "--policy", "all-local", "--set", "devices=2"]


def test_decisions_of_a_simple_policy_do_not_wait_for_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unwanted(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(measures, "summarise", unwanted)
    progress.compile_decisions(BestPair())


def told(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What is set once a pause has been explained."""
    event, explain = threading.Event(), progress._explain

    def explain_and_tell() -> None:
        explain()
        event.set()

    monkeypatch.setattr(progress, "_explain", explain_and_tell)
    return event


@pytest.mark.parametrize("compiled", [True, False])
def test_a_pause_is_explained_only_while_something_is_compiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], compiled: bool
) -> None:
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(progress, "_EXPLANATION", "Compiling ...")
    explained = told(monkeypatch)
    with progress.explained_pause():
        if compiled:
            numba.njit(lambda number: number + 1)(3)
        assert explained.wait(PATIENCE_S if compiled else 0.1) is compiled
    assert capsys.readouterr().err == ("Compiling ...\n" if compiled else "")


@pytest.mark.parametrize("kept", [True, False])
def test_that_it_happens_once_is_told_only_where_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, kept: bool
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / ("folder" if kept else "file")))
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.01)
    explained = told(monkeypatch)
    with progress.explained_pause():
        numba.njit(lambda number: number + 1)(3)
        assert explained.wait(PATIENCE_S)
    assert ("happens once" in capsys.readouterr().err) is kept


def decided(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        DECIDE, input=FRAME, capture_output=True, text=True, timeout=600, env=os.environ | environment, check=False
    )


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for machine code with what this package has compiled, so that little is to be compiled."""
    assert decided().returncode == 0
    sources = [PACKAGE / floor / "__init__.py" for floor in ("model", "policy", "simulation", "allocation")]
    here = [[place for place in kernel_cache._folders(str(source)) if place.is_dir()] for source in sources]
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    for source, places in zip(sources, here, strict=True):
        (folder,) = kernel_cache._folders(str(source))
        folder.mkdir(parents=True)
        for place in places:
            for path in place.glob("*.nbc"):
                shutil.copy(path, folder)
    return tmp_path / "kept"


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_command_whose_machine_code_is_damaged_compiles_it_anew_with_one_line(kept: Path, share: float) -> None:
    sound = decided(NUMBA_CACHE_DIR=str(kept))
    assert (sound.returncode, sound.stderr) == (0, "")
    damaged = list(kept.rglob("frame.*.nbc"))  # soon compiled
    assert damaged
    for path in damaged:
        os.truncate(path, int(share * path.stat().st_size))
    mended = decided(NUMBA_CACHE_DIR=str(kept))
    assert (mended.returncode, json.loads(mended.stdout)) == (0, json.loads(sound.stdout))
    warnings = [line for line in mended.stderr.splitlines() if not line.startswith("Compiling the solvers")]
    assert len(warnings) == 1
    assert warnings[0].startswith("quedge: kept machine code is unusable and compiled anew")
    again = decided(NUMBA_CACHE_DIR=str(kept))
    assert (again.returncode, again.stdout, again.stderr) == (0, sound.stdout, "")
