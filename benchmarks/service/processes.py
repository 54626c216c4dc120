"""A service in a process of its own, to be measured or killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class ServiceProcess:
    """A running service; `with` ends it.

    Args:
        policy: a name that the runner knows.
        devices: number of the cell's devices.
        state: folder for what survives; None where nothing does.
        more: further options of the runner.
    """

    def __init__(self, policy: str, devices: int, state: Path | None = None, more: Sequence[str] = ()) -> None:
        command = [sys.executable, "-m", "benchmarks.service.runner", "--policy", policy, "--devices", str(devices)]
        command += [] if state is None else ["--state", str(state)]
        self._process = subprocess.Popen([*command, *more], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        port = self._process.stdout.readline()
        if not port:
            raise RuntimeError(f"the service ended with status {self._process.wait()} before it took reports")
        self.target = f"127.0.0.1:{int(port)}"

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
