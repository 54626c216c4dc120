"""Base stations that take next to no processor time: HTTP/2 as bytes, made before the clock runs.

gRPC's own client in Python takes about as long for a report as the service does for its answer. On a machine whose
processors the two share it would be what is measured.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.service.worlds import drawn_reports
from quedge.service import methods
from quedge.service import quedge_pb2 as pb

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GO_AWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_MOST = (1 << 31) - 1
_STREAM = 1
_PATIENCE_S = 30.0


class Found(NamedTuple):
    """What base stations found.

    Attributes:
        answers: how many came.
        seconds: in how many seconds.
        service_s: processor time that the service took meanwhile (s).
        own_s: processor time that this process took meanwhile (s).
    """

    answers: int
    seconds: float
    service_s: float
    own_s: float


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _header(name: str, value: str) -> bytes:
    """A header as HPACK has it where neither side keeps anything."""
    return b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()


def _opening(target: str) -> bytes:
    """The beginning of a connection, and of a stream of reports over it; the windows for answers never run out."""
    headers = {
        ":method": "POST", ":scheme": "http", ":path": methods.SERVE_FRAMES.path, ":authority": target,
        "te": "trailers", "content-type": "application/grpc",
    }  # fmt: skip
    fields = b"".join(_header(name, value) for name, value in headers.items())
    settings = struct.pack(">HI", 4, _MOST)
    window = (_MOST - 65_535).to_bytes(4, "big")
    return b"".join(
        (
            _PREFACE, _frame(_SETTINGS, 0, 0, settings), _frame(_WINDOW, 0, 0, window),
            _frame(_HEADERS, 4, _STREAM, fields),
        )
    )  # fmt: skip


class _Station:
    """A base station over a connection of its own, with one report at a time."""

    def __init__(self, target: str, name: str, report: pb.FrameReport) -> None:
        host, _, port = target.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), _PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._name, self.frame, self._rest = name, 0, b""
        told = pb.FrameReport(base_station=name, channel_gain=report.channel_gain, arrived_mbit=report.arrived_mbit)
        self._told = told.SerializeToString()
        self.socket.sendall(_opening(target))

    def report(self) -> None:
        """Send the report of the next frame: what all have in common, and its number."""
        message = self._told + pb.FrameReport(frame=self.frame).SerializeToString()
        self.socket.sendall(_frame(_DATA, 0, _STREAM, b"\0" + len(message).to_bytes(4, "big") + message))
        self.frame += 1

    def read(self) -> bytes | None:
        """The answer, once all of it is there; a RuntimeError where the stream ends."""
        received = self.socket.recv(1 << 16)
        if not received:
            raise RuntimeError(f"{self._name}: the connection was ended")
        data, at, answer = self._rest + received, 0, None
        while len(data) >= at + 9 and len(data) >= at + 9 + (size := int.from_bytes(data[at : at + 3], "big")):
            kind, flags, payload = data[at + 3], data[at + 4], data[at + 9 : at + 9 + size]
            at += 9 + size
            if kind == _DATA:
                answer = (answer or b"") + payload
            elif kind in (_SETTINGS, _PING) and not flags & 1:
                self.socket.sendall(_frame(kind, 1, 0, payload if kind == _PING else b""))
            elif kind in (_RESET, _GO_AWAY) or (kind == _HEADERS and flags & 1):
                raise RuntimeError(f"{self._name}: the stream was ended: {payload!r}")
        self._rest = data[at:]
        return answer


def served(target: str, cells: int, devices: int, seconds: float, spent_s: Callable[[], float]) -> Found:
    """What as many base stations find, each with a connection and one report at a time, in so many seconds.

    Args:
        target: "host:port" of the service, in plain text.
        cells: number of base stations.
        devices: number of devices of each.
        seconds: for how long it is counted, after half as long.
        spent_s: tells the processor time that the service has taken so far (s).
    """
    drawn = drawn_reports(devices, cells + 1, seed=1)[1:]
    choosing = selectors.DefaultSelector()
    stations = [_Station(target, f"cell-{number}", report) for number, report in enumerate(drawn)]
    for station in stations:
        choosing.register(station.socket, selectors.EVENT_READ, station)
        station.report()
    try:
        _ask_on(choosing, 0.5 * seconds)
        began, service, own = time.perf_counter(), spent_s(), time.process_time()
        answers = _ask_on(choosing, seconds)
        return Found(answers, time.perf_counter() - began, spent_s() - service, time.process_time() - own)
    finally:
        for station in stations:
            station.socket.close()


def _ask_on(choosing: selectors.BaseSelector, seconds: float) -> int:
    """Send a report for each answer for as long; the number of answers."""
    answers, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for key, _ in choosing.select(_PATIENCE_S):
            station: _Station = key.data
            answer = station.read()
            if answer is None:
                continue
            if answers % 64 == 0:
                _check(answer, station.frame - 1)
            answers += 1
            station.report()
    return answers


def _check(answer: bytes, frame: int) -> None:
    told = pb.FrameAnswer.FromString(answer[5:])
    if (told.outcome, told.frame) != (pb.SERVED, frame):
        raise RuntimeError(f"frame {frame} was not served: {told}")
