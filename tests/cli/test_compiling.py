from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numba
import pytest

import quedge
from quedge.cli import compiling
from quedge.experiments.engine import process_pool
from quedge.model import kernel_cache
from quedge.policy.baselines import AllLocal, BestPair, BestSingle, Random
from quedge.policy.exact import Exact
from quedge.policy.policy import Policy
from quedge.simulation import measures

PATIENCE_S = 60.0
PACKAGE = Path(quedge.__file__).parent
FRAME = '{"channel_gain": [1e-9, 2e-9], "data_queue_mbit": [3, 4], "energy_queue": [0, 1]}\n'
DECIDE = [sys.executable, "-W", "error", "-m", "quedge", "decide", "--policy", "all-local", "--set", "devices=2"]


def test_decisions_of_a_simple_policy_do_not_wait_for_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unwanted(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(measures, "summarise", unwanted)
    compiling.compile_decisions(BestPair())


def told(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What is set once a pause has been explained."""
    event, explain = threading.Event(), compiling._explain

    def explain_and_tell() -> None:
        explain()
        event.set()

    monkeypatch.setattr(compiling, "_explain", explain_and_tell)
    return event


@pytest.mark.parametrize("compiled", [True, False])
def test_a_pause_is_explained_only_while_something_is_compiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], compiled: bool
) -> None:
    monkeypatch.setattr(compiling, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(compiling, "_EXPLANATION", "Compiling ...")
    explained = told(monkeypatch)
    with compiling.explained_pause():
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
    monkeypatch.setattr(compiling, "_PATIENCE_S", 0.01)
    explained = told(monkeypatch)
    with compiling.explained_pause():
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
def test_a_command_whose_machine_code_is_damaged_does_without_it_with_one_line(kept: Path, share: float) -> None:
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
    assert warnings[0].startswith("quedge: kept machine code is unusable and dropped")
    again = decided(NUMBA_CACHE_DIR=str(kept))
    assert (again.returncode, again.stdout, again.stderr) == (0, sound.stdout, "")


class Told:
    """What a bar is told."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def __call__(self, name: str, done: int, of: int) -> None:
        self.done.append(done)


POLICIES = [AllLocal(), BestSingle(), Exact(), Random()]


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the stand-in of `compile_policy` writes which process compiled what; it compiles a kernel of its own."""
    monkeypatch.setattr(compiling, "compile_policy", stand_in)
    monkeypatch.setattr(compiling, "compile_summary", lambda: None)
    monkeypatch.setattr(process_pool, "usable_processors", lambda: 2)
    monkeypatch.setenv("STAND_IN", str(tmp_path))
    return tmp_path


def stand_in(policy: Policy, frames: int) -> None:
    folder = Path(os.environ["STAND_IN"])
    if (folder / "dies").exists() and multiprocessing.parent_process() is not None:
        os._exit(1)
    numba.njit(lambda number: number + 1)(frames)
    name = f"{type(policy).__name__}-{os.getpid()}"
    (folder / name).touch()
    if isinstance(policy, AllLocal):  # runs until the other process has compiled something
        deadline = time.monotonic() + PATIENCE_S
        while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)


def by_process(folder: Path) -> dict[bool, set[str]]:
    """Names of the policies that this process compiled, and that others did."""
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for path in folder.glob("*-*"):
        name, _, process = path.name.partition("-")
        found[int(process) == os.getpid()].add(name)
    return found


def test_what_runs_last_is_compiled_in_another_process_while_the_first_policy_is(compiled: Path) -> None:
    told = Told()
    with compiling.Compiling(POLICIES, 3, told) as work:
        for place in range(len(POLICIES)):
            work.take(place)
    found = by_process(compiled)
    assert {"AllLocal", "Exact"} <= found[True]  # Exact for the summary, and loaded by those that follow
    assert "Random" in found[False]
    assert told.done == [1, 2, 3, 4]


def test_a_process_that_dies_leaves_its_work_to_this_one(compiled: Path) -> None:
    (compiled / "dies").touch()
    with compiling.Compiling(POLICIES, 3, Told()) as work:
        for place in range(len(POLICIES)):
            work.take(place)
    assert by_process(compiled) == {True: {"AllLocal", "BestSingle", "Exact", "Random"}, False: set()}


@pytest.mark.parametrize("missing", ["folder", "processors"])
def test_without_a_folder_or_a_second_processor_no_process_is_started(
    compiled: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    if missing == "folder":
        monkeypatch.setattr(compiling, "machine_code_folder", lambda: None)
    else:
        monkeypatch.setattr(process_pool, "usable_processors", lambda: 1)
    (compiled / "one").touch()  # so that it does not wait for another process
    others = set(multiprocessing.active_children())
    with compiling.Compiling(POLICIES, 3, Told()) as work:
        work.take(0)
        assert set(multiprocessing.active_children()) <= others


def test_processes_end_with_the_command_whatever_they_do(compiled: Path) -> None:
    with compiling.Compiling(POLICIES, 3, Told()) as work:
        work.take(0)
    for child in multiprocessing.active_children():
        child.join(PATIENCE_S)
    assert multiprocessing.active_children() == []


def test_warm_up_keeps_what_the_next_command_would_compile(kept: Path) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(kept)}
    missing = {path for kernel in ("*fill_told", "*run_frame") for path in kept.rglob(f"{kernel}.*")}
    assert len(missing) >= 2
    for path in missing:
        path.unlink()
    warm_up = [sys.executable, "-m", "quedge", "warm-up", "--policy", "all-local"]
    done = subprocess.run(warm_up, capture_output=True, text=True, timeout=600, env=environment, check=True)
    assert done.stdout == f"Compiled for all-local; kept below {kept}\n"
    found = set(kept.rglob("*.nbc"))
    assert missing & found
    many = [sys.executable, "-m", "quedge", "run", "--policy", "all-local", "--frames", "5000", "--set", "devices=2"]
    subprocess.run(many, capture_output=True, timeout=600, env=environment, check=True)
    assert set(kept.rglob("*.nbc")) == found


def test_a_short_command_compiles_nothing_and_finds_the_same_numbers(tmp_path: Path) -> None:
    """Python runs the solvers: the first answer takes a second."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    run = [sys.executable, "-W", "error", "-m", "quedge", "run", "--policy", "exact", "--frames", "20", "--json"]
    first, later = (
        subprocess.run(run, capture_output=True, text=True, timeout=600, env=each, check=True)
        for each in (environment, os.environ)
    )
    assert (first.stderr, set(tmp_path.rglob("*.nbc"))) == ("", set())
    found, expected = json.loads(first.stdout), json.loads(later.stdout)
    assert (found["decisions_timed"], found["decision_us_p50"], found["decision_us_p99"]) == (0, None, None)
    untimed = {"decisions_timed", "decision_us_p50", "decision_us_p99", "wall_s"}
    assert {name: found[name] for name in found.keys() - untimed} == {
        name: expected[name] for name in expected.keys() - untimed
    }


def test_warm_up_fails_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "file")}
    warm_up = [sys.executable, "-m", "quedge", "warm-up", "--policy", "all-local"]
    done = subprocess.run(warm_up, capture_output=True, text=True, timeout=600, env=environment, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be kept" in done.stderr
