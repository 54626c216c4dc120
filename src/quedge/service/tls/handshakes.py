"""TLS handshakes that fail: gRPC tells nobody but its own log, and there neither whose they were.

Its lines are read for the reason. Whose they were is seen from outside: gRPC asks for the certificate at the beginning
of each connection, when its socket is among those of the process, and closes the socket after it has written the line.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import threading
import time
from collections import deque
from collections.abc import Callable

from quedge.service.tls.access import shown_address

OTHER = "other"
_FAILED = re.compile(r"Handshake failed with error \w+(?:: error:[0-9a-f]+:[^:]*:[^:]*:([A-Z][A-Z0-9_]+))?")
_MOST_LEFT = 1000  # connections that ended lately, to be remembered
_LATELY_S = 0.5
_MOST_SHARE = 0.1  # of a processor, for looking at sockets


def failure_of(line: str) -> str | None:
    """Why a handshake failed, as the TLS library calls it in small letters; None of a line that tells of none."""
    found = _FAILED.search(line)
    if found is None:
        return None
    return (found[1] or OTHER).lower()


class Arrivals:
    """Who has connected, by the sockets of this process; any thread may call.

    Attributes:
        port: where connections arrive; others are not looked at. 0 until it is known.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.port = 0
        self._clock, self._lock, self._look_again = clock, threading.Lock(), 0.0
        self._open: dict[tuple[int, int], str] = {}  # addresses, by descriptor and inode
        self._left: deque[tuple[float, str]] = deque(maxlen=_MOST_LEFT)  # when it was seen, and the address
        self._answered: set[str] = set()

    def arrived(self) -> None:
        """A connection has arrived; where they are many, not each time is looked at who it is."""
        with self._lock:
            if self._clock() >= self._look_again:
                self._look()

    def answered(self, address: str) -> None:
        """A call of this address is answered: its handshake has not failed."""
        self._answered.add(address)

    def ended(self) -> list[str]:
        """Addresses of the connections that ended lately without a call, the last one last; each is told once."""
        with self._lock:
            self._look()
            since = self._clock() - _LATELY_S
            found = [address for left, address in self._left if left >= since]
            self._left.clear()
        return found

    def _look(self) -> None:
        began = self._clock()
        found = {}
        for name in _descriptors():
            with contextlib.suppress(OSError):  # closed meanwhile
                descriptor, status = int(name), os.fstat(int(name))
                if stat.S_ISSOCK(status.st_mode):
                    key = descriptor, status.st_ino
                    address = self._open.get(key)
                    found[key] = _peer(descriptor, self.port) if address is None else address
        ended = [address for key, address in self._open.items() if key not in found and address]
        now = self._clock()
        self._left.extend((now, address) for address in ended if address not in self._answered)
        self._answered.intersection_update(found.values())
        self._open = found
        self._look_again = now + (now - began) / _MOST_SHARE


def _descriptors() -> list[str]:
    """All of the process; none where the system does not tell."""
    try:
        return os.listdir("/proc/self/fd")
    except OSError:
        return []


def _peer(descriptor: int, port: int) -> str:
    """The address at the other end of a socket of ours; empty where there is none, or ours is another port."""
    seen = socket.socket(fileno=descriptor)
    try:
        here, there = seen.getsockname(), seen.getpeername()
    except OSError:
        return ""
    finally:
        seen.detach()  # the socket is gRPC's
    is_network = seen.family in (socket.AF_INET, socket.AF_INET6)
    return shown_address(there[0], there[1]) if is_network and port in (0, here[1]) else ""
