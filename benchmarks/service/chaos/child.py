"""The process under test: `quedge serve`, with few descriptors, a disk that can be full, and a clock that can jump."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import resource
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

from benchmarks.service.processes import ROOT

PATIENCE_S = 90.0
DESCRIPTORS = 512
BLOCK_BYTES = 1024
PORTS = range(15_000, 32_000)
LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1")


class UnplannedError(AssertionError):
    """Something that must never happen."""


class Child:
    """A service that is ended and begun again on the same ports, state folder and scenario.

    Args:
        folder: where scenario, state and clock are.
        policy: who decides.
        options: what else it is told.

    Attributes:
        target: where it takes reports.
        web: port of its metrics.
        events: how often the log told of what.
        clock_jumps: whether its clock can be moved.
    """

    def __init__(self, folder: Path, policy: str, options: list[str]) -> None:
        self.folder, self._policy, self._options = folder, policy, options
        self._port, self.web = _free_port(), _free_port()
        self.target = f"127.0.0.1:{self._port}"
        self.events: Counter[str] = Counter()
        self._lines: deque[str] = deque(maxlen=30)
        self._process: subprocess.Popen[bytes] | None = None
        self._log: _Log | None = None
        self._library = next((path for path in LIBRARIES if Path(path).exists()), None)
        self.clock_jumps = self._library is not None
        self.move_clock(0)

    @property
    def state(self) -> Path:
        """The folder of its state."""
        return self.folder / "state"

    @property
    def pid(self) -> int:
        """Number of its process."""
        assert self._process is not None
        return self._process.pid

    def begin(self, *more: str, is_full: bool = False) -> None:
        """Start it and wait until it takes reports; an UnplannedError where it ends instead."""
        self._launch(more, is_full)
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        if re.match(r"Serving \S+ on 127\.0\.0\.1:\d+;", line) is None:
            raise UnplannedError(f"a start ended with {self._ended()}, said {line!r}; log: {self.told()}")

    def begin_and_kill(self, after_s: float, is_full: bool) -> None:
        """Start it and `kill -9` it after so long."""
        self._launch((), is_full)
        time.sleep(after_s)
        self.check()
        self.kill()

    def refuses_to_begin(self) -> str:
        """Start it where it must refuse to, with status 2; what it says of it."""
        self._launch((), False)
        assert self._process is not None
        try:
            status = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            status = None
        if status != 2:
            self.kill()
            raise UnplannedError(f"a start that must be refused with 2 ended with {status} (None: it goes on)")
        self._ended()
        return self._lines[-1] if self._lines else ""

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        self._process.kill()
        self._ended()

    def end(self, paused: bool = False) -> None:
        """SIGTERM, where asked for while it is paused; an UnplannedError where its status is not 0."""
        if paused:
            self.send(signal.SIGSTOP)
            time.sleep(0.3)
        self.send(signal.SIGTERM)
        assert self._process is not None
        if paused:
            self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise UnplannedError(f"SIGTERM did not end it within {PATIENCE_S:g} s") from None
        status = self._ended()
        if status != 0:
            raise UnplannedError(f"SIGTERM ended it with {status}; log: {self.told()}")

    def put_down(self) -> None:
        """Whatever state it is in, it is no more."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            _clear_clock(self.pid)
        if self._log is not None:
            self._log.join()
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        self.check()
        os.kill(self.pid, number)

    def check(self) -> None:
        """An UnplannedError where it has ended without being asked to, or told of a mistake of its own."""
        if self._process is None or self._process.poll() is not None:
            status = None if self._process is None else self._process.returncode
            raise UnplannedError(f"it ended with {status} without being asked to; log: {self.told()}")
        self.check_log()

    def check_log(self) -> None:
        """An UnplannedError where it told of a mistake of its own."""
        if self._log is not None and self._log.mistakes:
            raise UnplannedError(f"its log tells of a mistake: {self._log.mistakes[0]}")

    def fill_disk(self, is_full: bool) -> None:
        """No file of it may be larger than a block from now on, or may be of any size."""
        _, most = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (BLOCK_BYTES if is_full else most, most))

    def move_clock(self, seconds: float) -> None:
        """Have the wall's clock be so far from the true one from now on."""
        making = self.folder / "clock-new"
        making.write_text(f"{seconds:+.0f}s\n")
        making.replace(self.folder / "clock")

    def close_log(self) -> None:
        """Whoever reads its standard error goes away, until its next start."""
        assert self._log is not None
        self._log.close()

    def health(self) -> tuple[int, str]:
        """What `/healthz` says; status 0 where nobody answers."""
        return self.asked("/healthz")

    def asked(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and body of an answer over HTTP; status 0 where there was none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=10.0)
        try:
            connection.request("GET", path, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def told(self) -> str:
        """The last lines of its log."""
        return " | ".join(list(self._lines)[-6:])

    def _launch(self, more: tuple[str, ...], is_full: bool) -> None:
        limits = f"ulimit -n {DESCRIPTORS}; " + ("ulimit -S -f 1; " if is_full else "")  # blocks of 1,024 bytes
        serve = [
            *_without_override(), "bash", "-c", f'{limits}exec "$@"', "bash", sys.executable, "-m", "quedge", "serve",
            "cell.toml", "--policy", self._policy, "--state", "state", "--migrate", "--max-stations", "64",
            "--listen", self.target, "--metrics", f"127.0.0.1:{self.web}", *self._options, *more,
        ]  # fmt: skip
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        if self._library is not None:
            environment |= {
                "LD_PRELOAD": self._library, "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
                "FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
            }  # fmt: skip
        reads, writes = os.pipe()
        self._process = subprocess.Popen(
            serve, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writes, env=environment
        )
        os.close(writes)
        self._log = _Log(reads, self._lines, self.events)

    def _ended(self) -> int:
        assert self._process is not None
        assert self._log is not None
        status = self._process.wait()
        _clear_clock(self.pid)
        self._log.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self.check_log()
        return status


class _Log:
    """Reads lines of a log from a descriptor until it ends or is closed."""

    def __init__(self, descriptor: int, lines: deque[str], events: Counter[str]) -> None:
        self._descriptor, self._lines, self._events = descriptor, lines, events
        self._over = threading.Event()
        self.mistakes: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Read no more, and close this end."""
        self._over.set()
        self._thread.join()

    def join(self) -> None:
        """Wait for what is left."""
        self._thread.join(2.0)
        self.close()

    def _read(self) -> None:
        rest = b""
        while not self._over.is_set():
            if not select.select([self._descriptor], [], [], 0.05)[0]:
                continue
            data = os.read(self._descriptor, 65_536)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._take(line.decode(errors="replace"))
        os.close(self._descriptor)

    def _take(self, line: str) -> None:
        self._lines.append(line[:400])
        told = {}
        with contextlib.suppress(ValueError):
            told = json.loads(line)
        event = told.get("event", "")
        self._events[event] += 1
        if "Traceback" in line or event in ("observer_failed", "policy_failed") or told.get("outcome") == "FAILED":
            self.mistakes.append(line[:2000])


def _clear_clock(pid: int) -> None:
    """Remove what libfaketime left of a killed process: one of the same number would wait for it for ever."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        (Path("/dev/shm") / name).unlink(missing_ok=True)


def _free_port() -> int:
    """A port that is free, and stays so while the process is down: none that the system gives to others."""
    while True:
        port = PORTS[secrets.randbelow(len(PORTS))]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _without_override() -> list[str]:
    """What takes from root the right to write to folders that are read-only."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return []
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]


def until(is_so: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for something; an UnplannedError names it where it does not come about."""
    end = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > end:
            raise UnplannedError(f"{what} did not come about within {patience_s:g} s")
        time.sleep(0.02)
