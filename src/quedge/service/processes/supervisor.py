"""Looks after the processes of a service: begins them, begins them again, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any, NamedTuple

from quedge.controller.state_folder import locked, names_in
from quedge.errors import not_allowed
from quedge.service.monitoring.endpoints import Reply
from quedge.service.monitoring.logs import Logs
from quedge.service.monitoring.web import Guard, WebServer
from quedge.service.processes.line import Line
from quedge.service.processes.order import Order, socket_of
from quedge.service.processes.owners import Owners
from quedge.service.processes.reserved import reserved
from quedge.service.processes.seen import Shown, endpoints_of_all, own_metrics
from quedge.service.settings import Address, Rendering, Running

_ANSWER_S = 2.0  # a process that does not answer a probe in that time is not well
_RELEASE_S = 10.0
_AGAIN_S, _LONGEST_AGAIN_S = 0.5, 30.0
_LARGEST, _MOST_BYTES = 99, 107  # of a process' number; of the name of a socket
_MOST_ENDS, _WITHIN_S = 5, 60.0


class Several(NamedTuple):
    """A service of several processes.

    Attributes:
        processes: how many.
        listen: where reports are taken.
        state: folder for what survives.
        max_base_stations: largest number of base stations.
        metrics: where the service is seen from; None for nowhere.
        guard: what has to be shown there.
        rendering: how log lines are written.
        command: what begins such a process, as a program and its arguments.
    """

    processes: int
    listen: Address
    state: Path
    max_base_stations: int
    metrics: Address | None
    guard: Guard
    rendering: Rendering
    command: Sequence[str] = (sys.executable, *sys.orig_argv[1:])


def supervise(several: Several, ready: Callable[[Running], None]) -> int:
    """Have processes serve until SIGTERM or SIGINT; then all end, as a service does.

    A process that ends before that is begun again, and its cells go on wherever their next streams come to; one that
    cannot begin again is tried less and less often while another one serves. All end where one cannot begin at the
    start, where none serves, or where more than five that served end in a minute.

    Args:
        several: the service.
        ready: called with where reports are taken, and where the service is seen from, once all take reports.

    Returns:
        The exit status, which is 0 where all have ended well, and 2 where the first ones could not begin.

    Raises:
        StateError: another service uses the state folder.
        ValueError: the folder for temporary files has too long a path.
        OSError: an address cannot be listened on, or the folder not be made or written to.
    """
    several.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="quedge-"))
    try:
        _check_sockets(folder)
        with contextlib.closing(locked(several.state)) as lock, reserved(several.listen) as listen:
            return asyncio.run(_Supervisor(several._replace(listen=listen), lock, folder).run(ready))
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is kept: another Ctrl-C has nothing to end
        shutil.rmtree(folder, ignore_errors=True)


class _Process:
    """A process, as long as it runs. It `is_there` once it shows something, and takes reports once it `is_ready`."""

    def __init__(self, process: asyncio.subprocess.Process, line: Line) -> None:
        self.process, self.line = process, line
        self.is_there = self.is_ready = False


class _Supervisor:
    def __init__(self, several: Several, lock: IO[bytes], folder: Path) -> None:
        self._several, self._lock, self._folder = several, lock, folder
        self._logs = Logs(several.rendering)
        self._running: dict[int, _Process] = {}
        self._owners = Owners(names_in(several.state), several.processes, several.max_base_stations, self._released)
        self._stop, self._all_ready = asyncio.Event(), asyncio.Event()
        self._is_stopping, self._status = False, 0
        self._ends: deque[float] = deque(maxlen=_MOST_ENDS)
        self._restarts = dict.fromkeys(range(several.processes), 0)

    async def run(self, ready: Callable[[Running], None]) -> int:
        """See `supervise`."""
        self._loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(name, self._stop.set)
        self._loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        with self._web() as seen_at:
            keeping = [asyncio.create_task(self._keep(number)) for number in range(self._several.processes)]
            telling = asyncio.create_task(self._tell_ready(ready, seen_at))
            await self._stop.wait()
            self._is_stopping = True
            self._logs.stopping()
            telling.cancel()
            for running in self._running.values():
                _signal(running, signal.SIGTERM)
            await asyncio.gather(*keeping)
        self._logs.stopped()
        return self._status

    async def _tell_ready(self, ready: Callable[[Running], None], seen_at: str) -> None:
        await self._all_ready.wait()
        host, port = self._several.listen
        ready(Running(f"{host}:{port}", seen_at))

    async def _keep(self, number: int) -> None:
        """Have a process run until all end."""
        is_again, pause_s = False, _AGAIN_S
        while not self._is_stopping:
            running = await self._begin(number, is_again)
            status = await running.process.wait()
            running.line.close()
            del self._running[number]
            self._owners.ended(number)
            if self._is_stopping:
                if status not in (0, -signal.SIGTERM):  # the latter where it had not begun yet
                    self._logs.process_ended(number, status)
                    self._status = self._status or 1
                return
            self._logs.process_ended(number, status)
            why = self._why_not_again(running, is_again)
            if why:
                self._logs.gives_up(why)
                self._status = self._status or (2 if status == 2 and not is_again else 1)
                self._stop.set()
                return
            pause_s = _AGAIN_S if running.is_ready else min(2.0 * pause_s, _LONGEST_AGAIN_S)
            self._restarts[number] += 1
            is_again = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause_s)

    def _why_not_again(self, ended: _Process, is_again: bool) -> str:
        """Why all end with a process that has ended; empty where it is begun again."""
        if ended.is_ready:
            return "processes end too often" if self._is_too_often() else ""
        if is_again and any(each.is_ready for each in self._running.values()):
            return ""
        return "a process ended before it took reports"

    def _is_too_often(self) -> bool:
        now = time.monotonic()
        is_full = len(self._ends) == _MOST_ENDS
        self._ends.append(now)
        return is_full and now - self._ends[0] < _WITHIN_S

    async def _begin(self, number: int, again: bool) -> _Process:
        ours, theirs = socket.socketpair()
        with theirs:
            order = Order(number, theirs.fileno(), self._lock.fileno(), self._several.listen.port, self._folder, again)
            process = await asyncio.create_subprocess_exec(
                *self._several.command, stdin=asyncio.subprocess.DEVNULL, env=order.environment(),
                pass_fds=(order.line, order.lock), start_new_session=True,  # Ctrl-C is for this process only
            )  # fmt: skip
        running = _Process(process, Line(ours, lambda asked: self._asked(number, asked), lambda: None))
        self._running[number] = running
        self._logs.process_began(number, process.pid)
        if self._is_stopping:
            _signal(running, signal.SIGTERM)
        return running

    def _hang_up(self) -> None:
        """SIGHUP, for those that have a handler: others begin, and read everything anyway."""
        for running in self._running.values():
            if running.is_ready:
                _signal(running, signal.SIGHUP)

    def _asked(self, number: int, asked: dict[str, Any]) -> Future[Any] | None:
        """What a process asks, in a thread of its line."""
        if self._loop.is_closed():  # it was asked as all ended
            return None
        return asyncio.run_coroutine_threadsafe(self._answer(number, asked), self._loop)

    async def _answer(self, number: int, asked: dict[str, Any]) -> Any:
        running, what = self._running.get(number), asked["what"]
        if running is None:
            return None
        if what == "acquire":
            return await self._owners.acquire(number, asked["name"], asked["begins"], asked["moves"])
        if what == "share":
            return self._owners.share(number, asked["again"])
        if what == "there":
            running.is_there = True
        elif what == "ready":
            running.is_ready = True
            if len(self._running) == self._several.processes and all(each.is_ready for each in self._running.values()):
                self._all_ready.set()
        return None

    async def _released(self, number: int, name: str) -> bool:
        """Whether a process has given up a cell; one that is gone has."""
        running = self._running.get(number)
        if running is None:
            return True
        try:
            async with asyncio.timeout(_RELEASE_S):
                try:
                    return bool(await asyncio.wrap_future(running.line.ask("release", name=name)))
                except ConnectionError:  # it ends, and has nothing once it has
                    await running.process.wait()
                    return True
        except TimeoutError:
            return False

    @contextlib.contextmanager
    def _web(self) -> Any:
        """The endpoints over HTTP; where they are, or empty for nowhere."""
        if self._several.metrics is None:
            yield ""
            return
        endpoints = endpoints_of_all(self._shown, self._metrics)
        with WebServer(*self._several.metrics, endpoints, self._several.guard) as web:
            yield web.address

    def _shown(self, path: str) -> Shown:
        """What each process replies to a path; any thread may ask."""
        asked = {
            number: running.line.ask("show", path=path)
            for number, running in list(self._running.items())
            if running.is_there
        }
        until, shown = time.monotonic() + _ANSWER_S, dict[int, Reply | str]()
        for number in range(self._several.processes):
            if number not in asked:
                shown[number] = "stopping" if self._is_stopping else "starting"
                continue
            try:
                status, content_type, body = asked[number].result(max(0.0, until - time.monotonic()))
                shown[number] = Reply(status, content_type, body.encode())
            except ConnectionError:
                shown[number] = "it is gone"
            except TimeoutError:
                shown[number] = "it does not answer"
        return shown

    def _metrics(self) -> str:
        ready = {number: running.is_ready for number, running in list(self._running.items())}
        return own_metrics(
            {number: ready.get(number, False) for number in self._restarts}, self._restarts, self._owners.moves
        )


def _check_sockets(folder: Path) -> None:
    """Raise a ValueError where sockets in a folder would have longer names than the system allows."""
    if len(os.fsencode(socket_of(folder, _LARGEST))) > _MOST_BYTES:
        raise not_allowed("TMPDIR", str(folder.parent), f"a folder whose path has {_MOST_BYTES - 30} letters at most")


def _signal(running: _Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        running.process.send_signal(number)
