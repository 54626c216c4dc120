"""A stream for programs that wait for answers."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc

from quedge.interfaces.service.asking.failures import ServiceUnavailable, stream_ended, too_late, unavailable

_CLOSING_S = 2.0


class Conversation:
    """One stream both ways. gRPC's own thread takes what is said; a second one ends a wait that lasts too long.

    Args:
        call: what begins the stream.
        target: "host:port", for messages.
        timeout_s: how long a reply is waited for (s).
    """

    def __init__(self, call: Callable[..., Any], target: str, timeout_s: float) -> None:
        self.target, self._timeout_s = target, timeout_s
        self._said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._heard = call(iter(self._said.get, None))
        self._turn = threading.Lock()
        self._owed = 0  # replies that have not been heard
        self._waits_since: float | None = None
        self._over, self._expired = threading.Event(), False
        threading.Thread(target=self._watch, name="quedge-timeout", daemon=True).start()

    def ask(self, request: Any) -> Any:
        """Say something and hear the reply to it; replies that nobody waited for go by.

        Raises:
            ServiceUnavailable: no reply came; the stream is over.
        """
        with self._turn:
            self._say(request)
            while True:
                reply = self._next()
                if self._owed == 0:
                    return reply

    def tell(self, request: Any) -> None:
        """Say something."""
        with self._turn:
            self._say(request)

    def hear(self) -> Any:
        """The next reply; raises as `ask`."""
        with self._turn:
            return self._next()

    def close(self) -> None:
        """End it from this side, and wait a little for the other side to know."""
        self._said.put(None)
        self._timeout_s, self._waits_since = _CLOSING_S, time.monotonic()
        with contextlib.suppress(grpc.RpcError):
            for _ in self._heard:
                pass
        self._over.set()

    def _say(self, request: Any) -> None:
        self._said.put(request)
        self._owed += 1

    def _next(self) -> Any:
        self._waits_since = time.monotonic()
        try:
            reply = next(self._heard)
        except (StopIteration, grpc.RpcError) as error:
            raise self._lost(error) from None
        finally:
            self._waits_since = None
        self._owed -= 1
        return reply

    def _lost(self, error: BaseException) -> ServiceUnavailable:
        self._over.set()
        self._said.put(None)  # gRPC's thread ends
        if self._expired:
            return too_late(self.target, self._timeout_s)
        if isinstance(error, StopIteration):
            return stream_ended(self.target)
        return unavailable(self.target, error, self._timeout_s)

    def _watch(self) -> None:
        while not self._over.wait(self._timeout_s / 8):
            since = self._waits_since
            if since is not None and time.monotonic() - since > self._timeout_s:
                self._expired = True
                self._heard.cancel()
                return
