"""The same cells on a local Ray cluster: `pytest -m ray` runs these alone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quedge.errors import WorkersError
from quedge.experiments.engine.execution import Ran, run_missing
from quedge.experiments.engine.process_pool import ProcessPool
from quedge.experiments.engine.store import Store
from quedge.experiments.fingerprint import name_of
from tests.cli.test_cli import QUEDGE, remarks
from tests.cli.test_cli_experiments import alive, descendants, outputs
from tests.experiments.jobs import Threads, Told, job

pytest.importorskip("ray")
from quedge.experiments.engine.ray_cluster import RayCluster

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves its own sockets and processes to Python
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]


CELLS = [job(seed, frames=30, nu=nu) for seed in range(3) for nu in (20.0, 60.0)]
THREADS = job(0, Threads())
TOLD = [job(seed, Told(failing=1, dying=2)) for seed in range(4)]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All of these cells, on one local cluster."""
    return run_missing([*CELLS, THREADS, *TOLD], Store(tmp_path_factory.mktemp("ray")), RayCluster(workers=2))


def test_ray_finds_what_the_process_pool_finds(ran: Ran, tmp_path: Path) -> None:
    pool = run_missing(CELLS, Store(tmp_path), ProcessPool(2)).findings
    timed = {"decision_us_p25", "decision_us_p50", "decision_us_p75", "decision_us_p99", "wall_s"}
    assert pool.keys() == {name_of(each) for each in CELLS} < ran.findings.keys()
    for name, found in pool.items():
        for measure, value in found.items():
            if measure not in timed:
                assert str(ran.findings[name][measure]) == str(value), measure


def test_a_worker_has_one_compute_thread(ran: Ran) -> None:
    assert ran.findings[name_of(THREADS)] == {"numba": 1.0, "openblas": 1.0}


def test_failing_and_dying_jobs_are_reported_and_the_rest_finishes(ran: Ran) -> None:
    assert ran.failures.keys() == {name_of(TOLD[1]), name_of(TOLD[2])}
    assert ran.failures[name_of(TOLD[1])] == "ValueError: told to fail"
    assert "died" in ran.failures[name_of(TOLD[2])]
    assert [ran.findings[name_of(TOLD[seed])]["seed"] for seed in (0, 3)] == [0.0, 3.0]


SWEEP = ["sweep", "--vary", "nu=20,60", "--policy", "best-single", "--frames", "40", "--set", "devices=3"]


def quedge(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "quedge", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)


def test_the_command_writes_the_same_files_on_ray(tmp_path: Path) -> None:
    for name, options in (("pool", []), ("ray", ["--ray", "--workers", "2"])):
        done = quedge(tmp_path, *SWEEP, "--seeds", "2", "--out", name, *options)
        assert done.returncode == 0, done.stderr
        assert remarks(done.stderr) == []
    ours, theirs = outputs(tmp_path / "pool"), outputs(tmp_path / "ray")
    del ours["sweep-cells.csv"], theirs["sweep-cells.csv"]  # they have times of decisions
    assert ours == theirs


def test_an_existing_cluster_runs_the_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # all of it on the loopback interface
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    start = [
        str(Path(sys.executable).with_name("ray")),
        "start",
        "--head",
        "--block",
        "--num-cpus",
        "2",
        "--port",
        port,
    ]
    quiet = ["--include-dashboard", "false", "--disable-usage-stats"]
    cluster = subprocess.Popen(
        [*start, *quiet], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 120.0
        while time.monotonic() < deadline and not listens(int(port)):
            time.sleep(0.2)
        done = quedge(tmp_path, *SWEEP, "--seeds", "2", "--out", "made", "--ray", f"127.0.0.1:{port}")
        assert done.returncode == 0, done.stderr
        assert "4 cells." in done.stdout
    finally:
        os.killpg(cluster.pid, signal.SIGTERM)
        cluster.wait(60)


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_behind_whatever_ends_the_command(tmp_path: Path, how: signal.Signals) -> None:
    command = [*QUEDGE[:1], "-m", "quedge", *SWEEP[:5], "--frames", "3000", "--seeds", "200", "--ray", "--workers", "2"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120.0
    while not list(tmp_path.glob("results/sweep/cells/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.1)
    children = descendants(process.pid)
    assert len(children) >= 4
    if how is signal.SIGINT:
        os.killpg(process.pid, how)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out, len(remarks(err))) == (130, "", 1)
    else:
        process.kill()
        process.communicate(timeout=120)
    deadline = time.monotonic() + 120.0
    while left_behind(children, how) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left_behind(children, how)


def left_behind(children: set[int], how: signal.Signals) -> list[str]:
    """Commands of processes that still live; Ray's own agents take a minute to notice that the rest was killed."""
    commands = []
    for child in children:
        with contextlib.suppress(OSError):  # it may end while we look
            commands += [(Path("/proc") / str(child) / "cmdline").read_text()] if alive(child) else []
    return [command for command in commands if how is signal.SIGINT or "Agent" not in command]


def test_a_folder_that_is_too_long_for_ray_s_sockets_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    for name in ("TMPDIR", "RAY_TMPDIR"):
        monkeypatch.setenv(name, str(long))
        with pytest.raises(WorkersError, match=f"^--ray: {name}: .*x is not allowed; it must be a shorter path"):
            RayCluster(workers=1).start()
