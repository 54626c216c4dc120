"""A client that sends bytes, right or wrong, and an observer that remembers what it was told."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from quedge.controller.engine import Served
from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from quedge.service.monitoring.observers import Observer

PATIENCE_S = 20.0
METHODS = (methods.SERVE_FRAMES, methods.SERVE_DEVICE, methods.DECIDE, methods.STATE, methods.CHECKPOINT)


class PlainText:
    """The context of a call in plain text."""

    def peer(self) -> str:
        """See `grpc.ServicerContext`."""
        return "ipv4:127.0.0.1:50000"

    def auth_context(self) -> dict[str, Any]:
        """See `grpc.ServicerContext`."""
        return {}


class Remembering(Observer):
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, int]] = []
        self.refusals: list[tuple[str, int]] = []

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""
        self.frames.append((base_station, served.answer.frame))

    def refused(self, base_station: str, outcome: int, peer: str = "") -> None:
        """See `Observer.refused`."""
        self.refusals.append((base_station, outcome))

    def until_told(self, refusal: tuple[str, int]) -> None:
        """Wait until it was told of a refusal."""
        self._until(lambda: refusal in self.refusals)

    def until_served(self, *frames: tuple[str, int]) -> None:
        """Wait until it was told of as many frames, and see that they are these."""
        self._until(lambda: len(self.frames) >= len(frames))
        assert self.frames == list(frames)

    def _until(self, is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < until, (
                f"{self.refusals} is all that was refused, {self.frames} all that was served"
            )
            time.sleep(1e-3)


class Stream:
    """A call of a method that streams, which stays open."""

    def __init__(self, channel: grpc.Channel, method: methods.Method) -> None:
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._call = channel.stream_stream(method.path, None, method.reply.FromString)(
            iter(self._requests.get, None), timeout=PATIENCE_S
        )

    def send(self, request: Any) -> None:
        """Send a message, or bytes."""
        self._requests.put(request if isinstance(request, bytes) else request.SerializeToString())

    def ask(self, request: Any) -> Any:
        """Send a message, and read the next answer."""
        self.send(request)
        return self.read()

    def read(self) -> Any:
        """The next answer; a grpc.RpcError where there is none."""
        return next(self._call)

    def status(self) -> tuple[grpc.StatusCode, str]:
        """How the call has ended."""
        return self._call.code(), self._call.details()

    def close(self) -> None:
        """Nothing more is sent."""
        self._requests.put(None)

    def cancel(self) -> None:
        """Go away in the middle of it."""
        self._call.cancel()


@contextmanager
def connected(target: str, credentials: Any = None) -> Iterator[grpc.Channel]:
    """A channel of its own; with credentials, of TLS."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channel = (
        grpc.insecure_channel(target, options)
        if credentials is None
        else grpc.secure_channel(target, credentials, options)
    )
    with channel:
        yield channel


def asked(channel: grpc.Channel, method: methods.Method, request: Any) -> Any:
    """The answer of a method that does not stream."""
    call = channel.unary_unary(method.path, None, method.reply.FromString)
    return call(request if isinstance(request, bytes) else request.SerializeToString(), timeout=PATIENCE_S)


def status_of(channel: grpc.Channel, method: methods.Method, request: bytes) -> tuple[grpc.StatusCode, str]:
    """How a call with a single request ends that is not answered."""
    try:
        if method.streams:
            stream = Stream(channel, method)
            stream.send(request)
            stream.read()
        else:
            asked(channel, method, request)
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("it was answered")


def frame_report(frame: int, name: str = "roof", gain: float = 1e-11) -> pb.FrameReport:
    """A base station's report of three devices."""
    return pb.FrameReport(base_station=name, frame=frame, channel_gain=[gain] * 3, arrived_mbit=[2.0] * 3)


def device_report(number: int, name: str = "roof", gain: float = 1e-11) -> pb.DeviceReport:
    """A device's report."""
    return pb.DeviceReport(base_station=name, device=number, channel_gain=gain, arrived_mbit=2.0)
