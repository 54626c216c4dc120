"""`quedge serve` as a process goes on, whoever asks too much of it, goes away or hangs up."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import pytest

pytest.importorskip("grpc")

import grpc

from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from tests.cli import served
from tests.cli.test_cli_serve import QUEDGE, answers
from tests.service import wire

CLIENTS = 24
WEB = ["--metrics", "127.0.0.1:0"]


class Serving(NamedTuple):
    process: subprocess.Popen[str]
    port: int
    web: int

    def still_answers(self, frame: int = 0) -> bool:
        assert self.process.poll() is None, f"it ended with {self.process.returncode}"
        return answers(self.port, range(frame, frame + 1))[0].outcome == pb.SERVED

    def ended(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)


@contextlib.contextmanager
def serving(folder: Path, stderr: int | IO[str] | None = None) -> Iterator[Serving]:
    """A service, seen from a web port; its log goes to a file, or where it is told to."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*QUEDGE, "serve", "--listen", "127.0.0.1:0", "--set", "devices=3", "--policy", "best-single", *WEB],
            cwd=folder, stdout=subprocess.PIPE, stderr=log if stderr is None else stderr, text=True,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"Serving \S+ on 127\.0\.0\.1:(\d+);.*seen at http://127\.0\.0\.1:(\d+)/", line)
        assert found is not None, line + (folder / "log").read_text()
        yield Serving(process, int(found[1]), int(found[2]))
    finally:
        process.kill()
        process.communicate()


def asked(port: int, path: str = "/metrics", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Status and body of a whole answer; 0 where the connection was ended before there was any."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", path, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read()  # an answer that is cut raises IncompleteRead
    except (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected):
        return 0, b""
    finally:
        connection.close()


def test_it_outlives_many_clients_at_once_and_cuts_no_answer(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        assert service.still_answers(0)
        found: Counter[int] = Counter()
        cut: list[Exception] = []

        def ask_on() -> None:
            for _ in range(10):
                try:
                    found[asked(service.web)[0]] += 1
                except Exception as error:
                    cut.append(error)

        clients = [threading.Thread(target=ask_on) for _ in range(CLIENTS)]
        for each in clients:
            each.start()
        for each in clients:
            each.join()
        assert cut == []
        assert set(found) <= {200, 503, 0}
        assert found[200] > 0
        assert service.still_answers(1)
        assert asked(service.web)[0] == 200
        assert service.ended() == 0


def test_it_outlives_clients_that_go_away_in_the_middle_of_their_answers(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        for _ in range(60):
            with socket.create_connection(("127.0.0.1", service.web)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # its end is a reset
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        time.sleep(0.5)
        assert service.still_answers()
        assert service.ended() == 0


def answered(port: int) -> pb.FrameAnswer | None:
    """The answer to a first report of a client that has just come; None where it is turned away."""
    with contextlib.suppress(grpc.RpcError):
        return answers(port, range(1))[0]
    return None


def test_it_outlives_more_connections_than_it_has_descriptors(tmp_path: Path) -> None:
    with served.serving(tmp_path, *WEB, descriptors=256) as service, wire.connected(f"127.0.0.1:{service.port}") as to:
        few = service.logged("few_descriptors")
        assert (few["level"], few["allowed"], few["advised"]) == ("warning", 256, 1024)
        stream = wire.Stream(to, methods.SERVE_FRAMES)
        assert stream.ask(wire.frame_report(0)).outcome == pb.SERVED
        silent = [socket.create_connection(("127.0.0.1", service.port), 60) for _ in range(300)]
        assert stream.ask(wire.frame_report(1)).outcome == pb.SERVED
        assert service.metric('quedge_next_frame{base_station="roof"}') == 2
        assert service.metric("process_open_fds") < 256
        for each in silent:
            each.close()
        assert served.until(lambda: answered(service.port)).outcome == pb.SERVED
        assert service.events("library") == []  # nor does it run out of descriptors
        assert service.ended() == 0


def test_it_outlives_the_reader_of_its_log(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    with serving(tmp_path, writes) as service:
        os.close(writes)
        os.close(reads)
        assert answers(service.port, range(7, 8))[0].outcome == pb.FUTURE_FRAME  # it is logged
        time.sleep(0.6)  # the log is written in a thread of its own
        assert service.still_answers()
        assert service.ended() == 0


def test_a_reader_of_its_log_that_reads_no_more_neither_holds_it_up_nor_keeps_it_from_its_end(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writes, bytes(fcntl.fcntl(writes, fcntl.F_GETPIPE_SZ)))
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writes, b".")
    os.set_blocking(writes, True)
    try:
        with serving(tmp_path, writes) as service:
            assert answers(service.port, range(7, 8))[0].outcome == pb.FUTURE_FRAME  # it is logged
            assert service.still_answers()
            assert service.ended() == 0
    finally:
        os.close(reads)
        os.close(writes)


def test_it_outlives_the_reader_of_its_output(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        assert service.process.stdout is not None
        service.process.stdout.close()
        service.process.stdout = None
        assert service.still_answers()
        assert service.ended() == 0


def test_a_hangup_is_not_its_end(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        service.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert service.still_answers()
        assert service.ended() == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),  # another port of this machine
        ({"Sec-Fetch-Site": "whatever comes"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),  # typed by hand
        ({}, 200),
    ],
)
def test_pages_of_other_origins_get_nothing(headers: dict[str, str], status: int, everywhere: Serving) -> None:
    for path in ("/", "/metrics", "/live.json", "/healthz", "/readyz"):
        assert asked(everywhere.web, path, headers)[0] == status, path
    own = {"Origin": f"http://127.0.0.1:{everywhere.web}"}
    assert asked(everywhere.web, "/live.json", own)[0] == 200


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One service for all of them."""
    with serving(tmp_path_factory.mktemp("service")) as service:
        yield service


def test_pages_of_other_origins_that_ask_on_and_on_do_not_end_it(everywhere: Serving) -> None:
    def ask_on() -> None:
        for _ in range(20):
            asked(everywhere.web, headers={"Sec-Fetch-Site": "cross-site"})

    loops = [threading.Thread(target=ask_on) for _ in range(12)]
    for each in loops:
        each.start()
    for each in loops:
        each.join()
    assert everywhere.still_answers()


@pytest.mark.parametrize("command", [["pqc", "list"], ["init", "--help"], ["--help"], ["pqc", "show", "level3"]])
def test_a_short_command_whose_reader_goes_away_ends_quietly(command: list[str], tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = subprocess.run(
            [*QUEDGE, *command],
            cwd=tmp_path,
            stdout=writes,
            stderr=subprocess.PIPE,
            text=True,
            timeout=600,
            check=False,
        )
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_by_line_command_whose_reader_goes_away_ends_quietly(unbuffered: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*QUEDGE, "decide", "--policy", "best-single", "--set", "devices=1"], cwd=tmp_path, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    frame = '{"channel_gain": [1e-9], "data_queue_mbit": [3], "energy_queue": [0]}\n'
    process.stdin.write(frame)
    process.stdin.flush()
    assert process.stdout.readline().startswith("{")
    process.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(frame)
        process.stdin.close()
    process.stdin = None
    assert process.wait(timeout=600) == 141
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
def test_output_on_a_full_disk_is_told_as_that(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*QUEDGE, "pqc", "list"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "quedge: output: No space left on device\n")


RAISING = """
import sys, warnings
from quedge.cli import command
def raising(): raise {error}
command.app.command("raising")(raising)
sys.exit(command.main(["raising"]))
"""


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        ("EOFError('Ran out of input')", 1, "EOFError: Ran out of input"),
        ("OSError('no such luck')", 1, "quedge: OSError: no such luck"),
        ("OSError(28, 'No space left on device')", 1, "quedge: OSError: No space left on device"),
        ("OSError(28, 'No space left on device', 'a.csv')", 1, "quedge: a.csv: No space left on device"),
        ("BrokenPipeError(32, 'Broken pipe')", 1, "quedge: BrokenPipeError: Broken pipe"),
        ("ConnectionResetError(104, 'Connection reset by peer')", 1, "quedge: ConnectionResetError: Connection reset"),
        ("KeyboardInterrupt", 130, ""),
    ],
)
def test_an_error_of_a_command_is_neither_taken_for_ctrl_c_nor_for_one_of_its_output(
    error: str, status: int, said: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RAISING.format(error=error)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert done.stderr.strip().splitlines()[-1:] == ([] if not said else [done.stderr.strip().splitlines()[-1]])
    assert said in done.stderr
    assert "output:" not in done.stderr
