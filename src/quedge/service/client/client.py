"""A client of the service for programs that wait for answers."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any, Self

import grpc

from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from quedge.service.client import messages
from quedge.service.client.connection import AGAIN_S, Connection
from quedge.service.client.conversation import Conversation, FreshStart, ReportRefused, ServiceUnavailable, unavailable
from quedge.service.client.messages import (
    CellState,
    Decided,
    DeviceDecided,
    Devices,
    GatewayDecided,
    KnownState,
    Numbers,
)

__all__ = [
    "CellState",
    "Client",
    "Decided",
    "DeviceDecided",
    "DeviceStream",
    "FrameStream",
    "FreshStart",
    "GatewayDecided",
    "GatewayStream",
    "ReportRefused",
    "ServiceUnavailable",
]


class _Closing(ABC):
    """What `with` closes."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class _Frames(_Closing):
    """What frames are reported to."""

    _base_station: str
    _target: str
    _known: KnownState

    def decide(
        self, frame: int, channel_gain: Numbers, arrived_mbit: Numbers, data_queue_mbit: Numbers | None = None,
        devices: Devices | None = None,
    ) -> Decided:  # fmt: skip
        """Report a frame and wait for its decision.

        Args:
            frame: number of the frame: 0, 1, 2, ...; `Client.next_frame` tells which one is due.
            channel_gain: power gain of each reporting device's channel (W/W).
            arrived_mbit: data that arrived at each one since its last report (Mbit).
            data_queue_mbit: its data queue as it measured it, the arrivals included (Mbit); without, the controller
                keeps the queues.
            devices: numbers of the reporting devices, from 0; all of them, in order, without.

        Raises:
            ReportRefused: the service did not serve it.
            ServiceUnavailable: no answer came; a stream is over then.
            ValueError: an argument that is no list of numbers.
        """
        report = messages.frame_report(self._base_station, frame, channel_gain, arrived_mbit, data_queue_mbit, devices)
        decided = messages.decided_of(self._answer(report), self._target)
        self._known.meet(decided.incarnation)
        return decided

    @abstractmethod
    def _answer(self, report: pb.FrameReport) -> pb.FrameAnswer: ...


class Client(Connection, _Frames):
    """A base station's connection to the service; `with` closes it.

    Example:
        >>> with quedge.Client(target, "roof-3") as controller:
        ...     frame_number = controller.next_frame()
        ...     gain, arrived_mbit, queue_mbit = [2e-10, 3e-11, 1e-10], [1.0, 0.0, 3.0], [5.0, 9.0, 4.0]
        ...     decided = controller.decide(frame_number, gain, arrived_mbit, data_queue_mbit=queue_mbit)
        ...
        >>> print(frame_number, decided.offload, decided.transmit_power_w.round(4))
        0 [ True  True  True] [0.0324 0.0079 0.0088]
    """

    _grpc = grpc

    def stream(self) -> FrameStream:
        """A stream of frames, for the lowest latency; meanwhile the base station's name is its own."""
        return FrameStream(self._base_station, self._conversation(methods.SERVE_FRAMES), self._known)

    def device(self, number: int) -> DeviceStream:
        """A stream of a device that reports for itself; meanwhile the base station has only such streams."""
        return DeviceStream(self._base_station, number, self._conversation(methods.SERVE_DEVICE), self._known)

    def gateway(self) -> GatewayStream:
        """A stream of a gateway that reports for a group of devices, beside those of others and of single devices."""
        return GatewayStream(self._base_station, self._conversation(methods.SERVE_GATEWAY), self._known)

    def state(self) -> CellState | None:
        """Where the cell stands; None before its first report.

        Raises:
            ServiceUnavailable: no answer came.
        """
        return messages.state_of(self._request(methods.STATE, pb.StateRequest(base_station=self._base_station)))

    def next_frame(self) -> int:
        """The frame that is due, as after a reconnect.

        Raises:
            FreshStart: the cell's state is not the one that this client has met before.
            ServiceUnavailable: no answer came.
        """
        state = self.state()
        self._known.check(state)
        return messages.next_frame_of(state)

    def checkpoint(self) -> int:
        """Have the service keep where the cell stands, so that a restart serves nothing again.

        Returns:
            The frame that is due there.

        Raises:
            ReportRefused: it could not be written, or there is nothing to keep.
            ServiceUnavailable: no answer came.
        """
        return messages.checkpoint_of(
            self._request(methods.CHECKPOINT, pb.CheckpointRequest(base_station=self._base_station))
        )

    def close(self) -> None:
        """End the connection."""
        for channel in self._channels.values():
            channel.close()

    def _answer(self, report: pb.FrameReport) -> pb.FrameAnswer:
        answer: pb.FrameAnswer = self._request(methods.DECIDE, report)
        return answer

    def _request(self, method: methods.Method, request: Any) -> Any:
        until = time.monotonic() + self._timeout_s
        while True:
            target = self._target
            try:
                return self._call(method)(request, timeout=max(until - time.monotonic(), 0.0))
            except grpc.RpcError as error:
                told = unavailable(target, error, self._timeout_s)
                if error.code() is not grpc.StatusCode.UNAVAILABLE or not self._turn_from(target):
                    raise told from None
            if time.monotonic() + AGAIN_S >= until:
                raise told
            time.sleep(AGAIN_S)

    def _conversation(self, method: methods.Method) -> Conversation:
        target = self._target
        return Conversation(self._call(method), target, self._timeout_s, lambda: self._turn_from(target))


class FrameStream(_Frames):
    """Frames over one stream, each answered before the next; made by `Client.stream`. `with` ends it.

    It may be used from several threads, one after the other.
    """

    def __init__(self, base_station: str, conversation: Conversation, known: KnownState) -> None:
        self._base_station, self._target, self._conversation = base_station, conversation.target, conversation
        self._known = known

    def close(self) -> None:
        """End the stream; the base station's name is free again."""
        self._conversation.close()

    def _answer(self, report: pb.FrameReport) -> pb.FrameAnswer:
        answer: pb.FrameAnswer = self._conversation.request(report)
        return answer


class DeviceStream(_Closing):
    """The reports of one device, each answered when its frame is decided; made by `Client.device`. `with` ends it."""

    def __init__(self, base_station: str, number: int, conversation: Conversation, known: KnownState) -> None:
        self._base_station, self._number, self._conversation = base_station, number, conversation
        self._known = known

    def decide(self, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None = None) -> DeviceDecided:
        """Report and wait for the decision; answers to earlier reports that nobody asked for go by.

        Args:
            channel_gain: power gain of the device's channel (W/W).
            arrived_mbit: data that arrived since its last report (Mbit).
            data_queue_mbit: its data queue as it measured it, the arrivals included (Mbit).

        Raises:
            ReportRefused, ServiceUnavailable, ValueError: see `Client.decide`.
        """
        report = messages.device_report(self._base_station, self._number, channel_gain, arrived_mbit, data_queue_mbit)
        return self._decided(self._conversation.request(report))

    def report(self, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None = None) -> None:
        """Report and wait for nothing, `answer` gives the decision; a second report in the frame is refused.

        Args and Raises: see `decide`.
        """
        report = messages.device_report(self._base_station, self._number, channel_gain, arrived_mbit, data_queue_mbit)
        self._conversation.send(report)

    def answer(self) -> DeviceDecided:
        """The next answer: to the frame that a report was part of, or to a report that was refused.

        Raises:
            ReportRefused, ServiceUnavailable: see `Client.decide`.
        """
        return self._decided(self._conversation.receive())

    def close(self) -> None:
        """End the stream; frames no longer wait for this device."""
        self._conversation.close()

    def _decided(self, answer: pb.DeviceAnswer) -> DeviceDecided:
        decided = messages.device_decided_of(answer, self._conversation.target)
        self._known.meet(decided.incarnation)
        return decided


class GatewayStream(_Closing):
    """The reports of a gateway, each answered when its frame is decided; made by `Client.gateway`. `with` ends it."""

    def __init__(self, base_station: str, conversation: Conversation, known: KnownState) -> None:
        self._base_station, self._conversation, self._known = base_station, conversation, known

    def decide(
        self,
        devices: Devices,
        channel_gain: Numbers,
        arrived_mbit: Numbers,
        data_queue_mbit: Numbers | None = None,
    ) -> GatewayDecided:
        """Report and wait for the decision.

        Args:
            devices: numbers of the gateway's devices that report, from 0; those that another one speaks for are
                refused.
            channel_gain: power gain of each one's channel (W/W).
            arrived_mbit: data that arrived at each one since its last report (Mbit).
            data_queue_mbit: its data queue as it measured it, the arrivals included (Mbit).

        Raises:
            ReportRefused, ServiceUnavailable, ValueError: see `Client.decide`.
        """
        report = messages.gateway_report(self._base_station, devices, channel_gain, arrived_mbit, data_queue_mbit)
        decided = messages.gateway_decided_of(self._conversation.request(report), self._conversation.target)
        self._known.meet(decided.incarnation)
        return decided

    def close(self) -> None:
        """End the stream; frames no longer wait for this gateway."""
        self._conversation.close()
