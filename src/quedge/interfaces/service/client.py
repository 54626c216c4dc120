"""A client of the service for programs that wait for answers, and what both clients give."""

from __future__ import annotations

import contextlib
import operator
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from quedge.controller.answer import ServedBy
from quedge.interfaces.service import methods
from quedge.interfaces.service import quedge_pb2 as pb
from quedge.model.frame import Status

Numbers = Sequence[float] | NDArray[np.float64]
"""One number a device."""

BASE_STATION = "base-station"
"""What a base station is called that gives no name."""

TIMEOUT_S = 5.0

CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),  # a controller stands near, and frames have no time for detours
    ("grpc.use_local_subchannel_pool", 1),  # a client that begins does not inherit another one's waiting times
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 3000),  # how long a connection may take to come about
    ("grpc.max_reconnect_backoff_ms", 1000),  # a restarted service is found within a second
)

_MOST_INT64 = 2**63 - 1
_MOST_INT32 = 2**31 - 1
_CLOSING_S = 2.0
_SERVED_BY = {
    pb.POLICY: ServedBy.POLICY,
    pb.BEST_SINGLE_LATE: ServedBy.LATE,
    pb.BEST_SINGLE_POLICY_FAILED: ServedBy.POLICY_FAILED,
}
_STATUSES = {pb.DecisionStatus.Value(status.name): status for status in Status}


class ServiceUnavailable(ConnectionError):  # noqa: N818  (it tells a state of the service)
    """No answer came: the service is not there, was lost, or did not answer in time.

    Whether the last report was served is not known. Send it again after a reconnect: a report that was served already
    gets the same answer, marked as repeated, and is not served twice.
    """


class ReportRefused(Exception):  # noqa: N818  (the contract's own word)
    """The service refused a report and stands where it stood before it.

    Attributes:
        outcome: the reason, by its name in the contract, "BAD_VALUE" for example.
        field: the report's field that is to blame.
        next_frame: the frame that is due; None where the service does not tell.
    """

    def __init__(self, outcome: str, field: str, message: str, next_frame: int | None = None) -> None:
        super().__init__(message or f"{field}: {outcome}")
        self.outcome = outcome
        self.field = field
        self.next_frame = next_frame


@dataclass(frozen=True, eq=False)
class Decided:
    """A frame's answer.

    Attributes:
        frame: number of the frame.
        devices: numbers of the devices that it is for, rising; shape (devices,), like all arrays that follow.
        offload: true where a device offloads.
        transmit_power_w: transmit power (W).
        cpu_frequency_hz: CPU frequency (Hz).
        time_share: share of the frame in which a device transmits; None where offloaders transmit for the whole frame.
        rate_mbps: rate that follows (Mbit/s).
        power_w: power that follows (W).
        data_queue_mbit: data queue after the frame (Mbit).
        energy_queue: virtual energy queue after the frame.
        objective: objective (17) that follows.
        upper_bound: no decision reaches more; None where the policy has no bound.
        served_by: who decided.
        status: how the decision came about.
        repeated: whether this very report had been served before, and its answer is given once more.
        next_frame: the frame that is due now.
    """

    frame: int
    devices: NDArray[np.int64]
    offload: NDArray[np.bool_]
    transmit_power_w: NDArray[np.float64]
    cpu_frequency_hz: NDArray[np.float64]
    time_share: NDArray[np.float64] | None
    rate_mbps: NDArray[np.float64]
    power_w: NDArray[np.float64]
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]
    objective: float
    upper_bound: float | None
    served_by: ServedBy
    status: Status
    repeated: bool
    next_frame: int


@dataclass(frozen=True)
class DeviceDecided:
    """A frame's answer to one of its devices; attributes as in `Decided`, numbers in place of arrays."""

    frame: int
    offload: bool
    transmit_power_w: float
    cpu_frequency_hz: float
    time_share: float | None
    rate_mbps: float
    power_w: float
    data_queue_mbit: float
    energy_queue: float
    served_by: ServedBy
    status: Status


@dataclass(frozen=True, eq=False)
class CellState:
    """Where a base station's cell stands.

    Attributes:
        next_frame: the frame that is due.
        data_queue_mbit: data queues of all devices (Mbit), shape (devices,).
        energy_queue: virtual energy queues of all devices, shape (devices,).
        policy: name of the service's policy.
        durability: what an acknowledged frame survives: "process", "power" or "none".
    """

    next_frame: int
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]
    policy: str
    durability: str


class Client:
    """A base station's connection to the service; `with` closes it.

    Args:
        target: "host:port".
        base_station: its name; each name has a cell of its own.
        credentials: of TLS, as `grpc.ssl_channel_credentials` makes them; plain text without.
        ca: file with the certificate, PEM, that the service's one is signed by; instead of `credentials`.
        certificate: file with this client's own certificate, where the service asks for one.
        key: file with its key.
        timeout_s: how long an answer is waited for (s).

    Raises:
        ValueError: TLS arguments that do not go together.
        OSError: a file that cannot be read.
    """

    def __init__(
        self,
        target: str,
        base_station: str = BASE_STATION,
        *,
        credentials: Any = None,
        ca: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._target, self._base_station, self._timeout_s = target, base_station, timeout_s
        secured_by = credentials_of(credentials, ca, certificate, key)
        if secured_by is None:
            self._channel = grpc.insecure_channel(target, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(target, secured_by, CHANNEL_OPTIONS)
        calls = (methods.SERVE_FRAMES, methods.SERVE_DEVICE, methods.DECIDE, methods.STATE, methods.CHECKPOINT)
        self._calls = {method: multicallable(self._channel, method) for method in calls}

    def decide(
        self,
        frame: int,
        channel_gain: Numbers,
        arrived_mbit: Numbers,
        data_queue_mbit: Numbers | None = None,
        devices: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> Decided:
        """Report a frame and wait for its decision.

        Args:
            frame: number of the frame: 0, 1, 2, ...; `next_frame` tells which one is due.
            channel_gain: power gain of each reporting device's channel (W/W).
            arrived_mbit: data that arrived at each one since its last report (Mbit).
            data_queue_mbit: its data queue as it measured it, the arrivals included (Mbit); without, the controller
                keeps the books.
            devices: numbers of the reporting devices, from 0; all of them, in order, without.

        Raises:
            ReportRefused: the service did not serve it.
            ServiceUnavailable: no answer came.
            ValueError: an argument that is no list of numbers.
        """
        report = frame_report(self._base_station, frame, channel_gain, arrived_mbit, data_queue_mbit, devices)
        return decided_of(self._ask(methods.DECIDE, report), self._target)

    def stream(self) -> FrameStream:
        """A stream of frames, for the lowest latency; meanwhile the base station's name is its own."""
        return FrameStream(self._base_station, self._conversation(methods.SERVE_FRAMES))

    def device(self, number: int) -> DeviceStream:
        """A stream of a device that reports for itself; meanwhile the base station has only such streams."""
        return DeviceStream(self._base_station, number, self._conversation(methods.SERVE_DEVICE))

    def state(self) -> CellState | None:
        """Where the cell stands; None before its first report.

        Raises:
            ServiceUnavailable: no answer came.
        """
        return state_of(self._ask(methods.STATE, pb.StateRequest(base_station=self._base_station)))

    def next_frame(self) -> int:
        """The frame that is due, as after a reconnect.

        Raises:
            ServiceUnavailable: no answer came.
        """
        state = self.state()
        return 0 if state is None else state.next_frame

    def checkpoint(self) -> int:
        """Have the service keep where the cell stands, so that a restart serves nothing again.

        Returns:
            The frame that is due there.

        Raises:
            ReportRefused: it could not be written, or there is nothing to keep.
            ServiceUnavailable: no answer came.
        """
        return checkpoint_of(self._ask(methods.CHECKPOINT, pb.CheckpointRequest(base_station=self._base_station)))

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _ask(self, method: methods.Method, request: Any) -> Any:
        try:
            return self._calls[method](request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise unavailable(self._target, error, self._timeout_s) from None

    def _conversation(self, method: methods.Method) -> _Conversation:
        return _Conversation(self._calls[method], self._target, self._timeout_s)


class FrameStream:
    """Frames over one stream, each answered before the next; made by `Client.stream`. `with` ends it.

    It may be used from several threads, one after the other.
    """

    def __init__(self, base_station: str, conversation: _Conversation) -> None:
        self._base_station, self._conversation = base_station, conversation

    def decide(
        self,
        frame: int,
        channel_gain: Numbers,
        arrived_mbit: Numbers,
        data_queue_mbit: Numbers | None = None,
        devices: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> Decided:
        """See `Client.decide`; after `ServiceUnavailable` the stream is over, and a new one begins with `stream`."""
        report = frame_report(self._base_station, frame, channel_gain, arrived_mbit, data_queue_mbit, devices)
        return decided_of(self._conversation.ask(report), self._conversation.target)

    def close(self) -> None:
        """End the stream; the base station's name is free again."""
        self._conversation.close()

    def __enter__(self) -> FrameStream:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class DeviceStream:
    """The reports of one device, each answered when its frame is decided; made by `Client.device`. `with` ends it."""

    def __init__(self, base_station: str, number: int, conversation: _Conversation) -> None:
        self._base_station, self._number, self._conversation = base_station, number, conversation

    def decide(self, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None = None) -> DeviceDecided:
        """Report and wait for the decision; answers to earlier reports that nobody asked for go by.

        Args:
            channel_gain: power gain of the device's channel (W/W).
            arrived_mbit: data that arrived since its last report (Mbit).
            data_queue_mbit: its data queue as it measured it, the arrivals included (Mbit).

        Raises:
            ReportRefused, ServiceUnavailable, ValueError: see `Client.decide`.
        """
        report = device_report(self._base_station, self._number, channel_gain, arrived_mbit, data_queue_mbit)
        return device_decided_of(self._conversation.ask(report), self._conversation.target)

    def report(self, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None = None) -> None:
        """Report and wait for nothing, `answer` gives the decision; a second report in the frame is refused.

        Args and Raises: see `decide`.
        """
        self._conversation.tell(
            device_report(self._base_station, self._number, channel_gain, arrived_mbit, data_queue_mbit)
        )

    def answer(self) -> DeviceDecided:
        """The next answer: to the frame that a report was part of, or to a report that was refused.

        Raises:
            ReportRefused, ServiceUnavailable: see `Client.decide`.
        """
        return device_decided_of(self._conversation.hear(), self._conversation.target)

    def close(self) -> None:
        """End the stream; frames no longer wait for this device."""
        self._conversation.close()

    def __enter__(self) -> DeviceStream:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class _Conversation:
    """One stream both ways. gRPC's own thread takes what is said; a second one ends a wait that lasts too long."""

    def __init__(self, call: Callable[..., Any], target: str, timeout_s: float) -> None:
        self.target, self._timeout_s = target, timeout_s
        self._said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._heard = call(iter(self._said.get, None))
        self._turn = threading.Lock()
        self._owed = 0  # replies that have not been heard
        self._waits_since: float | None = None
        self._over, self._expired = threading.Event(), False
        threading.Thread(target=self._watch, name="quedge-timeout", daemon=True).start()

    def ask(self, request: Any) -> Any:
        """Say something and hear the reply to it; replies that nobody waited for go by."""
        with self._turn:
            self._say(request)
            while True:
                reply = self._next()
                if self._owed == 0:
                    return reply

    def tell(self, request: Any) -> None:
        """Say something."""
        with self._turn:
            self._say(request)

    def hear(self) -> Any:
        """The next reply."""
        with self._turn:
            return self._next()

    def close(self) -> None:
        """End it from this side, and wait a little for the other side to know."""
        self._said.put(None)
        self._timeout_s, self._waits_since = _CLOSING_S, time.monotonic()
        with contextlib.suppress(grpc.RpcError):
            for _ in self._heard:
                pass
        self._over.set()

    def _say(self, request: Any) -> None:
        self._said.put(request)
        self._owed += 1

    def _next(self) -> Any:
        self._waits_since = time.monotonic()
        try:
            reply = next(self._heard)
        except (StopIteration, grpc.RpcError) as error:
            raise self._lost(error) from None
        finally:
            self._waits_since = None
        self._owed -= 1
        return reply

    def _lost(self, error: BaseException) -> ServiceUnavailable:
        self._over.set()
        self._said.put(None)  # gRPC's thread ends
        if self._expired:
            return ServiceUnavailable(_too_late(self.target, self._timeout_s))
        if isinstance(error, StopIteration):
            return ServiceUnavailable(f"{self.target}: the service ended the stream")
        return unavailable(self.target, error, self._timeout_s)

    def _watch(self) -> None:
        while not self._over.wait(self._timeout_s / 8):
            since = self._waits_since
            if since is not None and time.monotonic() - since > self._timeout_s:
                self._expired = True
                self._heard.cancel()
                return


def credentials_of(
    credentials: Any, ca: str | Path | None, certificate: str | Path | None, key: str | Path | None
) -> Any:
    """TLS credentials from the arguments of `Client`; None for plain text."""
    if (certificate is None) != (key is None):
        raise ValueError("certificate, key: one without the other is not allowed; give both or neither")
    if ca is None:
        if certificate is not None:
            raise ValueError("certificate: is not allowed without ca, by which the service is known")
        return credentials
    if credentials is not None:
        raise ValueError("ca: is not allowed beside credentials; give one of them")
    chain, private = (None if path is None else Path(path).read_bytes() for path in (certificate, key))
    return grpc.ssl_channel_credentials(Path(ca).read_bytes(), private, chain)


def multicallable(channel: Any, method: methods.Method) -> Callable[..., Any]:
    """What calls a method of the service over a channel, of either kind."""
    kind = channel.stream_stream if method.streams else channel.unary_unary
    call: Callable[..., Any] = kind(method.path, method.request.SerializeToString, method.reply.FromString)
    return call


def frame_report(
    base_station: str,
    frame: int,
    channel_gain: Numbers,
    arrived_mbit: Numbers,
    data_queue_mbit: Numbers | None,
    devices: Sequence[int] | NDArray[np.int64] | None,
) -> pb.FrameReport:
    """The message of a report; arguments as in `Client.decide`.

    Raises:
        ReportRefused: it is about no device; the contract has no such message.
        ValueError: an argument that no message can hold.
    """
    if devices is not None and len(devices) == 0:
        raise ReportRefused("NO_DEVICES", "devices", "devices: none is not allowed; a report is about at least one")
    return pb.FrameReport(
        base_station=_name(base_station),
        frame=_integer("frame", frame, _MOST_INT64),
        devices=None if devices is None else [_integer("devices", each, _MOST_INT32) for each in devices],
        channel_gain=_numbers("channel_gain", channel_gain),
        arrived_mbit=_numbers("arrived_mbit", arrived_mbit),
        data_queue_mbit=None if data_queue_mbit is None else _numbers("data_queue_mbit", data_queue_mbit),
    )


def device_report(
    base_station: str, number: int, channel_gain: float, arrived_mbit: float, data_queue_mbit: float | None
) -> pb.DeviceReport:
    """The message of a device's report; arguments as in `DeviceStream.report`.

    Raises:
        ValueError: an argument that no message can hold.
    """
    return pb.DeviceReport(
        base_station=_name(base_station),
        device=_integer("device", number, _MOST_INT32),
        channel_gain=_number("channel_gain", channel_gain),
        arrived_mbit=_number("arrived_mbit", arrived_mbit),
        data_queue_mbit=None if data_queue_mbit is None else _number("data_queue_mbit", data_queue_mbit),
    )


def decided_of(answer: pb.FrameAnswer, target: str) -> Decided:
    """A frame's answer as users get it.

    Raises:
        ReportRefused: the answer says so.
        ServiceUnavailable: it says what this version does not know.
    """
    _check_outcome(answer, answer.next_frame)
    served_by, status = _known(answer, target)
    return Decided(
        frame=answer.frame,
        devices=np.array(answer.devices, dtype=np.int64),
        offload=np.array(answer.offload, dtype=np.bool_),
        transmit_power_w=np.array(answer.transmit_power_w),
        cpu_frequency_hz=np.array(answer.cpu_frequency_hz),
        time_share=np.array(answer.time_share) if answer.time_share else None,
        rate_mbps=np.array(answer.rate_mbps),
        power_w=np.array(answer.power_w),
        data_queue_mbit=np.array(answer.data_queue_mbit),
        energy_queue=np.array(answer.energy_queue),
        objective=answer.objective,
        upper_bound=answer.upper_bound if answer.HasField("upper_bound") else None,
        served_by=served_by,
        status=status,
        repeated=answer.outcome == pb.REPEATED,
        next_frame=answer.next_frame,
    )


def device_decided_of(answer: pb.DeviceAnswer, target: str) -> DeviceDecided:
    """A device's answer as users get it; raises as `decided_of`."""
    _check_outcome(answer, None)
    served_by, status = _known(answer, target)
    return DeviceDecided(
        frame=answer.frame,
        offload=answer.offload,
        transmit_power_w=answer.transmit_power_w,
        cpu_frequency_hz=answer.cpu_frequency_hz,
        time_share=answer.time_share if answer.HasField("time_share") else None,
        rate_mbps=answer.rate_mbps,
        power_w=answer.power_w,
        data_queue_mbit=answer.data_queue_mbit,
        energy_queue=answer.energy_queue,
        served_by=served_by,
        status=status,
    )


def state_of(reply: pb.StateReply) -> CellState | None:
    """Where a cell stands; None where the service does not know the base station yet."""
    if reply.outcome != pb.SERVED:
        return None
    return CellState(
        next_frame=reply.next_frame,
        data_queue_mbit=np.array(reply.data_queue_mbit),
        energy_queue=np.array(reply.energy_queue),
        policy=reply.policy,
        durability=reply.durability,
    )


def checkpoint_of(reply: pb.CheckpointReply) -> int:
    """The frame that is due where a kept cell stands.

    Raises:
        ReportRefused: nothing was kept.
    """
    if reply.outcome != pb.SERVED:
        raise ReportRefused(_outcome_name(reply.outcome), "base_station", reply.message)
    return reply.next_frame


def unavailable(target: str, error: Any, timeout_s: float) -> ServiceUnavailable:
    """What is raised for trouble of the transport, in plain words."""
    code, details = error.code(), str(error.details() or "")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ServiceUnavailable(_too_late(target, timeout_s))
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServiceUnavailable(f"{target}: what answers there is no controller of quedge")
    told = next((text for sign, text in _SIGNS if sign in details.casefold()), details or code.name)
    return ServiceUnavailable(f"{target}: {told}")


_LOST = "the connection was lost: the service has ended, or speaks TLS where this side does not"
_SIGNS = (
    ("handshake", "the TLS handshake failed; do the certificates belong to this service?"),
    ("certificate", "the TLS handshake failed; do the certificates belong to this service?"),
    ("refused", "nothing listens there; is the service running?"),
    ("dns", "the host's name is not known"),
    ("resol", "the host's name is not known"),
    ("closed", _LOST),
    ("reset", _LOST),
    ("cancel", "the service ended the call"),
    ("failed to connect", "the host cannot be reached"),
)
"""What gRPC says, in lower case, and what is meant."""


def _too_late(target: str, timeout_s: float) -> str:
    return f"{target}: no answer came within {timeout_s:g} s"


def _check_outcome(answer: Any, next_frame: int | None) -> None:
    if answer.outcome not in (pb.SERVED, pb.REPEATED):
        raise ReportRefused(_outcome_name(answer.outcome), answer.field, answer.message, next_frame)


def _outcome_name(outcome: Any) -> str:
    try:
        return str(pb.Outcome.Name(outcome))
    except ValueError:
        return f"OUTCOME_{outcome}"  # of a newer service


def _known(answer: Any, target: str) -> tuple[ServedBy, Status]:
    try:
        return _SERVED_BY[answer.served_by], _STATUSES[answer.status]
    except KeyError:
        raise ServiceUnavailable(f"{target}: the service answers as no version does that this one knows") from None


def _name(base_station: str) -> str:
    try:
        base_station.encode()
    except (AttributeError, UnicodeEncodeError):
        raise ValueError(f"base_station: {base_station!r} is not allowed; it must be a text") from None
    return base_station


def _integer(name: str, value: Any, most: int) -> int:
    try:
        number = operator.index(value)
        if isinstance(value, bool) or not -most <= number <= most:
            raise TypeError
    except TypeError:
        raise ValueError(f"{name}: {value!r} is not allowed; it must be an integer") from None
    return number


def _number(name: str, value: Any) -> float:
    if type(value) is float:  # the usual case, for thousands of devices a second
        return value
    (number,) = _numbers(name, [value])
    return number


def _numbers(name: str, values: Any) -> list[float]:
    try:
        given = np.asarray(values)
    except ValueError:
        given = np.empty((0, 0))
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iuf"):
        raise ValueError(f"{name}: {values!r} is not allowed; it must be a list with one number a device")
    return [float(value) for value in given]
