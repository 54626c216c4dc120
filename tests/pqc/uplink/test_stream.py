"""Reads over a socket: exact, counted, bounded."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from quedge.pqc.uplink.loopback import MAX_READ_BYTES, Stream
from quedge.pqc.uplink.primitives import Rejected


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        far.settimeout(0.1)
        yield near, far


def test_reads_are_exact_and_counted(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    stream = Stream(far)
    near.sendall(b"one")
    near.sendall(b"two!")
    assert (stream.read(5), stream.read(0), stream.read(2)) == (b"onetw", b"", b"o!")
    assert stream.received_bytes == 7


def test_an_early_end_is_rejected_and_what_came_is_counted(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    stream = Stream(far)
    near.sendall(b"one")
    near.close()
    with pytest.raises(Rejected, match="ended within a message"):
        stream.read(4)
    assert stream.received_bytes == 3


def test_silence_is_rejected_in_time(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(Rejected, match="nothing came in time"):
        Stream(ends[1]).read(1)


def test_a_lost_connection_is_rejected(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].close()
    with pytest.raises(Rejected, match="connection lost"):
        Stream(ends[1]).read(1)


@pytest.mark.parametrize("count", [-1, MAX_READ_BYTES + 1, 1 << 60])
def test_a_length_out_of_range_is_rejected_before_memory_is_taken(
    count: int, ends: tuple[socket.socket, socket.socket]
) -> None:
    with pytest.raises(Rejected, match="length out of range"):
        Stream(ends[1]).read(count)
