"""Parts of a user's own, on the command line and as examples."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quedge.files.policies import GROUP, load_plugin, policies_by_name
from quedge.policy.baselines import BestSingle
from tests.cli.in_process import main_in
from tests.cli.test_cli import FRAME, objects, run

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("own_*.py"))
MINE = """
from dataclasses import dataclass
import numpy as np
import quedge

@dataclass(frozen=True)
class Mine:
    most: int = 1
    def decide(self, frame, rng):
        offload = np.argsort(np.argsort(-frame.data_queue_mbit)) < self.most
        return quedge.NomaGreedy().allocate(frame, offload)

class Undecided:
    def __init__(self, needed): pass
    def decide(self, frame, rng): pass

@dataclass(frozen=True)
class Fading:
    def sample(self, scenario, frames, rng):
        return np.full((frames, scenario.devices), 1e-10)

three = Mine(3)
def made(): return Mine(2)
def broken(): raise RuntimeError("no luck")
class Learning:
    def begin(self, devices, rng): return Mine()
class Plain:
    def decide(self, frame, rng): return Mine().decide(frame, rng)
class Inside: here = Mine(2)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where modules of a user's own lie; what commands import from there is forgotten afterwards."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "wrong.py").write_text("1 / 0")
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("mine", None)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_runs_and_prints_a_table(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) >= 3


def test_there_is_an_example_of_each_part() -> None:
    assert [path.stem for path in EXAMPLES] == ["own_allocator", "own_arrivals", "own_fading", "own_policy"]


def test_a_policy_is_named_by_its_file_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = folder / "inside"
    inside.mkdir()
    (inside / "mine.py").write_text(MINE)
    monkeypatch.chdir(folder)
    assert load_plugin("--policy", "inside/mine.py:three", "decide").most == 3
    assert load_plugin("--policy", f"{inside}/mine.py:made", "decide").most == 2
    with pytest.raises(ValueError, match=r"--policy mine\.py:three: mine is .*inside/mine\.py already; give the file"):
        load_plugin("--policy", "mine.py:three", "decide")
    with pytest.raises(ValueError, match=r"--policy theirs\.py:three: there is no file .*theirs\.py"):
        load_plugin("--policy", "theirs.py:three", "decide")
    arguments = ("--policy", "inside/mine.py:three", "--frames", "2", "--out", "out", "--no-figure")
    assert main_in(folder, "run", *arguments).returncode == 0
    assert (folder / "out" / "trace-inside-mine.py-three.csv").is_file()


def test_a_run_takes_policies_and_processes_of_one_s_own(folder: Path) -> None:
    done = run("run", "--policy", "mine:Mine", "--policy", "mine:three", "--policy", "mine:made", "--policy",
               "mine:Inside.here", "--policy", "exact", "--channel", "mine:Fading", "--frames", "20", "--json",
               "--out", "kept", folder=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {summary["policy"]: summary["offload_ratio"] for summary in objects(done.stdout)}
    assert found["mine:Mine"] == pytest.approx(0.1)
    assert found["mine:three"] == pytest.approx(0.3)
    assert found["mine:made"] == found["mine:Inside.here"] == pytest.approx(0.2)
    assert (folder / "kept" / "trace-mine-three.csv").exists()


def test_decide_and_sweep_take_a_policy_of_one_s_own(folder: Path) -> None:
    done = run("decide", "--policy", "mine:Mine", folder=folder, given=FRAME)
    (answer,) = objects(done.stdout)
    assert answer["offload"] == [True]
    done = run("sweep", "--policy", "mine:Mine", "--vary", "nu=1,60", "--frames", "20", "--seeds", "1", "--workers",
               "1", "--out", "swept", folder=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 cells" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--policy", "mine:Nobody"], "--policy mine:Nobody: mine has no Nobody"),
        (["--policy", "nowhere:Mine"], "nowhere:Mine: nowhere cannot be imported: ModuleNotFoundError"),
        (["--policy", "wrong:Mine"], "--policy wrong:Mine: wrong cannot be imported: ZeroDivisionError"),
        (["--policy", "mine.py:Mine:x"], "--policy: 'mine.py:Mine:x' is not allowed; it must be MODULE:ATTRIBUTE"),
        (["--policy", "mine:"], "--policy: 'mine:' is not allowed; it must be MODULE:ATTRIBUTE"),
        (["--policy", "mine:Undecided"], "mine:Undecided: cannot be made without arguments: TypeError"),
        (["--policy", "mine:broken"], "mine:broken: cannot be made without arguments: RuntimeError: no luck"),
        (["--policy", "mine:Fading"], "mine:Fading: gives Fading(), and must give an object with decide()"),
        (["--policy", "mine:MODULE"], "mine has no MODULE"),
        (["--policy", "quedge:__version__"], "is not allowed; it must be an object with decide()"),
        (["--policy", "mine"], "--policy: 'mine' is not allowed; it must be one of exact, equivariant"),
        (["--channel", "mine:Mine"], "--channel mine:Mine: gives Mine(most=1), and must give an object with sample()"),
        (["--channel", "mine:Fading", "--channel-trace", "x.csv"], "x.csv"),
    ],
)  # fmt: skip
def test_what_is_no_part_is_refused_on_one_line(folder: Path, arguments: list[str], complaint: str) -> None:
    done = main_in(folder, "run", "--frames", "3", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_channel_and_a_recording_of_it_are_refused_together(folder: Path) -> None:
    (folder / "x.csv").write_text("frame,device,channel_gain\n0,0,1e-10\n")
    done = main_in(folder, "run", "--channel", "mine:Fading", "--channel-trace", "x.csv")
    assert "--channel: 'mine:Fading' is not allowed beside --channel-trace" in done.stderr


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        ("mine:Learning", "--policy mine:Learning: learns; of such policies only equivariant"),
        ("myopic-saving", "--policy myopic-saving: remembers past frames; of such policies only equivariant"),
        ("mine:Plain", "mine.Plain: is not allowed in an experiment or a service; it must be a dataclass"),
    ],
)
def test_a_service_refuses_a_policy_whose_answers_it_could_not_vouch_for(
    folder: Path, policy: str, complaint: str
) -> None:
    pytest.importorskip("grpc")
    done = main_in(folder, "serve", "--policy", policy, "--listen", "127.0.0.1:0")
    assert done.returncode == 2
    assert complaint in done.stderr


def test_what_a_service_s_answers_depend_on_names_the_policy_and_its_source(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quedge.files.fingerprint import plain

    monkeypatch.chdir(folder)
    three = plain(load_plugin("--policy", "mine:three", "decide"))
    assert (three["class"], three["most"]) == ("mine.Mine", 3)
    assert len(three["source"]) == 12


class Point:
    """What an installed package declares."""

    name, value = "packaged", "package:Policy"

    def __init__(self, gives: object) -> None:
        self.gives = gives

    def load(self) -> object:
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives


def test_an_installed_package_adds_policies_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    point, looked_up = Point(BestSingle), []

    def entry_points(group: str) -> list[Point]:
        looked_up.append(group)
        return [point]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert policies_by_name(["packaged"]) == {"packaged": BestSingle()}
    assert looked_up == [GROUP]  # once: it goes through all that is installed
    with pytest.raises(ValueError, match=r"--policy: 'other' is not allowed; it must be one of packaged, exact"):
        policies_by_name(["other"])
    point.gives = ImportError("not there")
    with pytest.raises(ValueError, match=r"--policy packaged: package:Policy cannot be loaded: ImportError: not there"):
        policies_by_name(["packaged"])


def test_the_group_of_entry_points_is_read_as_python_has_it() -> None:
    assert isinstance(importlib.metadata.entry_points(group=GROUP), importlib.metadata.EntryPoints)
