"""The systemd unit and the container file: their commands start the service as they stand, and SIGTERM ends it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("grpc")

DEPLOY = Path(__file__).parent.parent / "deploy"
UNIT, CONTAINER = (DEPLOY / name for name in ("quedge.service", "Containerfile"))


def lines_of(path: Path) -> list[str]:
    """Its lines, each with what its backslash goes on with, without comments."""
    joined = re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8"))
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def unit_command() -> list[str]:
    (line,) = (line for line in lines_of(UNIT) if line.startswith("ExecStart="))
    return line.removeprefix("ExecStart=").split()


def container_command() -> list[str]:
    words = dict(line.split(maxsplit=1) for line in lines_of(CONTAINER) if line.startswith(("ENTRYPOINT", "CMD")))
    return [*json.loads(words["ENTRYPOINT"]), *json.loads(words["CMD"])]


@pytest.mark.parametrize("command", [unit_command(), container_command()], ids=["unit", "container"])
def test_the_command_serves_until_sigterm(command: list[str], tmp_path: Path) -> None:
    program, *arguments = command
    assert Path(program).name == "quedge"
    for place, here in {
        "${CONFIGURATION_DIRECTORY}/": f"{tmp_path}/",
        "/etc/quedge/": f"{tmp_path}/",
        "${STATE_DIRECTORY}/": f"{tmp_path}/",
        "/var/lib/quedge/": f"{tmp_path}/",
        "127.0.0.1:50051": "127.0.0.1:0",
    }.items():
        arguments = [argument.replace(place, here) for argument in arguments]
    subprocess.run([sys.executable, "-m", "quedge", "init", "scenario.toml"], cwd=tmp_path, check=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "quedge", *arguments],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Serving exact on 127.0.0.1:"), process.communicate()[1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0  # the unit's TimeoutStopSec
        assert (tmp_path / "state").is_dir()
    finally:
        process.kill()
        process.communicate()


def test_whatever_ends_the_service_systemd_starts_it_again() -> None:
    lines = lines_of(UNIT)
    assert "Restart=always" in lines  # on-failure takes SIGPIPE and SIGHUP for clean ends
    assert "StartLimitIntervalSec=0" in lines


def test_what_the_container_copies_is_there() -> None:
    for line in lines_of(CONTAINER):
        if line.startswith("COPY ") and "--from" not in line:
            *sources, _ = line.split()[1:]
            assert all((DEPLOY.parent / source).exists() for source in sources), line


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "quedge.service"
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/quedge/bin/quedge", sys.executable))
    checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
