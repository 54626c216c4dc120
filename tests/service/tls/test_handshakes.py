"""Why a handshake failed, and whose it was."""

from __future__ import annotations

import socket

import pytest

from quedge.service.tls.access import address_of
from quedge.service.tls.handshakes import Arrivals, failure_of

SAID = "I1130 15:20:33.818823    5398 ssl_transport_security.cc:2563] Handshake failed with error SSL_ERROR_SSL: "


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER: Invalid context", "wrong_version_number"),
        ("error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: unable", "certificate_verify_failed"),
        ("error:00000000:invalid library (0):OPENSSL_internal:invalid library (0)", "other"),
        ("", "other"),
    ],
)
def test_a_line_of_grpc_s_tells_why_a_handshake_failed(rest: str, reason: str) -> None:
    assert failure_of(SAID + rest) == reason


def test_other_lines_tell_of_none() -> None:
    assert failure_of("E1130 15:20:33.818823    5398 tcp_server.cc:1] Failed accept4: Too many open files") is None


class Here:
    """A port, and what has connected to it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.arrivals = Arrivals(clock=lambda: self.now)
        self.arrivals.port = self.listener.getsockname()[1]

    def connected(self) -> tuple[socket.socket, socket.socket, str]:
        """Both ends of a connection that is seen to arrive, and the client's address."""
        client = socket.create_connection(self.listener.getsockname())
        server, (host, port) = self.listener.accept()
        self.arrivals.arrived()
        return client, server, f"{host}:{port}"


@pytest.fixture
def here() -> Here:
    return Here()


def test_a_connection_that_ends_without_a_call_is_told_once_by_its_client_s_address(here: Here) -> None:
    with here.listener:
        client, server, address = here.connected()
        assert here.arrivals.ended() == []
        server.close()
        assert here.arrivals.ended() == [address]
        assert here.arrivals.ended() == []
        client.close()


def test_one_whose_call_was_answered_is_not_told(here: Here) -> None:
    with here.listener:
        client, server, address = here.connected()
        here.arrivals.answered(address)
        server.close()
        assert here.arrivals.ended() == []
        client.close()


def test_addresses_that_are_gone_are_forgotten(here: Here) -> None:
    with here.listener:
        client, server, address = here.connected()
        for number in (here.arrivals.port, 1, 2, 3):
            here.arrivals.answered(f"192.0.2.7:{number}")
        here.arrivals.answered(address)
        here.arrivals.ended()
        assert here.arrivals._answered == {address}
        server.close()
        client.close()


def test_connections_of_other_ports_and_those_that_ended_long_ago_are_not_told(here: Here) -> None:
    with here.listener, Here().listener as elsewhere:
        client = socket.create_connection(elsewhere.getsockname())
        server, _ = elsewhere.accept()
        foreign, ended, address = here.connected()
        server.close()
        ended.close()
        here.now += 1.0
        here.arrivals.arrived()  # it is seen here
        here.now += 1.0
        assert here.arrivals.ended() == [], address
        client.close()
        foreign.close()


class Call:
    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("ipv4:192.0.2.7:4711", "192.0.2.7:4711"),
        ("ipv6:%5B2001:db8::1%5D:4711", "[2001:db8::1]:4711"),
        ("ipv6:%5B::ffff:192.0.2.7%5D:4711", "192.0.2.7:4711"),
    ],
)
def test_an_address_is_shown_as_people_write_it(told: str, shown: str) -> None:
    assert address_of(Call(told)) == shown
