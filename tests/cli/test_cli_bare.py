"""The command line where no extra is installed: what works, and what names the extra that it needs."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

OF_EXTRAS = (
    "torch", "cvxpy", "clarabel", "ray", "optuna", "cryptography", "pqcrypto", "gymnasium", "stable_baselines3",
    "grpc", "prometheus_client", "structlog", "onnx", "onnxruntime", "matplotlib", "pyarrow", "scipy", "jinja2",
)  # fmt: skip
RECORDED = "frame,device,channel_gain,arrival_mbit\n0,0,1e-9,3\n0,1,2e-9,1\n1,0,2e-9,2\n1,1,3e-9,0\n"


REFUSED = {
    "run --out new": "figure.png (--no-figure does without) needs Matplotlib|plot",
    "run --out new --no-figure --traces parquet": "--traces parquet needs pyarrow|parquet",
    "run --channel-trace mine.parquet": "reading mine.parquet needs pyarrow|parquet",
    "run --arrival-trace mine.mat": "reading mine.mat needs SciPy|matlab",
    "demo": "the demo's figure (--no-figure does without) needs Matplotlib|plot",
    "reproduce --quick": "quedge reproduce needs pyarrow|experiments",
    "sweep --vary nu=1,2": "quedge sweep needs pyarrow|experiments",
    "report results": "report.html needs Jinja2|experiments",
    "tune": "the search for V and ν needs Optuna|tune",
    "run --agent actor.onnx": "an exported actor needs ONNX Runtime|onnx",
    "pqc measure": "needs cryptography|pqc",
    "pqc emulate": "needs cryptography|pqc",
    "tls-init new": "needs cryptography|serve",
    "serve --listen 127.0.0.1:0": "needs |serve",
    "emulate --connect 127.0.0.1:50051": "needs |serve",
}
ONE_AFTER_THE_OTHER = """
import contextlib, io, json, pathlib, sys
from quedge.cli import main
for command in sys.argv[1:]:
    out, err = io.StringIO(), io.StringIO()
    before = set(pathlib.Path().rglob("*"))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(command.split())
    made = [str(path) for path in set(pathlib.Path().rglob("*")) - before if "__pycache__" not in path.parts]
    print(json.dumps([status, out.getvalue(), err.getvalue(), made]))
"""


def without_extras(folder: Path) -> Path:
    """The folder, made one where commands run, and where Python finds what hides every extra."""
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({OF_EXTRAS!r}))\n")
    (folder / "mine.csv").write_text(RECORDED)
    for name in ("mine.parquet", "mine.mat", "actor.onnx"):
        (folder / name).touch()
    (folder / "results").mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return without_extras(tmp_path)


def bare(
    *arguments: str, folder: Path, program: tuple[str, ...] = ("-m", "quedge")
) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join((str(folder), *filter(None, [os.environ.get("PYTHONPATH")])))
    return subprocess.run(
        [sys.executable, "-W", "error", *program, *arguments], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": paths}, timeout=600, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Status, output, error and new files of each of the commands, which run in one process."""
    folder = without_extras(tmp_path_factory.mktemp("bare"))
    done = bare(*REFUSED, folder=folder, program=("-c", ONE_AFTER_THE_OTHER))
    assert (done.returncode, done.stderr) == (0, "")
    return dict(zip(REFUSED, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize(("command", "complaint"), REFUSED.items(), ids=REFUSED)
def test_a_command_names_the_extra_that_it_lacks_before_anything_is_computed(
    refused: dict[str, list[Any]], command: str, complaint: str
) -> None:
    status, out, err, made = refused[command]
    what, extra = complaint.split("|")
    (line,) = err.splitlines()
    assert what in line
    assert line.endswith(f"which is not installed: pip install 'quedge[{extra}]'")
    assert (status, out, made) == (2, "", [])


def test_a_process_of_its_own_refuses_as_they_do(folder: Path, refused: dict[str, list[Any]]) -> None:
    for command in ("demo", "tune"):
        done = bare(*command.split(), folder=folder)
        assert [done.returncode, done.stdout, done.stderr, []] == refused[command]


def test_a_run_plays_a_recording_and_leaves_tables(folder: Path) -> None:
    done = bare("run", "--channel-trace", "mine.csv", "--arrival-trace", "mine.csv", "--frames", "2", "--out", "new",
                "--no-figure", "--json", folder=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (folder / "new").iterdir()} == {"summary.json", "scenario.toml", "trace-exact.csv"}
    with open(folder / "new" / "trace-exact.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["device"], row["channel_gain"]) for row in rows] == [
        ("0", "0", "1e-09"), ("0", "1", "2e-09"), ("1", "0", "2e-09"), ("1", "1", "3e-09"),
    ]  # fmt: skip
    arrays = bare("run", "--channel-trace", "new/trace-exact.csv", "--out", "arrays", "--traces", "npz", "--no-figure",
                  folder=folder)  # fmt: skip
    assert arrays.returncode == 0, arrays.stderr
    assert (folder / "arrays" / "trace-exact.npz").exists()


def test_the_demo_runs_both_scenarios_without_its_figure(folder: Path) -> None:
    done = bare("demo", "--no-figure", "--frames", "5", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "munich: 10 devices" in done.stdout
    assert "Figure" not in done.stdout
    assert not (folder / "results" / "demo.png").exists()


def test_decisions_scenario_files_and_security_costs_need_no_extra(folder: Path) -> None:
    for arguments in (["init", "new.toml"], ["pqc", "list"], ["pqc", "show", "level3"], ["--version"]):
        done = bare(*arguments, folder=folder)
        assert done.returncode == 0, done.stderr
    secured = bare("run", "new.toml", "--set", "suite=level3", "--set", "device=stm32f411", "--set", "doppler_hz=0.1",
                   "--frames", "3", "--json", folder=folder)  # fmt: skip
    assert secured.returncode == 0, secured.stderr
    assert json.loads(secured.stdout)["policy"] == "exact"


def test_agents_learn_are_kept_and_run(folder: Path) -> None:
    trained = bare("train", "--out", "agent.npz", "--frames", "60", "--set", "devices=3", folder=folder)
    assert trained.returncode == 0, trained.stderr
    done = bare("run", "--agent", "agent.npz", "--set", "devices=5", "--frames", "5", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["policy"] == "equivariant"
