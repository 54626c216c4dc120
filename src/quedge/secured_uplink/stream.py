"""Exact reads over a socket, counted and bounded."""

from __future__ import annotations

import socket

from quedge.secured_uplink.rejected import Rejected

MOST_READ_BYTES = (1 << 24) + (1 << 16)
"""Longer than any part of any message: a longer read is a mistake of ours and is refused before memory is taken."""


class Stream:
    """The receiving end of a connection.

    Args:
        connection: a connected socket with a timeout.

    Attributes:
        received_bytes: number of bytes received so far.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.received_bytes = 0

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes.

        Raises:
            Rejected: the stream ended, failed or fell silent before.
        """
        if not 0 <= count <= MOST_READ_BYTES:
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
