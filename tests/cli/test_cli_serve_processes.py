"""`quedge serve --processes`: cells behind one address that follow their streams, whatever becomes of a process."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("grpc")
if sys.platform != "linux":
    pytest.skip("only Linux shares connections out", allow_module_level=True)

import grpc

from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from quedge.service.tls.certificates import Written, lifetime, write_folder
from tests.cli.in_process import main_in
from tests.cli.served import PATIENCE_S, QUEDGE, Served, credentials, serving, tls_options, until
from tests.service.wire import Stream, asked, connected, device_report, frame_report

SEEN = ["--metrics", "127.0.0.1:0"]
SEVERAL = ["--processes", "2", "--state", "state", "--max-stations", "200", *SEEN]
REST_S = 1.1  # a cell that has moved stays for a second
NUMBERS = itertools.count()


class Cells:
    """Clients of a service, each with a connection of its own, by the process that it comes to."""

    def __init__(self, service: Served) -> None:
        self.service, self._open = service, contextlib.ExitStack()

    def channel(self, process: int) -> grpc.Channel:
        """A connection to a process: which one a connection comes to shows by a cell that begins with it."""
        while True:
            name = f"probe-{next(NUMBERS)}"
            channel = self._open.enter_context(connected(f"127.0.0.1:{self.service.port}"))
            assert asked(channel, methods.DECIDE, frame_report(0, name)).outcome == pb.SERVED
            if self.process_of(name) == process:
                return channel

    def stream(self, process: int, method: methods.Method = methods.SERVE_FRAMES) -> Stream:
        return Stream(self.channel(process), method)

    def process_of(self, name: str) -> int | None:
        """Which process shows a cell."""
        found = re.findall(
            rf'^quedge_next_frame{{process="(\d)",base_station="{name}"}}', text(self.service, "metrics"), re.MULTILINE
        )
        assert len(found) <= 1, "it is shown twice"
        return int(found[0]) if found else None

    def next_frame(self, process: int, name: str) -> int:
        return int(asked(self.channel(process), methods.STATE, pb.StateRequest(base_station=name)).next_frame)

    def close(self) -> None:
        self._open.close()


def text(service: Served, path: str) -> str:
    with urllib.request.urlopen(service.web + path, timeout=PATIENCE_S) as reply:
        return str(reply.read().decode())


def probed(service: Served, path: str = "healthz") -> tuple[int, str]:
    """Status and body of a probe."""
    try:
        return 200, text(service, path)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def pids(service: Served) -> dict[int, int]:
    """The processes that serve, by their numbers; the last that was begun of each."""
    return {line["process"]: line["pid"] for line in service.events("process_began")}


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def answered(service: Served, report: pb.FrameReport) -> pb.FrameAnswer | None:
    """The answer over a new connection; None where it is to be tried again."""
    with contextlib.suppress(grpc.RpcError), connected(f"127.0.0.1:{service.port}") as channel:
        return Stream(channel, methods.SERVE_FRAMES).ask(report)
    return None


def closed(stream: Stream) -> None:
    """End a stream, and wait until the service has."""
    stream.close()
    with pytest.raises(StopIteration):
        stream.read()


def stream_ended(stream: Stream) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError):
        stream.read()
    return stream.status()[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    (folder / "cell.toml").write_text("devices = 3\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Served]:
    with serving(folder, "cell.toml", *SEVERAL, "--deadline-ms", "10000") as served:
        yield served


@pytest.fixture
def cells(service: Served) -> Iterator[Cells]:
    clients = Cells(service)
    yield clients
    clients.close()


def test_a_cell_follows_its_streams_and_keeps_all_of_its_state(cells: Cells) -> None:
    incarnations, frame = set(), 0
    for process in (0, 1, 0):
        stream = cells.stream(process)
        for _ in range(3):
            answer = stream.ask(frame_report(frame, "mast"))
            assert (answer.outcome, answer.frame) == (pb.SERVED, frame)
            incarnations.add(answer.incarnation)
            frame += 1
        assert cells.process_of("mast") == process
        assert cells.next_frame(0, "mast") == cells.next_frame(1, "mast") == frame
        closed(stream)
        if process == 1:
            time.sleep(REST_S)
    assert len(incarnations) == 1
    alone = cells.stream(1)
    for number in range(frame):
        last = alone.ask(frame_report(number, "mast-alone"))
    answer.incarnation = last.incarnation = ""
    assert answer == last  # it has moved, and decides as one that has not


def test_one_stream_alone_serves_a_base_station_wherever_others_come_from(cells: Cells) -> None:
    first, second = cells.stream(0), cells.stream(1)
    assert first.ask(frame_report(0, "quay")).outcome == pb.SERVED
    assert second.ask(frame_report(1, "quay")).outcome == pb.NAME_TAKEN
    assert first.ask(frame_report(1, "quay")).outcome == pb.SERVED
    first.close()
    until(lambda: second.ask(frame_report(2, "quay")).outcome == pb.SERVED)


def test_devices_of_a_cell_are_decided_together_whichever_process_they_come_to(cells: Cells) -> None:
    streams = [cells.stream(process, methods.SERVE_DEVICE) for process in (0, 1, 1)]
    for frame in range(2):
        for number, stream in enumerate(streams):
            stream.send(device_report(number, "square"))
        answers = [stream.read() for stream in streams]
        assert {(answer.outcome, answer.frame) for answer in answers} == {(pb.SERVED, frame)}
    silent = cells.stream(1, methods.SERVE_DEVICE)
    assert silent.ask(device_report(2, "square")).outcome == pb.REPEATED_DEVICE


def test_a_stream_may_report_for_cells_of_several_processes_in_turn_and_is_answered_in_order(cells: Cells) -> None:
    here, there = cells.stream(0), cells.stream(1)
    assert there.ask(frame_report(0, "there")).outcome == pb.SERVED
    for frame in range(3):
        here.send(frame_report(frame, "here"))
    here.send(frame_report(1, "there"))
    here.send(frame_report(3, "here"))
    told = [here.read() for _ in range(5)]
    outcomes = [pb.SERVED, pb.SERVED, pb.SERVED, pb.NAME_TAKEN, pb.SERVED]
    assert [(answer.frame, answer.outcome) for answer in told] == list(zip((0, 1, 2, 1, 3), outcomes, strict=True))


def test_single_calls_find_the_cell(cells: Cells) -> None:
    stream, elsewhere = cells.stream(0), cells.channel(1)
    assert stream.ask(frame_report(0, "tower")).outcome == pb.SERVED
    assert asked(elsewhere, methods.CHECKPOINT, pb.CheckpointRequest(base_station="tower")).next_frame == 1
    assert asked(elsewhere, methods.DECIDE, frame_report(1, "tower")).outcome == pb.NAME_TAKEN
    for name in ("nobody", "no name!"):
        assert asked(elsewhere, methods.STATE, pb.StateRequest(base_station=name)).outcome == pb.BAD_NAME
    assert asked(elsewhere, methods.DECIDE, frame_report(0, "no name!")).outcome == pb.BAD_NAME
    assert cells.process_of("nobody") is None


def test_a_changed_scenario_is_taken_over_by_all(service: Served, cells: Cells, folder: Path) -> None:
    streams = [cells.stream(process) for process in (0, 1)]
    for process, stream in enumerate(streams):
        assert stream.ask(frame_report(0, f"changed-{process}")).outcome == pb.SERVED
    (folder / "cell.toml").write_text("devices = 3\nv = 77.0\n", encoding="utf-8")
    service.process.send_signal(signal.SIGHUP)
    for process in (0, 1):
        service.logged("reloaded", process=process, changed=["v"])
        service.logged("migrated", process=process, base_station=f"changed-{process}")
    for process in (1, 0):  # and what moves afterwards is served under it
        closed(streams[process])
        assert cells.stream(1 - process).ask(frame_report(1, f"changed-{process}")).outcome == pb.SERVED


def test_a_process_that_is_killed_is_seen_and_begun_again_and_its_cells_go_on_elsewhere(
    service: Served, cells: Cells
) -> None:
    doomed, other = cells.stream(0), cells.stream(1)
    for frame in range(5):
        assert doomed.ask(frame_report(frame, "doomed")).outcome == pb.SERVED
    passed_on = cells.stream(1)
    assert passed_on.ask(frame_report(9, "doomed")).outcome == pb.NAME_TAKEN
    assert other.ask(frame_report(0, "survivor")).outcome == pb.SERVED
    assert probed(service)[0] == 200
    os.kill(pids(service)[0], signal.SIGKILL)
    _, why = until(lambda: (found := probed(service))[0] == 503 and found)
    assert why in ("process 0: it is gone\n", "process 0: starting\n")
    assert stream_ended(doomed) is grpc.StatusCode.UNAVAILABLE
    assert stream_ended(passed_on) is grpc.StatusCode.UNAVAILABLE
    assert other.ask(frame_report(1, "survivor")).outcome == pb.SERVED
    answer = until(lambda: answered(service, frame_report(5, "doomed")))
    assert answer.frame == 5
    assert answer.outcome in (pb.SERVED, pb.REPEATED)
    service.logged("process_ended", process=0, status=-signal.SIGKILL)
    until(lambda: probed(service)[0] == 200)
    assert service.metric('quedge_process_restarts_total{process="0"}') == 1
    assert cells.stream(0).ask(frame_report(0, "after")).outcome == pb.SERVED


def test_a_process_that_answers_no_more_is_not_well(service: Served) -> None:
    pid = pids(service)[1]
    os.kill(pid, signal.SIGSTOP)
    try:
        _, why = until(lambda: (found := probed(service))[0] == 503 and found)
        assert why == "process 1: it does not answer\n"
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: probed(service)[0] == 200)


def test_all_is_seen_at_one_place(service: Served, cells: Cells) -> None:
    names = {"east", "west"}
    for process, name in enumerate(sorted(names)):
        assert cells.stream(process).ask(frame_report(0, name)).outcome == pb.SERVED
    told = json.loads(text(service, "live.json"))
    assert names <= {station["name"] for station in told["base_stations"]}
    assert (told["state"], told["devices"]) == ("ready", 3)
    assert probed(service, "readyz") == (200, "ready\n")
    for name in names:
        assert f"{name}: incarnation " in probed(service)[1]
    for process in "01":
        assert service.metric(f'quedge_healthy{{process="{process}"}}') == 1
        assert service.metric(f'quedge_process_ready{{process="{process}"}}') == 1
    assert {line.get("process") for line in service.events("started")} == {0, 1}


def test_it_ends_with_all_processes_on_a_second_interrupt_too_and_one_process_goes_on(
    service: Served, cells: Cells, folder: Path
) -> None:
    stream = cells.stream(0)
    assert stream.ask(frame_report(0, "last")).outcome == pb.SERVED
    running = pids(service)
    service.process.send_signal(signal.SIGINT)
    service.process.send_signal(signal.SIGINT)
    assert stream_ended(stream) is grpc.StatusCode.UNAVAILABLE
    assert service.process.wait(timeout=120) == 0
    assert not any(map(is_running, running.values()))
    assert service.log()[-1]["event"] == "stopped"  # each line is JSON: there is no traceback
    alone = serving(folder, "cell.toml", "--state", "state", "--max-stations", "200")
    with alone as one, connected(f"127.0.0.1:{one.port}") as channel:
        assert asked(channel, methods.STATE, pb.StateRequest(base_station="doomed")).next_frame == 6
        assert asked(channel, methods.DECIDE, frame_report(1, "last")).outcome == pb.SERVED


def test_processes_end_by_themselves_where_nobody_looks_after_them(tmp_path: Path) -> None:
    with serving(tmp_path, "--processes", "2", "--state", "state") as service:
        with connected(f"127.0.0.1:{service.port}") as channel:
            stream = Stream(channel, methods.SERVE_FRAMES)
            assert stream.ask(frame_report(0)).outcome == pb.SERVED
            running = pids(service)
            service.process.kill()
            assert stream_ended(stream) is grpc.StatusCode.UNAVAILABLE
        until(lambda: not any(map(is_running, running.values())))
        assert service.events("stopped")
    done = main_in(tmp_path, "state", "verify", "state")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_folder(tmp_path_factory.mktemp("tls") / "pki", (), ["roof", "quay"], lifetime(1))


def test_who_calls_is_known_to_the_process_that_the_call_is_passed_on_to(pki: Written, tmp_path: Path) -> None:
    several = ["--processes", "2", "--state", "state", *tls_options(pki), *SEEN]
    with serving(tmp_path, *several) as service, contextlib.ExitStack() as opened:

        def came_to(process: int) -> grpc.Channel:
            """A connection of quay's to a process: the one that counts that quay may not speak for roof."""
            count = f'quedge_refused_total{{process="{process}",outcome="bad_name"}}'
            while True:
                before = service.metric(count)
                channel = opened.enter_context(connected(f"127.0.0.1:{service.port}", credentials(pki, "quay")))
                assert asked(channel, methods.DECIDE, frame_report(0, "roof")).outcome == pb.BAD_NAME
                if service.metric(count) > before:
                    return channel

        here, there = came_to(0), came_to(1)
        stream, again = (Stream(channel, methods.SERVE_FRAMES) for channel in (here, there))
        assert stream.ask(frame_report(0, "quay")).outcome == pb.SERVED
        assert asked(there, methods.STATE, pb.StateRequest(base_station="quay")).next_frame == 1
        assert again.ask(frame_report(1, "quay")).outcome == pb.NAME_TAKEN
        refused = service.logged("refused", process=0, outcome="name_taken")
        assert re.fullmatch(r"127\.0\.0\.1:\d+", refused["peer"])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ([], "--processes: is not allowed without --state"),
        (["--state", "s", "--allow-standby"], "--allow-standby: is not allowed with --processes"),
        (["--state", "s", "--alone"], "--alone: is not allowed with --processes"),
        (["--state", "s", "--standby-of", "127.0.0.1:1"], "--standby-of: is not allowed with --processes"),
        (["--state", "s", "--shadow", "all-local", *SEEN], "--shadow: is not allowed with --processes"),
    ],
)
def test_what_several_processes_cannot_have_is_refused_by_name(options: list[str], named: str, tmp_path: Path) -> None:
    done = main_in(tmp_path, "serve", "--policy", "best-single", "--processes", "2", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"quedge: {named}")
    assert done.stderr.count("\n") == 1


def test_the_number_of_processes_may_stand_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEDGE_SERVE_PROCESSES", "2")
    assert "--processes: is not allowed without --state" in main_in(tmp_path, "serve").stderr


def test_a_start_that_fails_ends_all_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "roof.journal").write_bytes(b"no journal")
    done = subprocess.run(
        [*QUEDGE, "serve", "--policy", "best-single", "--listen", "127.0.0.1:0", "--log", "console", *SEVERAL],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert [line for line in done.stderr.splitlines() if "roof.journal" in line]
    assert "Traceback" not in done.stderr
