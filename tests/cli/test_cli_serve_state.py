"""`quedge serve` as a process tells the truth about its state: what it cannot keep, lacks, or no longer has."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("grpc")

import quedge
from quedge.service import quedge_pb2 as pb
from tests.cli.test_cli_serve import QUEDGE, answers

PATIENCE_S = 60.0
FILES = ("north.journal", "north.journal-wal", "north.journal-last")


class Serving(NamedTuple):
    process: subprocess.Popen[str]
    port: int
    web: str
    log: Path

    def outcome(self, frame: int, name: str = "north") -> int:
        return answers(self.port, range(frame, frame + 1), name)[0].outcome

    def health(self, path: str = "healthz") -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.web + path, timeout=PATIENCE_S) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def until_told(self, event: str) -> dict[str, Any]:
        """The first line of the log with an event."""
        until(lambda: any(line["event"] == event for line in self.events()))
        return next(line for line in self.events() if line["event"] == event)

    def killed(self) -> None:
        self.process.kill()
        self.process.wait()

    def ended(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=PATIENCE_S) == 0


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


THREE_DEVICES = ("--set", "devices=3")
COMMAND = [*QUEDGE, "serve", "--metrics", "127.0.0.1:0", *THREE_DEVICES, "--listen"]


@contextlib.contextmanager
def serving(
    folder: Path,
    *arguments: str,
    port: int = 0,
    most_blocks: int | None = None,
    scenario: Sequence[str] = THREE_DEVICES,
) -> Iterator[Serving]:
    """A service whose files may not be larger than some KiB: to it the disk is full then."""
    log = folder / f"log-{time.monotonic_ns()}"
    limit = "" if most_blocks is None else f"ulimit -S -f {most_blocks}; "
    with log.open("w") as file:
        process = subprocess.Popen(
            ["bash", "-c", f'{limit}exec "$@"', "bash", *QUEDGE, "serve", "--metrics", "127.0.0.1:0", *scenario,
             "--listen", f"127.0.0.1:{port}", *arguments],
            cwd=folder, stdout=subprocess.PIPE, stderr=file, text=True,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.match(r"Serving \S+ on 127\.0\.0\.1:(\d+);.*seen at (\S+)\.$", process.stdout.readline())
        assert found is not None, log.read_text()
        yield Serving(process, int(found[1]), found[2], log)
    finally:
        process.kill()
        process.communicate()


def refused(folder: Path, state: str = "state") -> str:
    """What a service says that must not start."""
    done = subprocess.run(
        [*COMMAND, "127.0.0.1:0", "--state", state], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def unlimited(process: subprocess.Popen[str]) -> None:
    subprocess.run(["prlimit", f"--pid={process.pid}", "--fsize=unlimited"], check=True)


needs_prlimit = pytest.mark.skipif(shutil.which("prlimit") is None, reason="there is no prlimit")


@needs_prlimit
def test_a_full_disk_is_told_at_once_and_so_is_its_end(tmp_path: Path) -> None:
    with serving(tmp_path, "--state", "state", most_blocks=80) as service:
        assert service.health()[0] == service.health("readyz")[0] == 200
        frame = 0
        while service.outcome(frame) == pb.SERVED:
            frame += 1
        began = time.monotonic()
        for path in ("healthz", "readyz"):
            status, told = service.health(path)
            assert status == 503
            assert told.startswith("north: north.journal: "), told
            assert str(tmp_path) not in told
        assert time.monotonic() - began < 1.0
        assert "reason" in service.until_told("unwell")
        with quedge.Client(f"127.0.0.1:{service.port}", "north") as client:
            assert client.next_frame() == frame
        assert "quedge_healthy 0.0" in service.health("metrics")[1]
        unlimited(service.process)
        assert service.outcome(frame) == pb.SERVED
        assert service.health()[0] == service.health("readyz")[0] == 200
        service.until_told("well")
        service.killed()
    with serving(tmp_path, "--state", "state") as service:
        assert service.outcome(frame + 1) == pb.SERVED


@needs_prlimit
@pytest.mark.parametrize("frames", [0, 3])
def test_a_disk_that_is_full_at_the_start_is_told_and_its_end_without_a_report(tmp_path: Path, frames: int) -> None:
    if frames:
        with serving(tmp_path, "--state", "state") as service:
            answers(service.port, range(frames))
            service.ended()
    with serving(tmp_path, "--state", "state", most_blocks=1) as service:
        assert service.health()[0] == service.health("readyz")[0] == 503
        answer = answers(service.port, range(frames, frames + 1))[0]
        assert answer.outcome == pb.NOT_DURABLE
        assert str(tmp_path) not in answer.message
        assert "state" not in answer.message.split("/")
        if frames:  # nobody is told that its cell is new
            with (
                quedge.Client(f"127.0.0.1:{service.port}", "north") as client,
                pytest.raises(quedge.ServiceUnavailable, match="state cannot be used now"),
            ):
                client.next_frame()
        unlimited(service.process)
        until(lambda: service.health()[0] == 200)
        assert service.outcome(frames) == pb.SERVED


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_removed_while_it_serves_is_noticed_without_a_report(tmp_path: Path, file: str) -> None:
    with serving(tmp_path, "--state", "state") as service:
        answers(service.port, range(3))
        (tmp_path / "state" / file).rename(tmp_path / "moved")
        assert service.health() == (503, f"north: {file}: was removed while in use\n")
        assert service.until_told("unwell")["reason"] == f"north: {file}: was removed while in use"
        assert service.outcome(3) == pb.NOT_DURABLE
        (tmp_path / "moved").rename(tmp_path / "state" / file)
        assert service.outcome(3) == pb.SERVED
        assert service.health()[0] == 200


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a service that was killed after eight frames, and its cell's incarnation."""
    folder = tmp_path_factory.mktemp("killed")
    with serving(folder, "--state", "state") as service:
        incarnation = answers(service.port, range(8))[-1].incarnation
        assert incarnation in service.health()[1]
        assert (
            f'quedge_state_info{{base_station="north",incarnation="{incarnation}"}} 1.0' in service.health("metrics")[1]
        )
        service.killed()
    return folder / "state", incarnation


def copied(killed: tuple[Path, str], folder: Path, *files: str) -> str:
    """Some of the files elsewhere; the incarnation."""
    (folder / "state").mkdir()
    for file in files:
        shutil.copy(killed[0] / file, folder / "state" / file)
    return killed[1]


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        (("north.journal",), "north.journal-last, which belongs to it, is missing"),
        (("north.journal", "north.journal-wal"), "north.journal-last, which belongs to it, is missing"),
        (("north.journal", "north.journal-last"), "north.journal-wal, which has its last frames, is missing"),
        (("north.journal-last",), "is gone, but north.journal-last tells of 8 frames"),
        (("north.journal-wal",), "is gone, but north.journal-wal is there"),
        (("north.journal-wal", "north.journal-last"), "is gone, but north.journal-wal is there"),
    ],
)
def test_an_incomplete_state_is_refused_unless_it_shall_begin_anew(
    killed: tuple[Path, str], tmp_path: Path, files: tuple[str, ...], complaint: str
) -> None:
    incarnation = copied(killed, tmp_path, *files)
    told = refused(tmp_path)
    assert complaint in told
    assert "--new" in told
    assert {path.name for path in (tmp_path / "state").iterdir()} - {"north.journal-shm"} == {*files, "lock"}
    assert all((tmp_path / "state" / file).read_bytes() == (killed[0] / file).read_bytes() for file in files)
    if files != ("north.journal-last",):  # one of them all the way
        return
    with serving(tmp_path, "--state", "state", "--new") as service:
        begun = service.until_told("begun_anew")
        assert [path.name for path in Path(tmp_path, begun["set_aside"]).iterdir()] == [*files]
        first = answers(service.port, range(1))[0]
        assert (first.outcome, first.incarnation) == (pb.SERVED, begun["incarnation"])
        assert first.incarnation != incarnation


def test_all_files_elsewhere_are_the_same_state(killed: tuple[Path, str], tmp_path: Path) -> None:
    incarnation = copied(killed, tmp_path, *FILES)
    with serving(tmp_path, "--state", "state") as service:
        answer = answers(service.port, range(8, 9))[0]
        assert (answer.outcome, answer.incarnation) == (pb.SERVED, incarnation)
        assert service.until_told("restored")["incarnation"] == incarnation


def test_a_client_is_told_of_a_fresh_start_once(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        port = service.port
        with quedge.Client(f"127.0.0.1:{port}", "north") as client, client.device(0) as device:
            known = device.decide(1e-11, 5.0)
            assert client.next_frame() == 1
            assert known.incarnation
            service.killed()
            with serving(tmp_path, port=port):
                until(lambda: reached(client))
                with pytest.raises(quedge.FreshStart, match=known.incarnation) as told:
                    client.next_frame()
                assert (told.value.known, told.value.next_frame) == (known.incarnation, 0)
                assert client.next_frame() == 0
                with client.device(0) as again:
                    assert again.decide(1e-11, 5.0).incarnation not in ("", known.incarnation)


def reached(client: quedge.Client) -> bool:
    try:
        client.state()
    except quedge.ServiceUnavailable:
        return False
    return True


def test_new_is_refused_without_a_folder(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "127.0.0.1:0", "--new"], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "--new: is not allowed without --state" in done.stderr
