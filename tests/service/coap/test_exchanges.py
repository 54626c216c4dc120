from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from quedge.service.coap import exchanges
from quedge.service.coap.exchanges import Exchange, Exchanges
from quedge.service.coap.messages import Code, Kind, Message, decoded

HERE, THERE = ("127.0.0.1", 40_000), ("127.0.0.1", 40_001)


class Net:
    """A socket that remembers what is sent, requests that wait for their response, and a clock."""

    def __init__(self) -> None:
        self.sent: list[tuple[Message, Any]] = []
        self.asked: list[Exchange] = []
        self.now, self.closed = 0.0, False
        self.waiting: list[tuple[bytes, Any]] = []
        self.exchanges = Exchanges(self, self.asked.append, lambda: self.now)  # type: ignore[arg-type]

    def sendto(self, data: bytes, address: Any) -> None:
        """See `socket.socket.sendto`."""
        if self.closed:
            raise OSError("closed")
        self.sent.append((decoded(data), address))

    def recvfrom(self, most: int) -> tuple[bytes, Any]:
        """See `socket.socket.recvfrom`."""
        if not self.waiting:
            raise BlockingIOError
        return self.waiting.pop(0)

    def close(self) -> None:
        """See `socket.socket.close`."""
        self.closed = True

    def hear(self, message: Message, address: Any = HERE) -> None:
        """A datagram comes."""
        self.exchanges.hear(message.encoded(), address)

    def said(self) -> list[tuple[Message, Any]]:
        """What was sent since this was asked last."""
        sent, self.sent = self.sent, []
        return sent


def run(test: Callable[[Net], Awaitable[None]]) -> None:
    async def whole() -> None:
        net = Net()
        await test(net)
        net.exchanges.close()

    asyncio.run(whole())


async def turns(count: int = 40) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def post(number: int, kind: Kind = Kind.CONFIRMABLE, payload: bytes = b"report") -> Message:
    return Message(kind, Code.POST, number, b"token", payload)


def test_a_response_comes_with_the_acknowledgement() -> None:
    async def test(net: Net) -> None:
        net.hear(post(7))
        assert net.said() == []
        net.asked[0].respond(Code.CHANGED, b"decision")
        assert net.said() == [(Message(Kind.ACKNOWLEDGEMENT, Code.CHANGED, 7, b"token", b"decision"), HERE)]

    run(test)


def test_a_duplicate_is_not_served_again_and_hears_what_was_said() -> None:
    async def test(net: Net) -> None:
        net.hear(post(7))
        net.hear(post(7))
        assert net.said() == []
        net.asked[0].respond(Code.CHANGED, b"decision")
        first = net.said()
        net.hear(post(7))
        assert net.said() == first
        net.hear(post(7), THERE)  # another endpoint's own
        assert [exchange.address for exchange in net.asked] == [HERE, THERE]

    run(test)


def test_of_a_request_that_was_served_nothing_long_is_remembered() -> None:
    async def test(net: Net) -> None:
        net.hear(post(7, payload=bytes(60_000)))
        assert (net.asked[0].request.path, net.asked[0].request.payload) == ((), b"")
        net.asked[0].respond(Code.BAD_REQUEST)
        assert net.said() == [(Message(Kind.ACKNOWLEDGEMENT, Code.BAD_REQUEST, 7, b"token"), HERE)]

    run(test)


def test_after_its_lifetime_a_number_is_a_new_request_s() -> None:
    async def test(net: Net) -> None:
        net.hear(post(7))
        net.now = exchanges.EXCHANGE_LIFETIME_S
        net.hear(post(7))
        assert len(net.asked) == 2

    run(test)


def test_a_late_response_comes_for_itself_until_it_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "ACK_DELAY_S", 0.0)
    monkeypatch.setattr(exchanges, "ACK_TIMEOUT_S", 0.0)

    async def test(net: Net) -> None:
        net.hear(post(7))
        await turns()
        acknowledged = (Message(Kind.ACKNOWLEDGEMENT, Code.EMPTY, 7), HERE)
        assert net.said() == [acknowledged]
        net.hear(post(7))
        assert net.said() == [acknowledged]
        net.asked[0].respond(Code.CHANGED, b"decision")
        ((response, _),) = net.said()
        assert response[:2] == (Kind.CONFIRMABLE, Code.CHANGED)
        assert response[3:5] == (b"token", b"decision")
        net.hear(Message(Kind.ACKNOWLEDGEMENT, Code.EMPTY, response.number))
        await turns()
        assert net.said() == []

    run(test)


def test_a_response_that_nobody_acknowledges_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "ACK_DELAY_S", 0.0)
    monkeypatch.setattr(exchanges, "ACK_TIMEOUT_S", 0.0)

    async def test(net: Net) -> None:
        net.hear(post(7))
        await turns()
        net.said()
        net.asked[0].respond(Code.CHANGED)
        await turns()
        assert len(set(net.sent)) == 1
        assert len(net.said()) == 1 + exchanges.MAX_RETRANSMIT

    run(test)


def test_a_request_that_is_not_to_be_confirmed_has_such_a_response_once() -> None:
    async def test(net: Net) -> None:
        net.hear(post(7, Kind.NON_CONFIRMABLE))
        net.asked[0].respond(Code.CHANGED, b"decision")
        net.asked[0].respond(Code.INTERNAL_SERVER_ERROR)
        ((response, _),) = net.said()
        assert response[:2] == (Kind.NON_CONFIRMABLE, Code.CHANGED)
        net.hear(post(7, Kind.NON_CONFIRMABLE))
        assert net.said() == []
        assert len(net.asked) == 1

    run(test)


def test_a_ping_and_a_response_to_nobody_are_reset_and_all_else_is_ignored() -> None:
    async def test(net: Net) -> None:
        for message in (Message(Kind.CONFIRMABLE, Code.EMPTY, 3), Message(Kind.CONFIRMABLE, Code.CHANGED, 3)):
            net.hear(message)
            assert net.said() == [(Message(Kind.RESET, Code.EMPTY, 3), HERE)]
        net.hear(Message(Kind.NON_CONFIRMABLE, Code.CHANGED, 4))
        net.hear(Message(Kind.RESET, Code.EMPTY, 5))
        net.exchanges.hear(b"\xff\xff", HERE)
        assert (net.said(), net.asked) == ([], [])

    run(test)


def test_little_is_remembered_however_many_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "MAX_ENDPOINTS", 2)

    async def test(net: Net) -> None:
        for number in range(exchanges.MAX_EXCHANGES + 1):
            net.hear(post(number))
        net.hear(post(0))  # the oldest was forgotten
        assert len(net.asked) == exchanges.MAX_EXCHANGES + 2
        net.hear(post(1), THERE)
        net.hear(post(1), ("127.0.0.1", 40_002))
        net.hear(post(0))  # and the endpoint
        assert len(net.asked) == exchanges.MAX_EXCHANGES + 5
        for exchange in net.asked:
            exchange.respond(Code.CHANGED)  # all are answered all the same
        assert len(net.said()) == len(net.asked)

    run(test)


def test_all_datagrams_that_wait_are_taken_and_no_more_at_once_than_others_can_wait_for() -> None:
    async def test(net: Net) -> None:
        net.waiting = [(post(number).encoded(), ("127.0.0.1", number)) for number in range(100)]
        net.exchanges.read()
        assert len(net.asked) == 64
        net.exchanges.read()
        assert [exchange.request.number for exchange in net.asked] == list(range(100))

    run(test)


def test_a_response_that_cannot_be_sent_any_more_is_lost() -> None:
    async def test(net: Net) -> None:
        net.hear(post(7))
        net.exchanges.close()
        net.asked[0].respond(Code.CHANGED)
        assert net.said() == []

    run(test)
