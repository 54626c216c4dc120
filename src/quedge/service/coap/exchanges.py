"""The server's side of CoAP's message layer: requests in, responses out, duplicates and lost datagrams seen to.

However many come, little is remembered: a few exchanges of an endpoint, and so many endpoints.

Source: RFC 7252, Sections 4 and 5.2.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from quedge.service.coap.messages import Code, Kind, Message, NoMessageError, decoded

Address = tuple[Any, ...]
"""Host and port, and what else an address has in its family."""

ACK_DELAY_S = 0.1
"""A response that is not there by then comes for itself, after an empty acknowledgement."""
ACK_TIMEOUT_S, ACK_RANDOM_FACTOR, MAX_RETRANSMIT = 2.0, 1.5, 4
EXCHANGE_LIFETIME_S = 247.0
MAX_ENDPOINTS, MAX_EXCHANGES = 4096, 16
"""How many endpoints are remembered, and how many exchanges of each; then the oldest is forgotten."""
_AT_ONCE, _MAX_BYTES = 64, 1 << 16


class Exchange:
    """A request, and its response once there is one.

    Attributes:
        request: the request; once it was served without its path and payload, which may be long.
        address: who made it.
    """

    def __init__(self, exchanges: Exchanges, request: Message, address: Address, now: float) -> None:
        self.request, self.address, self.began = request, address, now
        self._exchanges, self._said = exchanges, b""  # what a duplicate hears
        self._is_answered = self._is_acknowledged = False
        self._timer: asyncio.TimerHandle | None = None
        if request.kind == Kind.CONFIRMABLE:
            self._timer = asyncio.get_running_loop().call_later(ACK_DELAY_S, self._acknowledge)

    def respond(self, code: Code, payload: bytes = b"") -> None:
        """Send the response: with the acknowledgement where none was sent, else for itself. One is sent."""
        if self._is_answered:
            return
        self._is_answered = True
        if self._timer is not None:
            self._timer.cancel()
        request, exchanges = self.request, self._exchanges
        if request.kind == Kind.CONFIRMABLE and not self._is_acknowledged:
            self._say(Message(Kind.ACKNOWLEDGEMENT, code, request.number, request.token, payload))
        else:
            exchanges.send(Message(request.kind, code, exchanges.next_number(), request.token, payload), self.address)

    def repeat(self) -> None:
        """The request came once more."""
        if self._said:
            self._exchanges.transmit(self._said, self.address)

    def _acknowledge(self) -> None:
        self._is_acknowledged = True
        self._say(Message(Kind.ACKNOWLEDGEMENT, Code.EMPTY, self.request.number))

    def _say(self, acknowledgement: Message) -> None:
        self._said = acknowledgement.encoded()
        self.repeat()


class Exchanges:
    """The exchanges of all endpoints over one socket; it lives in the event loop.

    Args:
        connection: the socket, which does not block.
        serve: called with each exchange as its request comes; the response may be given at once or later.
        clock: what time it is (s).
    """

    def __init__(
        self, connection: socket.socket, serve: Callable[[Exchange], None], clock: Callable[[], float]
    ) -> None:
        self._socket, self._serve, self._clock = connection, serve, clock
        self._endpoints: OrderedDict[Address, OrderedDict[int, Exchange]] = OrderedDict()
        self._unacknowledged: dict[tuple[Address, int], asyncio.TimerHandle] = {}
        self._number = random.randrange(1 << 16)

    def read(self) -> None:
        """Take the datagrams that wait, as many as others of the event loop can wait for."""
        for _ in range(_AT_ONCE):
            try:
                data, address = self._socket.recvfrom(_MAX_BYTES)
            except OSError:  # there is none, or the network tells of an earlier one
                return
            self.hear(data, address)

    def hear(self, data: bytes, address: Address) -> None:
        """A datagram has come. What is no message of CoAP is ignored."""
        try:
            message = decoded(data)
        except NoMessageError:
            return
        if message.kind in (Kind.ACKNOWLEDGEMENT, Kind.RESET):
            timer = self._unacknowledged.pop((address, message.number), None)
            if timer is not None:
                timer.cancel()
        elif message.is_request:
            self._requested(message, address)
        elif message.kind == Kind.CONFIRMABLE:  # a ping, or a response to nobody
            self.transmit(Message(Kind.RESET, Code.EMPTY, message.number).encoded(), address)

    def next_number(self) -> int:
        """The number of the next message of this side."""
        self._number = (self._number + 1) & 0xFFFF
        return self._number

    def transmit(self, data: bytes, address: Address) -> None:
        """Send a datagram; one that the network does not take is lost, as others are on their way."""
        with contextlib.suppress(OSError):
            self._socket.sendto(data, address)

    def send(self, message: Message, address: Address) -> None:
        """Send a message; where it asks for an acknowledgement again and again, until that comes or it is in vain."""
        data, key = message.encoded(), (address, message.number)

        def send_again(left: int, wait_s: float) -> None:
            self.transmit(data, address)
            self._unacknowledged.pop(key, None)
            if message.kind == Kind.CONFIRMABLE and left > 0 and len(self._unacknowledged) < MAX_ENDPOINTS:
                loop = asyncio.get_running_loop()
                self._unacknowledged[key] = loop.call_later(wait_s, send_again, left - 1, 2.0 * wait_s)

        send_again(MAX_RETRANSMIT, ACK_TIMEOUT_S * random.uniform(1.0, ACK_RANDOM_FACTOR))

    def close(self) -> None:
        """Close the socket; nothing is sent any more."""
        for timer in self._unacknowledged.values():
            timer.cancel()
        self._unacknowledged.clear()
        self._socket.close()

    def _requested(self, request: Message, address: Address) -> None:
        """Serve a request, or repeat what was said when it came for the first time."""
        known = self._endpoints.setdefault(address, OrderedDict())
        self._endpoints.move_to_end(address)
        exchange, now = known.pop(request.number, None), self._clock()
        if exchange is not None and now - exchange.began < EXCHANGE_LIFETIME_S:
            known[request.number] = exchange
            exchange.repeat()
            return
        exchange = known[request.number] = Exchange(self, request, address, now)
        if len(known) > MAX_EXCHANGES:
            known.popitem(last=False)
        if len(self._endpoints) > MAX_ENDPOINTS:
            self._endpoints.popitem(last=False)
        self._serve(exchange)
        exchange.request = request._replace(path=(), payload=b"")
