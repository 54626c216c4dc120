"""`quedge serve` as a process: it starts, answers, keeps its state and says what is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from quedge.cli import serve as serve_module
from quedge.cli.serve import serve
from quedge.model.scenario import Scenario
from quedge.policy.exact import Exact
from quedge.service.settings import cpu_latency_lock
from quedge.simulation.run import simulate
from tests.cli.in_process import main_in

pytest.importorskip("grpc")

from quedge.service import quedge_pb2 as pb
from quedge.service import server

QUEDGE = [sys.executable, "-W", "error", "-m", "quedge"]
SEEN_AT: dict[int, str] = {}
TRACE = simulate(Scenario(devices=3), Exact(), frames=30, seed=4)


@contextlib.contextmanager
def serving(*arguments: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A service on a port of the system's choice, and that port."""
    process = subprocess.Popen(
        [*QUEDGE, "serve", "--listen", "127.0.0.1:0", "--set", "devices=3", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"Serving \S+ on 127\.0\.0\.1:(\d+); (plain text|mutual TLS)", line)
        if found is None:
            raise AssertionError(line + process.communicate(timeout=600)[1])
        seen_at = re.search(r"seen at (\S+)\.$", line.rstrip())
        SEEN_AT[int(found[1])] = "" if seen_at is None else seen_at[1]
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


def answers(port: int, frames: range, name: str = "north") -> list[pb.FrameAnswer]:
    """What the service answers to a run's frames."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        decide = channel.unary_unary(
            "/quedge.v1.Controller/Decide", pb.FrameReport.SerializeToString, pb.FrameAnswer.FromString
        )
        return [decide(report(t, name), timeout=120) for t in frames]


def report(frame: int, name: str = "north") -> pb.FrameReport:
    """A frame of the run as a base station reports it: what arrived in the frame before."""
    arrived = TRACE.arrival_mbit[frame - 1].tolist() if frame else [0.0] * 3
    return pb.FrameReport(
        base_station=name, frame=frame, channel_gain=TRACE.channel_gain[frame].tolist(), arrived_mbit=arrived
    )


def test_it_decides_as_a_simulation_does_and_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    with serving("--state", "state", folder=tmp_path) as (process, port):
        first = answers(port, range(12))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
    with serving("--state", "state", folder=tmp_path) as (process, port):
        rest = answers(port, range(11, 30))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) in (0, 130)
    assert [answer.outcome for answer in first] == [pb.SERVED] * 12
    assert rest[0].outcome == pb.REPEATED  # the last one before the stop, once more
    assert (rest[0].offload, rest[0].transmit_power_w) == (first[-1].offload, first[-1].transmit_power_w)
    for answer in [*first, *rest[1:]]:
        assert list(answer.offload) == TRACE.offload[answer.frame].tolist()
        assert list(answer.transmit_power_w) == TRACE.transmit_power_w[answer.frame].tolist()
        assert list(answer.power_w) == TRACE.power_w[answer.frame].tolist()


def test_a_kill_loses_no_acknowledged_frame(tmp_path: Path) -> None:
    with serving("--state", "state", folder=tmp_path) as (process, port):
        answers(port, range(9))
        process.send_signal(signal.SIGKILL)
        process.wait()
    with serving("--state", "state", folder=tmp_path) as (_, port):
        (due,) = answers(port, range(5, 6))
        assert (due.outcome, due.next_frame) == (pb.OLD_FRAME, 9)
        assert answers(port, range(9, 10))[0].outcome == pb.SERVED


def test_a_folder_of_another_scenario_is_refused_and_left_alone(tmp_path: Path) -> None:
    with serving("--state", "state", folder=tmp_path) as (_, port):
        answers(port, range(3))
    done = subprocess.run(
        [*QUEDGE, "serve", "--state", "state", "--set", "devices=3", "--set", "nu=7", "--listen", "127.0.0.1:0"],
        cwd=tmp_path, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 2
    assert "north was served under another scenario, policy" in done.stderr
    with serving("--state", "state", folder=tmp_path) as (_, port):
        assert answers(port, range(3, 4))[0].outcome == pb.SERVED


def test_only_base_stations_that_are_named_are_served_and_as_many_as_are_allowed(tmp_path: Path) -> None:
    def outcomes(port: int, *names: str) -> list[int]:
        return [answers(port, range(1), name)[0].outcome for name in names]

    with serving("--station", "north", "--station", "south", folder=tmp_path) as (_, port):
        assert outcomes(port, "west", "north", "west", "south") == [pb.BAD_NAME, pb.SERVED, pb.BAD_NAME, pb.SERVED]
    with serving("--max-stations", "1", folder=tmp_path) as (_, port):
        assert outcomes(port, "west", "north") == [pb.SERVED, pb.BAD_NAME]


def test_two_services_on_one_folder_or_port_are_refused(tmp_path: Path) -> None:
    with serving("--state", "state", folder=tmp_path) as (_, port):
        for arguments, complaint in (
            (["--state", "state", "--listen", "127.0.0.1:0"], "another service uses it"),
            (["--listen", f"127.0.0.1:{port}"], "cannot be listened on"),
        ):
            done = subprocess.run(
                [*QUEDGE, "serve", "--set", "devices=3", *arguments],
                cwd=tmp_path, capture_output=True, text=True, timeout=600,
            )  # fmt: skip
            assert done.returncode in (1, 2)
            assert complaint in done.stderr


def test_it_is_seen_from_outside_while_it_serves(tmp_path: Path) -> None:
    with serving("--metrics", "127.0.0.1:0", folder=tmp_path) as (process, port):
        answers(port, range(4))
        answers(port, range(9, 10))  # not its turn
        started = json.loads(process.stderr.readline())  # type: ignore[union-attr]
        assert (started["event"], started["tls"]) == ("started", "none")
        url = SEEN_AT[port]
        for path, text in (("healthz", "well"), ("readyz", "ready"), ("", "quedge"), ("live.json", "north")):
            with urllib.request.urlopen(url + path, timeout=120) as reply:
                assert text in reply.read().decode()
        with urllib.request.urlopen(url + "metrics", timeout=120) as reply:
            told = reply.read().decode()
        assert 'quedge_frames_total{base_station="north",served_by="policy"} 4.0' in told
        assert 'quedge_refused_total{outcome="future_frame"} 1.0' in told


def test_processors_are_kept_awake_on_request_as_long_as_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "latency"
    device.touch()
    held = cpu_latency_lock(device)
    monkeypatch.setattr(serve_module, "cpu_latency_lock", lambda: held)
    open_while_serving: list[bool] = []
    for asked in ((), ("--keep-awake",)):
        settings_of(monkeypatch, *asked, seen=lambda: open_while_serving.append(not held.closed))
    assert open_while_serving == [True, True]
    assert held.closed


def test_grpc_polls_directly_in_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_EXPERIMENTS", "")
    monkeypatch.delenv("GRPC_EXPERIMENTS")
    settings_of(monkeypatch)
    assert "-event_engine_listener" in os.environ["GRPC_EXPERIMENTS"]


def test_with_tls_only_clients_with_a_certificate_are_answered(tmp_path: Path) -> None:
    import grpc

    init = [*QUEDGE, "tls-init", "tls", "--client", "north"]
    subprocess.run(init, cwd=tmp_path, check=True, capture_output=True, timeout=600)
    files = ["--tls-cert", "tls/server.pem", "--tls-key", "tls/server-key.pem", "--client-ca", "tls/ca.pem"]
    with serving(*files, "--tls-require-hybrid", folder=tmp_path) as (_, port):
        ca, certificate, key = ((tmp_path / "tls" / name).read_bytes() for name in (
            "ca.pem", "client-north.pem", "client-north-key.pem",
        ))  # fmt: skip
        outcomes = []
        for credentials in (grpc.ssl_channel_credentials(ca, key, certificate), grpc.ssl_channel_credentials(ca)):
            with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
                decide = channel.unary_unary(
                    "/quedge.v1.Controller/Decide", pb.FrameReport.SerializeToString, pb.FrameAnswer.FromString
                )
                try:
                    outcomes.append(decide(report(0), timeout=120).outcome)
                except grpc.RpcError as error:
                    outcomes.append(error.code())
        assert outcomes == [pb.SERVED, grpc.StatusCode.UNAVAILABLE]


@pytest.mark.parametrize(
    ("frame_s", "deadline_s"), [(1.0, 0.02), (0.1, 0.02), (0.04, 0.02), (0.01, 0.005), (1e-3, 5e-4)]
)
def test_a_frame_of_devices_waits_20_ms_or_half_a_short_frame(
    frame_s: float, deadline_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_of(monkeypatch, "--set", f"frame_s={frame_s}").deadline_s == pytest.approx(deadline_s)


def test_a_deadline_that_is_given_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_of(monkeypatch, "--deadline-ms", "300").deadline_s == pytest.approx(0.3)


def settings_of(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, seen: Callable[[], None] = lambda: None
) -> server.Service:
    """What a service would be told to be; `seen` is called while it would serve."""
    told: list[server.Service] = []

    def run(service: server.Service, ready: Any, prepare: Any) -> None:
        told.append(service)
        seen()

    monkeypatch.setattr(server, "run", run)
    monkeypatch.setattr(server, "warm_up", lambda fresh: None)
    monkeypatch.setattr(sys, "setswitchinterval", lambda seconds: None)
    app = typer.Typer()
    app.command()(serve)
    done = CliRunner().invoke(app, ["--set", "devices=3", *arguments])
    assert done.exit_code == 0, done.output
    (service,) = told
    return service


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--listen", "0.0.0.0:0"], "--listen: '0.0.0.0' is not allowed without TLS"),
        (["--tls-cert", "a.pem"], "--tls-key: is missing; --tls-cert, --tls-key, --client-ca are given together"),
        (["--tls-require-hybrid"], "--tls-require-hybrid: is not allowed without TLS"),
        (["--bind-names"], "--bind-names: is not allowed without TLS: --tls-cert, --tls-key and --client-ca"),
        (["--refusal-rate", "-1"], "'-1' is not allowed; it must be a number from 0 to 1e+09"),
        (["--metrics", "0.0.0.0:0"], "--metrics: '0.0.0.0' is not allowed unguarded; it must be a loopback address"),
        (["--metrics", "[::]:0"], "or --metrics-token or --metrics-tls must be given"),
        (["--metrics", "0.0.0.0:0", "--metrics-tls"], "--metrics-tls: is not allowed without TLS: --tls-cert"),
        (["--metrics-token", "token"], "--metrics-token: is not allowed without --metrics, where the service is seen"),
        (
            ["--metrics", "0.0.0.0:0", "--metrics-token", "token"],
            "--metrics-token: token: cannot be read: No such file",
        ),
        (["--log", "verse"], "verse"),
        (["--station", "a b"], "--station: 'a b' is not allowed; it must be 1 to 64 letters, digits"),
        (
            ["--station", "a", "--station", "b", "--max-stations", "1"],
            "--max-stations: 1 is not allowed; it must be at",
        ),
        (["--max-stations", "0"], "'0' is not allowed; it must be an integer from 1 to 10000"),
        (["--listen", "50051"], "'50051' is not allowed; it must be HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], "is not allowed; it must be HOST:PORT"),
        (["--policy", "lydroo-noma"], "--policy lydroo-noma: must be given --agent FILE, a trained agent, or --learn"),
        (["--policy", "exact", "--learn"], "--learn: exact does not learn; it is for equivariant"),
        (["--late-ms", "0"], "'0' is not allowed; it must be a number above 0"),
        (["--durability", "eternal"], "eternal"),
        (["--state", ""], "'' is not allowed; it must be a name"),
        (["nowhere.toml"], "nowhere.toml: cannot be read"),
    ],
)
def test_bad_use_is_refused_on_one_line(arguments: list[str], complaint: str, tmp_path: Path) -> None:
    done = main_in(tmp_path, "serve", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
