"""Processes that end: they are begun again, or all end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("grpc")
pytest.importorskip("structlog")

from quedge.controller.state import StateError
from quedge.controller.state_folder import locked
from quedge.service.monitoring.web import NO_GUARD
from quedge.service.processes import supervisor
from quedge.service.processes.supervisor import Several, supervise
from quedge.service.settings import Address, Rendering, Running

BEGINS = """
import socket, sys
from quedge.service.processes.line import Line
from quedge.service.processes.order import taken_order
order = taken_order()
line = Line(socket.socket(fileno=order.line), lambda asked: None, lambda: None)
print(line.ask("share", again=order.again).result(60), file=open(f"share-{order.number}-{order.again}", "w"))
"""
ENDS_SOON = BEGINS + "line.ask('ready').result(60)"
ENDS_AT_ONCE = BEGINS + "sys.exit(2)"
CANNOT_BEGIN_AGAIN = (
    BEGINS
    + """
import os, pathlib, signal
tried = pathlib.Path("tried")
if order.again:
    tried.write_text(tried.read_text() + "." if tried.exists() else ".")
    if len(tried.read_text()) < 9:
        sys.exit(2)
line.ask("ready").result(60)
if order.again:
    os.kill(os.getppid(), signal.SIGTERM)
if order.number == 0 or order.again:
    signal.pause()
"""
)


@pytest.fixture(autouse=True)
def signals_as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr(supervisor, "_AGAIN_S", 1e-3)
    monkeypatch.chdir(tmp_path)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def several(folder: Path, script: str, processes: int = 1) -> Several:
    listen, command = Address("127.0.0.1", 0), (sys.executable, "-c", script)
    return Several(processes, listen, folder / "state", 16, None, NO_GUARD, Rendering.JSON, command)


def logged(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_process_that_ends_is_begun_again_but_not_too_often(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "roof.journal").touch()
    ready: list[Running] = []
    assert supervise(several(tmp_path, ENDS_SOON), ready.append) == 1
    assert len(ready) == 1
    log = logged(capfd.readouterr().err)
    events = [line["event"] for line in log]
    assert events == [*["process_began", "process_ended"] * 6, "gives_up", "stopping", "stopped"]
    assert log[-3]["reason"] == "processes end too often"
    for again in (False, True):
        assert (tmp_path / f"share-0-{again}").read_text() == "['roof']\n"


def test_where_a_process_cannot_begin_all_end_as_it_has(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert supervise(several(tmp_path, ENDS_AT_ONCE), lambda running: None) == 2
    log = logged(capfd.readouterr().err)
    assert [line["event"] for line in log] == ["process_began", "process_ended", "gives_up", "stopping", "stopped"]
    assert log[2]["reason"] == "a process ended before it took reports"


def test_a_process_that_cannot_begin_again_is_tried_until_it_can_while_another_one_serves(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_LONGEST_AGAIN_S", 2e-3)
    assert supervise(several(tmp_path, CANNOT_BEGIN_AGAIN, processes=2), lambda running: None) == 0
    ended = [line for line in logged(capfd.readouterr().err) if line["event"] == "process_ended"]
    assert [(line["process"], line["status"]) for line in ended] == [(1, 0), *[(1, 2)] * 8]


def test_a_folder_that_another_service_uses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with locked(tmp_path / "state"), pytest.raises(StateError, match="another service uses it"):
        supervise(several(tmp_path, ENDS_AT_ONCE), lambda running: None)


def test_a_folder_for_temporary_files_with_a_long_path_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = tmp_path / ("far" * 40)
    far.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(far))
    with pytest.raises(ValueError, match=r"TMPDIR: '/.*' is not allowed; it must be a folder"):
        supervise(several(tmp_path, ENDS_AT_ONCE), lambda running: None)
    assert not list(far.iterdir())
