from __future__ import annotations

import socket

import pytest

pytest.importorskip("grpc")

from quedge.service.processes.reserved import reserved
from quedge.service.settings import Address

LOCAL = "127.0.0.1"


def listening(port: int, shares: bool) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shares))
    try:
        made.bind((LOCAL, port))
    except OSError:
        made.close()
        raise
    made.listen()
    return made


def test_several_listen_on_a_reserved_port_and_nobody_who_does_not_share() -> None:
    with reserved(Address(LOCAL, 0)) as (host, port):
        assert host == LOCAL
        with (
            listening(port, shares=True),
            listening(port, shares=True),
            pytest.raises(OSError, match="in use"),
        ):
            listening(port, shares=False)


@pytest.mark.parametrize("shares", [False, True])
def test_a_port_on_which_another_listens_is_refused(shares: bool) -> None:
    with listening(0, shares) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(OSError, match="cannot be listened on: Address already in use"),
            reserved(Address(LOCAL, port)),
        ):
            pass


def test_nobody_is_connected_to_a_port_that_is_only_reserved() -> None:
    with reserved(Address(LOCAL, 0)) as (host, port), pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), 30)


def test_a_host_that_is_none_is_refused() -> None:
    with pytest.raises(OSError, match="is no address of this machine"), reserved(Address("no.such.host.invalid", 1)):
        pass
