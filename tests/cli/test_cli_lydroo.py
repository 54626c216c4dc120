"""The learning policies on the command line, each time as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from quedge.files.agent import read_agent
from tests.cli.in_process import main_in
from tests.cli.test_cli import FRAME, QUEDGE, objects, remarks, run

TRAIN = ("train", "--out", "agent.npz", "--frames", "60", "--set", "devices=3", "--learner", "batch=8", "--seed", "4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained agent."""
    folder = tmp_path_factory.mktemp("trained")
    done = run(*TRAIN, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "equivariant" in done.stdout
    assert "Written to agent.npz." in done.stdout
    return folder


def test_a_learning_policy_runs_and_its_trace_tells_how_it_learned(tmp_path: Path) -> None:
    done = run("run", "--policy", "lydroo-noma", "--policy", "lydroo-tdma", "--frames", "50", "--set", "devices=4",
               "--learner", "batch=4", "--json", "--out", "r", "--traces", "parquet", folder=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [summary["policy"] for summary in objects(done.stdout)] == ["lydroo-noma", "lydroo-tdma"]
    noma, tdma = (pq.read_table(tmp_path / "r" / f"trace-lydroo-{name}.parquet") for name in ("noma", "tdma"))
    assert {"policy_candidates", "policy_winner", "policy_loss"} <= set(noma.column_names)
    assert noma["policy_loss"].null_count < noma.num_rows
    shares = tdma.group_by("frame").aggregate([("time_share", "sum")])["time_share_sum"].to_pylist()
    assert max(shares) <= 1.0 + 1e-9


def test_a_training_is_followed_in_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    arguments = ("--out", "agent.npz", "--frames", "20", "--save-every", "10", "--set", "devices=3")
    done = main_in(tmp_path, "train", *arguments, "--tensorboard", "board")
    assert (done.returncode, done.stderr) == (0, "")
    (events,) = (tmp_path / "board").iterdir()
    written = events.read_bytes()
    assert written.count(b"train/candidates") == 2


def test_a_trained_agent_runs_alone_or_beside_other_policies(folder: Path) -> None:
    alone = run("run", "--agent", "agent.npz", "--frames", "30", "--set", "devices=5", "--json", folder=folder)
    (summary,) = objects(alone.stdout)
    assert summary["policy"] == "equivariant"
    beside = run("run", "--agent", "agent.npz", "--policy", "exact", "--policy", "equivariant", "--frames", "30",
                 "--set", "devices=5", "--json", folder=folder)  # fmt: skip
    _, again = objects(beside.stdout)
    assert again["objective_ratio"] == summary["objective_ratio"]


def test_a_trained_agent_answers_lines_of_any_number_of_devices(folder: Path) -> None:
    two = '{"channel_gain": [1e-9, 1e-11], "data_queue_mbit": [3, 5], "energy_queue": [0, 1]}\n'
    done = run("decide", "--agent", "agent.npz", folder=folder, given=FRAME + two + FRAME)
    first, second, third = objects(done.stdout)
    assert first["offload"] == third["offload"]
    assert len(second["offload"]) == 2
    assert second["time_share"] is None
    assert "loss" not in second["notes"]


def test_an_interrupted_training_goes_on_and_ends_as_the_uncut_one(tmp_path: Path, folder: Path) -> None:
    # the frames are many, so that the interruption comes before the last one
    many = ("train", "--out", "cut.npz", "--frames", "1500", "--set", "devices=3", "--save-every", "50", "--json")
    process = subprocess.Popen(
        [*QUEDGE, *many], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "cut.npz").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(timeout=600)
    assert process.returncode == 130, error
    assert output == ""
    (line,) = remarks(error)
    kept = read_agent(tmp_path / "cut.npz").state.frames
    assert 0 < kept < 1500
    assert line == f"quedge: cut.npz holds the agent after {kept} frames; --resume goes on with it"
    done = run(*many, "--resume", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (summary,) = objects(done.stdout)
    assert (summary["first_frame"], summary["frames"]) == (kept, 1500 - kept)
    whole = run(*(argument.replace("cut.npz", "whole.npz") for argument in many), folder=tmp_path)
    assert whole.returncode == 0, whole.stderr
    resumed, uncut = (read_agent(tmp_path / name) for name in ("cut.npz", "whole.npz"))
    for name, values in uncut.state.weights.items():
        assert (resumed.state.weights[name] == values).all()
    assert resumed.run.random_state == uncut.run.random_state
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["cut.npz", "whole.npz"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["train"], "Missing option '--out'"),
        (["train", "--out", "agent.npz"], "--out: agent.npz: exists already; --resume goes on with it"),
        (["train", "--out", "agent.npz", "--resume"], "agent.npz: was trained with batch = 8, not 32"),
        (["train", "--out", "none.npz", "--resume"], "none.npz: cannot be read: No such file"),
        (["train", "--out", "new.npz", "--policy", "exact"], "--policy: 'exact' is not allowed"),
        (["train", "--out", "/proc/none/a.npz"], "/proc/none: cannot be written to"),
        (["train", "--out", "."], "--out: .: is a folder; it must be a file name"),
        (["run", "--agent", ""], "'--agent': '' is not allowed"),
        (["run", "--agent", "text.npz"], "text.npz: is not an agent's file; `quedge train` makes one"),
        (["run", "--agent", "agent.npz", "--policy", "exact"], "which is not among the policies"),
        (["run", "--agent", "agent.npz", "--learner", "batch=3"], "--learner: an agent has the settings of its file"),
        (["run", "--learner", "batch=3"], "--learner: no policy learns here"),
        (["run", "--policy", "lydroo-noma", "--learner", "batch=no"], "batch: 'no' is not allowed"),
        (["decide", "--agent", "none.npz"], "none.npz: cannot be read"),
        (["train", "--out", "new.pt"], "new.pt: is not allowed; it must end in .npz; a .pt file is in PyTorch's"),
        (["run", "--agent", "old.pt"], "old.pt: is in PyTorch's format, which quedge reads no more; docs/lydroo.md"),
    ],
)  # fmt: skip
def test_an_error_of_use_is_one_line_with_status_2(folder: Path, arguments: list[str], complaint: str) -> None:
    (folder / "text.npz").write_text("hello")
    with zipfile.ZipFile(folder / "old.pt", "w") as archive:
        archive.writestr("old/data.pkl", b"")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    done = main_in(folder, *arguments)
    (line,) = remarks(done.stderr)
    assert complaint in line
    assert done.returncode == 2
    assert done.stdout == ""
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_finished_training_has_nothing_left_to_do(folder: Path) -> None:
    before = (folder / "agent.npz").read_bytes()
    done = run(*TRAIN, "--resume", folder=folder)
    assert done.returncode == 0
    assert remarks(done.stderr) == ["quedge: agent.npz has all of its 60 frames; there is nothing left to learn from"]
    assert (folder / "agent.npz").read_bytes() == before


def test_a_trained_mlp_is_refused_for_another_number_of_devices(tmp_path: Path) -> None:
    into = [argument.replace("agent.npz", "new/folder/agent.npz") for argument in TRAIN]
    trained = run(*into, "--policy", "lydroo-noma", folder=tmp_path)
    assert trained.returncode == 0, trained.stderr
    done = run("run", "--agent", "new/folder/agent.npz", folder=tmp_path)
    assert done.returncode == 2
    (line,) = remarks(done.stderr)
    assert "devices: 10 is not allowed; this mlp actor was made for 3" in line
    lines = run("decide", "--agent", "new/folder/agent.npz", folder=tmp_path, given=FRAME)
    (answer,) = objects(lines.stdout)
    assert "this mlp actor was made for 3" in answer["error"]


def test_agents_learn_and_are_kept_without_pytorch_or_cvxpy(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "find, absent = PathFinder.find_spec, ('torch', 'cvxpy', 'clarabel')\n"
        "PathFinder.find_spec = lambda name, *rest: None if name.partition('.')[0] in absent else find(name, *rest)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}

    def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*QUEDGE, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    trained = bare("train", "--out", "a.npz", "--frames", "40", "--set", "devices=3")
    assert trained.returncode == 0, trained.stderr
    kept = bare("run", "--agent", "a.npz", "--frames", "5")
    assert kept.returncode == 0, kept.stderr
    fine = bare("run", "--policy", "exact", "--policy", "lydroo-sca", "--frames", "50", "--json")
    assert fine.returncode == 0, fine.stderr
    demo = bare("demo", "--frames", "5", "--out", "demo.png")
    assert demo.returncode == 0, demo.stderr
    assert "lydroo-tdma" in demo.stdout
