"""A device and a server in one process, joined by a TCP connection over the loopback interface."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
import time
from typing import NamedTuple

from quedge.pqc.uplink.primitives import Rejected
from quedge.pqc.uplink.server import Server

MAX_READ_BYTES = (1 << 24) + (1 << 16)
"""Longer than any part of any message; a longer read is a bug and is refused before memory is allocated."""


class Stream:
    """The receiving end of a connected socket with a timeout; `received_bytes` counts."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.received_bytes = 0

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes.

        Raises:
            Rejected: the stream ended, failed or fell silent before.
        """
        if not 0 <= count <= MAX_READ_BYTES:
            raise Rejected("stream: length out of range")
        received = bytearray(count)
        view, at = memoryview(received), 0
        while at < count:
            try:
                more = self._connection.recv_into(view[at:])
            except TimeoutError:
                raise Rejected("stream: nothing came in time") from None
            except OSError:
                raise Rejected("stream: connection lost") from None
            if not more:
                raise Rejected("stream: ended within a message")
            at += more
            self.received_bytes += more
        return bytes(received)


TIMEOUT_S = 30.0

_HOST = "127.0.0.1"
_CLOSE_AT_ONCE = struct.pack("ii", 1, 0)


class EmulationError(RuntimeError):
    """The emulation could not run, or did not behave as the protocol says."""


class Verdict(NamedTuple):
    """The outcome of a frame at the server.

    Attributes:
        data: the frame's data; None where it was rejected.
        reason: why it was rejected.
        received_bytes: bytes that arrived for it, the key exchange included.
        cpu_ns: processor time of the server's thread for it, reading included (ns).
    """

    data: bytes | None
    reason: str
    received_bytes: int
    cpu_ns: int


class Link:
    """A connection, with a server's session in a thread at its far end; `with` ends both.

    A verdict comes back within the process: the protocol sends nothing downlink.

    Args:
        server: who takes the session.

    Raises:
        EmulationError: no connection came about.
    """

    def __init__(self, server: Server) -> None:
        self._verdicts: queue.SimpleQueue[Verdict | BaseException] = queue.SimpleQueue()
        self._near, far = _connected_pair()
        self._thread = threading.Thread(target=self._serve, args=(server, far), name="quedge-server", daemon=True)
        self._thread.start()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *raised: object) -> None:
        with contextlib.suppress(OSError):
            self._near.shutdown(socket.SHUT_RDWR)  # the thread's read ends
        self._near.close()
        self._thread.join(TIMEOUT_S)

    def send(self, parts: list[bytes]) -> None:
        """Send bytes, in order; what a server that has closed the connection no longer takes is dropped."""
        try:
            for part in parts:
                self._near.sendall(part)
        except TimeoutError:
            raise EmulationError("the server took nothing for too long") from None
        except OSError:
            pass  # it has rejected: the verdict says so

    def verdict(self) -> Verdict:
        """The outcome of the frame that was sent.

        Raises:
            EmulationError: no answer came in time.
        """
        try:
            found = self._verdicts.get(timeout=TIMEOUT_S)
        except queue.Empty:
            raise EmulationError("the server gave no answer in time") from None
        if isinstance(found, BaseException):
            raise found
        return found

    def _serve(self, server: Server, connection: socket.socket) -> None:
        stream, session = Stream(connection), server.session()
        with connection:
            try:
                while True:
                    before, begun = stream.received_bytes, time.thread_time_ns()
                    data, reason = None, ""
                    try:
                        data = session.receive(stream.read)
                    except Rejected as rejected:
                        reason = str(rejected)
                    spent = time.thread_time_ns() - begun
                    self._verdicts.put(Verdict(data, reason, stream.received_bytes - before, spent))
                    if data is None:
                        return
            except BaseException as error:  # a mistake of ours, to be raised where it is seen
                self._verdicts.put(error)


def _connected_pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection, each with a timeout; a connection from another process is refused."""
    near = far = None
    try:
        with socket.create_server((_HOST, 0), backlog=1) as listener:
            listener.settimeout(TIMEOUT_S)
            near = socket.create_connection(listener.getsockname(), TIMEOUT_S)
            far, peer = listener.accept()
            if peer != near.getsockname():
                raise EmulationError("another process connected to the emulation's port")
        for end in (near, far):
            end.settimeout(TIMEOUT_S)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_AT_ONCE)  # no port is left waiting
    except BaseException as error:
        for opened in (near, far):
            if opened is not None:
                opened.close()
        if isinstance(error, OSError):
            raise EmulationError(f"no connection over {_HOST}: {error.strerror or error}") from None
        raise
    return near, far
