"""What two processes ask each other: objects of JSON over a pair of sockets, a line each."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

Answerer = Callable[[dict[str, Any]], "Future[Any] | None"]
"""Answers what the other side asks, soon; None where there is nothing to be said. It must not block."""


class Line:
    """One side of a line; any thread may ask.

    Args:
        connected: the socket.
        answerer: called with what the other side asks, in a thread of the line's own.
        ended: called once the other side is gone.
    """

    def __init__(self, connected: socket.socket, answerer: Answerer, ended: Callable[[], None]) -> None:
        self._socket, self._answerer, self._ended = connected, answerer, ended
        self._asked: dict[int, Future[Any]] = {}
        self._numbers, self._lock, self._is_open = itertools.count(1), threading.Lock(), True
        threading.Thread(target=self._read, name="quedge-line", daemon=True).start()

    def ask(self, what: str, **more: Any) -> Future[Any]:
        """Ask the other side; its answer to come, or a ConnectionError where it is gone."""
        answer: Future[Any] = Future()
        with self._lock:
            if not self._is_open:
                answer.set_exception(ConnectionError("the other process is gone"))
                return answer
            number = next(self._numbers)
            self._asked[number] = answer
        self._send({"ask": number, "what": what, **more})
        return answer

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):  # the thread that reads tells of the end
            self._socket.sendall(data)

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._socket, self._socket.makefile("rb") as lines:
            for line in lines:
                self._take(json.loads(line))
        with self._lock:
            self._is_open = False
            left, self._asked = list(self._asked.values()), {}
        for answer in left:
            answer.set_exception(ConnectionError("the other process is gone"))
        self._ended()

    def _take(self, message: dict[str, Any]) -> None:
        if "answer" in message:
            with self._lock:
                answer = self._asked.pop(message["answer"])
            if "failed" in message:
                answer.set_exception(ConnectionError(message["failed"]))
            else:
                answer.set_result(message["is"])
            return
        number = message.pop("ask")
        try:
            said = self._answerer(message)
        except Exception as error:  # the line goes on, whatever is asked
            self._send({"answer": number, "failed": type(error).__name__})
            return
        if said is None:
            self._send({"answer": number, "is": None})
        else:
            said.add_done_callback(lambda done: self._send({"answer": number, **_told(done)}))


def _told(done: Future[Any]) -> dict[str, Any]:
    if done.cancelled():
        return {"failed": "it was cancelled"}
    error = done.exception()
    return {"is": done.result()} if error is None else {"failed": f"{type(error).__name__}: {error}"}
