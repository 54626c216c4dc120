"""Processes to be measured or killed: services, and what asks them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from quedge.service.settings import poll_directly

ROOT = Path(__file__).resolve().parents[2]
EXACT, LEARNING = ("--policy", "exact"), ("--policy", "equivariant", "--learn")


def begun(command: Sequence[str], processor: int | None = None, errors: IO[str] | None = None) -> subprocess.Popen[str]:
    """A process of Python whose output can be read; gRPC waits in it as it does in `quedge serve`.

    Args:
        command: module and arguments.
        processor: number of the only processor that it may use; any without.
        errors: where its standard error goes; where this process' does without.
    """
    environment = dict(os.environ)
    poll_directly(environment)
    alone = [] if processor is None else ["taskset", "-c", str(processor)]
    line = [*alone, sys.executable, "-m", *command]
    return subprocess.Popen(line, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)


class ServiceProcess:
    """A running service; `with` ends it.

    Args:
        command: module and arguments that Python begins it with; its first line names 127.0.0.1 and its port.
        state: folder for what survives; None where nothing does.
        processor: as in `begun`.

    Attributes:
        addresses: all that its first line names.
        target: the first of them.
    """

    def __init__(self, command: Sequence[str], state: Path | None = None, processor: int | None = None) -> None:
        kept = [] if state is None else ["--state", str(state)]
        self._process = begun([*command, *kept], processor)
        assert self._process.stdout is not None
        self.addresses = re.findall(r"127\.0\.0\.1:\d+", self._process.stdout.readline())
        if not self.addresses:
            self._process.kill()
            raise RuntimeError(f"the service ended with status {self._ended()} before it took reports")
        self.target: str = self.addresses[0]

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    def kill(self) -> None:
        """`kill -9`."""
        self._process.kill()
        self._ended()

    def end(self) -> int:
        """SIGTERM; its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._ended()

    def _ended(self) -> int:
        status = self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status

    def __enter__(self) -> ServiceProcess:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._process.poll() is None:
            self.end()


def runner_process(policy: str, devices: int, state: Path | None = None, more: Sequence[str] = ()) -> ServiceProcess:
    """A service that never thinks a report late.

    Args:
        policy: a name that the runner knows.
        devices: number of the cell's devices.
        state: as in `ServiceProcess`.
        more: further options of the runner.
    """
    command = ["benchmarks.service.runner", "--policy", policy, "--devices", str(devices)]
    return ServiceProcess([*command, *more], state)


def quedge_serve(
    options: Sequence[str], devices: int, state: Path | None = None, processor: int | None = None
) -> ServiceProcess:
    """The command as its users give it, with its metrics and live page.

    Args:
        options: who decides, and what else it is told.
        devices: number of the paper's cell's devices.
        state: as in `ServiceProcess`, like what follows.
        processor: see there.
    """
    where = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    return ServiceProcess(["quedge", "serve", *where, "--set", f"devices={devices}", *options], state, processor)
