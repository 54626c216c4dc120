"""`quedge serve --standby-of` as processes: what is acknowledged outlives the first service, and is served once."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc")

from quedge.service.client.client import Client, Decided, ServiceUnavailable
from tests.cli.test_cli_serve import QUEDGE

PATIENCE_S = 60.0
LONG_MS, SHORT_MS = 600_000, 2_000  # of a lease that does not run out however busy the machine is, and of one that does


class Serving:
    """A service of a pair, with its state and log in a folder of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port, self._seen_at = _free_port(), _free_port()
        where = ("--listen", f"127.0.0.1:{self.port}", "--metrics", f"127.0.0.1:{self._seen_at}")
        what = ("--set", "devices=2", "--policy", "best-single", "--late-ms", "3600000", "--state", str(folder))
        with (folder / "log").open("w") as log:
            line = [*QUEDGE, "serve", *where, *what, *arguments]
            self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=log)

    def until_told(self, event: str, **fields: str) -> None:
        until(lambda: any(line.items() >= {"event": event, **fields}.items() for line in self._lines()))

    def pairing(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / "pairing.json").read_text())
        return told

    def asked(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._seen_at}/{path}", timeout=PATIENCE_S) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def killed(self) -> None:
        self.process.kill()
        self.process.wait()

    def ended(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)

    def _lines(self) -> list[dict[str, Any]]:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        lines = (self.folder / "log").read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Serving]:
    service = Serving(folder, *arguments)
    try:
        yield service
    finally:
        service.killed()


def first_service(folder: Path, lease_ms: int = LONG_MS) -> contextlib.AbstractContextManager[Serving]:
    return serving(folder, "--allow-standby", "--lease-ms", str(lease_ms))


def standby_of(first: Serving, folder: Path) -> contextlib.AbstractContextManager[Serving]:
    follows = ("--standby-of", f"127.0.0.1:{first.port}")
    return serving(folder, "--allow-standby", "--lease-ms", str(LONG_MS), *follows)


def report(client: Client, frame: int) -> Decided:
    return client.decide(frame, [1e-10 * (frame + 1), 2e-11], [1.0 + frame, 2.0])


def client_of(*services: Serving) -> Client:
    return Client(",".join(f"127.0.0.1:{service.port}" for service in services), "north", timeout_s=PATIENCE_S)


def test_standbys_take_over_from_a_killed_and_from_an_ended_service_in_turn(tmp_path: Path) -> None:
    with first_service(tmp_path / "a") as a:
        a.until_told("started")
        with standby_of(a, tmp_path / "b") as b, client_of(a, b) as client:
            b.until_told("standing_by", standing="in sync")
            assert b.asked("readyz") == (503, "standby, in sync\n")
            assert "quedge_standby_in_sync 1.0" in a.asked("metrics")[1]
            told = [report(client, frame) for frame in range(5)]  # the cell begins after its standby
            a.killed()
            again = report(client, 4)
            assert (again.repeated, again.incarnation) == (True, told[4].incarnation)
            assert again.data_queue_mbit.tolist() == told[4].data_queue_mbit.tolist()
            assert not report(client, 5).repeated
            assert b.asked("readyz") == (200, "ready\n")
            with standby_of(b, tmp_path / "c") as c, client_of(b, c) as next_client:
                c.until_told("standing_by", standing="in sync")
                assert b.ended() == 0
                assert report(next_client, 5).repeated
                assert report(next_client, 6).incarnation == told[0].incarnation
        with first_service(tmp_path / "a") as back, client_of(back) as deceived:  # it may be a first no more
            back.until_told("started")
            assert back.asked("readyz")[0] == 503
            deceived._timeout_s = 1.0
            with pytest.raises(ServiceUnavailable, match="may have taken over"):
                report(deceived, 5)


def test_a_standby_that_was_silent_takes_over_only_when_told_and_under_another_incarnation(tmp_path: Path) -> None:
    with first_service(tmp_path / "a", SHORT_MS) as a:
        a.until_told("started")
        with standby_of(a, tmp_path / "b") as b, client_of(a) as client:
            b.until_told("standing_by", standing="in sync")
            before = report(client, 0)
            assert a.pairing()["may_take_over"] == b.pairing()["identity"]
            b.process.send_signal(signal.SIGSTOP)
            assert not report(client, 1).repeated  # once the lease has run out
            assert a.pairing()["may_take_over"] == ""
            a.killed()
            b.process.send_signal(signal.SIGCONT)
            b.until_told("standing_by", standing="behind: the first is not there")
            assert b.pairing()["is_standby"]
            b.process.send_signal(signal.SIGUSR1)
            b.until_told("started")
            with client_of(b) as other:
                assert report(other, 1).incarnation != before.incarnation


def test_a_standby_that_is_ended_lets_its_first_go_on_at_once_and_must_not_serve(tmp_path: Path) -> None:
    with first_service(tmp_path / "a") as a:
        a.until_told("started")
        with standby_of(a, tmp_path / "b") as b, client_of(a) as client:
            b.until_told("standing_by", standing="in sync")
            report(client, 0)
            assert b.ended() == 0
            a.until_told("standby", standing="left")
            assert report(client, 1).next_frame == 2
    line = [*QUEDGE, "serve", "--set", "devices=2", "--policy", "best-single", "--state", str(tmp_path / "b")]
    refused = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert refused.returncode != 0
    assert "is the copy of a standby" in refused.stderr
