"""Devices that report over CoAP, one datagram a frame, as if each had a stream of its own.

A device POSTs a DeviceReport of the contract to /cells/CELL/devices/DEVICE, and the response is its DeviceAnswer. It
counts as there from its first report until it DELETEs that path, or has been silent for a while.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from quedge.controller.report import ReportRejected
from quedge.service import quedge_pb2 as pb
from quedge.service.calls import EndedError
from quedge.service.coap.exchanges import Address, Exchange, Exchanges
from quedge.service.coap.messages import Code
from quedge.service.devices import DeviceStreams, Stream
from quedge.service.member_reports import DeviceReports
from quedge.service.servicer import NotServedError, Servicer
from quedge.service.tls.access import shown_address

METHOD = "CoAP"
"""What stands in logs where streams have the name of a method."""
SILENT_S = 10.0
"""A device that is gone without a word is waited for as long, as a stream's is."""
_LOOKS = 4  # in that time
_GRACE_S = 2.0  # for engines that are slow with the last frame
_MAX_DIGITS = 9

_CODES = {
    pb.SERVED: Code.CHANGED,
    pb.UNKNOWN_DEVICE: Code.NOT_FOUND,
    pb.REPEATED_DEVICE: Code.CONFLICT,
    pb.NAME_TAKEN: Code.CONFLICT,
    pb.BAD_NAME: Code.FORBIDDEN,
    pb.OVERLOADED: Code.TOO_MANY_REQUESTS,
    pb.NOT_DURABLE: Code.SERVICE_UNAVAILABLE,
    pb.FAILED: Code.INTERNAL_SERVER_ERROR,
}
"""The response's code by the outcome; BAD_REQUEST for all others."""


class _Endpoint:
    """What a caller is known by, as a call's context tells it."""

    def __init__(self, address: Address) -> None:
        self._shown = shown_address(str(address[0]), address[1])

    def auth_context(self) -> dict[str, Any]:
        return {}

    def peer(self) -> str:
        return f"udp:{self._shown}"


class _Device:
    """A device that is there: its stream, among which, and whose it is.

    Attributes:
        waits: for how many answers.
        quiet_since: when it was heard last, or had its last answer (s).
    """

    def __init__(self, streams: DeviceStreams, stream: Stream, address: Address) -> None:
        self.streams, self.stream, self.address = streams, stream, address
        self.waits, self.quiet_since = 0, 0.0

    def is_gone(self, since: float) -> bool:
        """Whether it has been silent since then, though nothing kept it waiting."""
        return self.waits == 0 and self.quiet_since < since


class CoapFront:
    """Has the reports of devices served, as a servicer's streams do; it lives in the event loop.

    Args:
        servicer: by whose checks, limits and engines.
        silent_s: time after which a device that says nothing is gone (s).
    """

    def __init__(self, servicer: Servicer, silent_s: float = SILENT_S) -> None:
        self._servicer, self._silent_s = servicer, silent_s
        self._devices: dict[tuple[str, int], _Device] = {}
        self._owed: set[asyncio.Future[pb.DeviceAnswer]] = set()
        self._kind = DeviceReports()

    def serve(self, exchange: Exchange) -> None:
        """Serve a request; the response is given at once, or once the device's frame is decided."""
        request = exchange.request
        if request.unknown_option:
            exchange.respond(Code.BAD_OPTION, b"option %d is not understood" % request.unknown_option)
            return
        place = _place_of(request.path)
        if place is None:
            exchange.respond(Code.NOT_FOUND, b"the path must be /cells/CELL/devices/DEVICE")
        elif self._servicer.has_ended:
            exchange.respond(Code.SERVICE_UNAVAILABLE, b"the service ends")
        elif request.code == Code.POST:
            self._post(exchange, *place)
        elif request.code == Code.DELETE:
            self._delete(exchange, *place)
        else:
            exchange.respond(Code.METHOD_NOT_ALLOWED, b"POST reports, DELETE leaves")

    async def watch(self) -> None:
        """Let devices go that have been silent for too long, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._silent_s / _LOOKS)
            since = clock() - self._silent_s
            self._let_go([place for place, device in self._devices.items() if device.is_gone(since)])

    async def end(self) -> None:
        """Let all devices go, and wait for what they are owed."""
        self._let_go(list(self._devices))
        if self._owed:
            await asyncio.wait(self._owed, timeout=_GRACE_S)

    def _post(self, exchange: Exchange, name: str, number: int) -> None:
        try:
            report = self._report(exchange, name, number)
            device = self._device(report, exchange)
            device.quiet_since = asyncio.get_running_loop().time()
            answer = device.streams.add(report, device.stream)
            device.waits += 1
            self._owed.add(answer)
            answer.add_done_callback(lambda answer: self._respond(exchange, device, answer))
        except _RefusedError as refused:
            exchange.respond(_code(refused.answer), refused.answer.SerializeToString())
        except EndedError as ended:
            self._let_go([(name, number)] if self._is_from(exchange, name, number) else [])
            is_too_much = ended.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            code = Code.TOO_MANY_REQUESTS if is_too_much else Code.SERVICE_UNAVAILABLE
            exchange.respond(code, str(ended).encode())

    def _report(self, exchange: Exchange, name: str, number: int) -> pb.DeviceReport:
        """The report of a request, about the device of its path whatever it says itself."""
        report = pb.DeviceReport()
        try:
            report.ParseFromString(exchange.request.payload)
        except DecodeError:
            self._servicer.unreadable(_Endpoint(exchange.address))
            told = "these bytes are no DeviceReport"
            raise _RefusedError(pb.DeviceAnswer(outcome=pb.BAD_VALUE, message=told)) from None
        report.base_station, report.device = name, number
        return report

    def _device(self, report: pb.DeviceReport, exchange: Exchange) -> _Device:
        """The device that reports, there from now on if it was not."""
        place = report.base_station, report.device
        if self._is_from(exchange, *place):
            return self._devices[place]
        caller = self._servicer.stream_caller(_Endpoint(exchange.address))
        try:
            streams = self._servicer.streams_of(report.base_station, METHOD, caller)
        except NotServedError as error:
            answer = pb.DeviceAnswer(outcome=error.outcome, field="base_station", message=str(error))
            raise _RefusedError(answer) from None
        try:
            device = _Device(streams, streams.joined(self._kind, report, caller), exchange.address)
        except ReportRejected as refused:
            answer = streams.refusal(refused, self._kind, caller)
            self._servicer.stream_left(report.base_station, streams, METHOD, caller)
            raise _RefusedError(answer) from None
        self._devices[place] = device
        return device

    def _delete(self, exchange: Exchange, name: str, number: int) -> None:
        if not self._is_from(exchange, name, number):
            exchange.respond(Code.NOT_FOUND, b"this device is not there, or another client's")
            return
        self._let_go([(name, number)])
        exchange.respond(Code.DELETED)

    def _is_from(self, exchange: Exchange, name: str, number: int) -> bool:
        """Whether a device is there, and the request its own."""
        device = self._devices.get((name, number))
        return device is not None and device.address == exchange.address

    def _respond(self, exchange: Exchange, device: _Device, answer: asyncio.Future[pb.DeviceAnswer]) -> None:
        self._owed.discard(answer)
        device.waits -= 1
        device.quiet_since = asyncio.get_running_loop().time()
        if answer.cancelled() or answer.exception() is not None:
            exchange.respond(Code.INTERNAL_SERVER_ERROR)
        else:
            exchange.respond(_code(answer.result()), answer.result().SerializeToString())

    def _let_go(self, places: Iterable[tuple[str, int]]) -> None:
        for name, number in places:
            device = self._devices.pop((name, number))
            device.streams.leave(device.stream)
            self._servicer.stream_left(name, device.streams, METHOD, device.stream.caller)


class _RefusedError(Exception):
    """A report that is refused, and the answer that says so."""

    def __init__(self, answer: pb.DeviceAnswer) -> None:
        super().__init__(answer.message)
        self.answer = answer


@asynccontextmanager
async def listening(front: CoapFront, host: str, port: int) -> AsyncIterator[int]:
    """Serve requests over UDP; gives the port.

    Raises:
        OSError: the address cannot be listened on.
    """
    loop = asyncio.get_running_loop()
    connection = _bound(host.strip("[]"), port)
    exchanges = Exchanges(connection, front.serve, loop.time)
    loop.add_reader(connection, exchanges.read)
    watch = loop.create_task(front.watch())
    try:
        yield int(connection.getsockname()[1])
    finally:
        watch.cancel()
        loop.remove_reader(connection)
        await front.end()
        exchanges.close()


def _bound(host: str, port: int) -> socket.socket:
    """A socket that does not block; an OSError where the address cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setblocking(False)
            connection.bind(address)
        except OSError:
            connection.close()
            raise
    except OSError as error:
        raise OSError(None, f"cannot be listened on for CoAP: {error.strerror}", f"{host}:{port}") from error
    return connection


def _place_of(path: tuple[str, ...]) -> tuple[str, int] | None:
    """The base station and the device of a path; None where it is another one."""
    if len(path) != 4 or (path[0], path[2]) != ("cells", "devices"):
        return None
    number = path[3]
    if not (number.isascii() and number.isdecimal() and len(number) <= _MAX_DIGITS):
        return None
    return path[1], int(number)


def _code(answer: pb.DeviceAnswer) -> Code:
    return _CODES.get(answer.outcome, Code.BAD_REQUEST)
