"""A process of several, seen from itself: what it is told, and what it tells the one that looks after it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any

from quedge.service.monitoring.endpoints import TEXT, Endpoints
from quedge.service.processes.line import Line
from quedge.service.processes.order import Order, socket_of

Release = Callable[[str], "Future[Any]"]


class OwnProcess:
    """This process. It ends, as by SIGTERM, once the one that looks after it is gone.

    Attributes:
        number: its own.
        port: where reports are taken.
        again: whether it takes the place of one that has ended.
        lock: the state folder's lock.
        release: who gives up a cell; nobody before there are any.
    """

    def __init__(self, order: Order) -> None:
        self.number, self.port, self.again, self._folder = order.number, order.port, order.again, order.folder
        for descriptor in (order.line, order.lock):
            os.set_inheritable(descriptor, False)
        self.lock: IO[bytes] = os.fdopen(order.lock, "r+b", closefd=True)
        self.release: Release | None = None
        self._endpoints: Endpoints = {}
        self._showing = ThreadPoolExecutor(1, "quedge-shown")
        self._line = Line(socket.socket(fileno=order.line), self._asked, self._left_alone)

    def socket(self, number: int | None = None) -> str:
        """Where this process, or the one of a number, takes calls that others pass on."""
        return f"unix:{socket_of(self._folder, self.number if number is None else number)}"

    def leave_folder(self) -> None:
        """Remove the sockets' folder where the others have gone, too, and nobody looks after them any more."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def show(self, endpoints: Endpoints) -> None:
        """It is seen from now on."""
        self._endpoints = endpoints
        self._line.ask("there")

    def share(self) -> frozenset[str]:
        """The cells that it begins with."""
        return frozenset(self._line.ask("share", again=self.again).result())

    def ready(self) -> None:
        """It takes reports from now on."""
        self._line.ask("ready")

    async def acquire(self, name: str, begins: bool, moves: bool) -> int | None:
        """See `Owners.acquire`; a ConnectionError where nobody is there who could say."""
        answer: int | None = await asyncio.wrap_future(self._line.ask("acquire", name=name, begins=begins, moves=moves))
        return answer

    def _asked(self, asked: dict[str, Any]) -> Future[Any] | None:
        if asked["what"] == "show":
            return self._showing.submit(self._shown, asked["path"])
        return None if self.release is None else self.release(asked["name"])

    def _shown(self, path: str) -> tuple[int, str, str]:
        make = self._endpoints.get(path)
        if make is None:
            return 404, TEXT, "Not Found\n"
        reply = make()
        return reply.status, reply.content_type, reply.body.decode()

    def _left_alone(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(os.getpid(), signal.SIGTERM)
