"""How gRPC waits, unless it was told otherwise; and processors that are kept from sleeping."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quedge.service.settings import cpu_latency_lock, poll_directly

pytest.importorskip("grpc")

SERVER = """
from quedge.service.settings import poll_directly
poll_directly()
from concurrent.futures import ThreadPoolExecutor
import grpc
server = grpc.server(ThreadPoolExecutor(1))
server.add_insecure_port("127.0.0.1:0")
server.start()
server.stop(None)
"""


def test_grpc_knows_what_it_is_told() -> None:
    quiet = {"GRPC_EXPERIMENTS", "GRPC_VERBOSITY"}
    environment = {name: value for name, value in os.environ.items() if name not in quiet}
    ended = subprocess.run([sys.executable, "-c", SERVER], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0
    assert "Unknown experiment" not in ended.stderr  # it has nothing but its pool any more: time to measure again


def test_what_was_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_EXPERIMENTS", "")
    poll_directly()
    assert os.environ["GRPC_EXPERIMENTS"] == ""
    monkeypatch.delenv("GRPC_EXPERIMENTS")
    poll_directly()
    assert os.environ["GRPC_EXPERIMENTS"].count("-event_engine") == 2


def test_the_commands_say_it_before_grpc_is_imported() -> None:
    commands = "import sys, quedge.cli.serve, quedge.cli.emulate; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", commands]).returncode == 0


def test_the_lock_asks_for_no_latency_and_holds_the_device_open(tmp_path: Path) -> None:
    device = tmp_path / "latency"
    device.write_bytes(b"")
    with cpu_latency_lock(device) as held:
        assert device.read_bytes() == bytes(4)
        assert not held.closed
    assert held.closed


def test_a_device_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    device = tmp_path / "latency"
    with pytest.raises(ValueError, match=r"--keep-awake: .*latency: No such file or directory; it must be there"):
        cpu_latency_lock(device)
    assert not device.exists()


def test_a_device_that_refuses_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--keep-awake: .*: Is a directory"):
        cpu_latency_lock(tmp_path)
