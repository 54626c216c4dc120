"""Random and mutated messages by the million: `python -m benchmarks.service.fuzz [--messages 1000000]`.

Serialized reports of base stations and devices, with bits flipped, parts cut out, doubled or made up, and values that
no device has, go through the translation to the engine; some thousand go as raw bytes through a real gRPC server. Each
must have its outcome, and whatever is not served must leave the queues as they were, byte for byte.
"""

from __future__ import annotations

import argparse
import contextlib
import queue
import sys
import time
from collections import Counter
from collections.abc import Iterable

import grpc
import numpy as np
from google.protobuf.message import DecodeError

from benchmarks.service.processes import runner_process
from benchmarks.service.worlds import BASE_STATION
from quedge import Exact, Scenario
from quedge.controller.assembly import Assembly, Member
from quedge.controller.controller import Controller
from quedge.controller.engine import Engine, Served
from quedge.controller.report import ReportRejected
from quedge.service import methods, translate
from quedge.service import quedge_pb2 as pb
from quedge.service.member_reports import DeviceReports

DEVICES = 4
WAITING_S = 30.0
VALUES = (0.0, -0.0, 1.0, -1.0, 5e-324, 1e-300, 1e6, 1.1e6, 1e12, 1e308, np.inf, -np.inf, np.nan)
WHOLE = (0, 1, 2, 3, 4, -1, 2**31 - 1, -(2**31))


class Messages:
    """Draws serialized messages: good ones, mutated ones and noise."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def frame_report(self, due: int) -> bytes:
        """A base station's report of the frame that is due, or something like it."""
        rng = self._rng
        count = DEVICES if rng.random() < 0.8 else int(rng.integers(0, 7))
        message = pb.FrameReport(
            base_station=BASE_STATION,
            frame=due if rng.random() < 0.8 else int(rng.choice([0, due - 1, due + 1, -1, 2**62, 2**63 - 1, -(2**63)])),
            channel_gain=self._numbers(count, 1e-11),
            arrived_mbit=self._numbers(count, 3.0),
        )
        if rng.random() < 0.3:
            message.devices.extend(int(rng.choice(WHOLE)) for _ in range(rng.integers(0, 6)))
        if rng.random() < 0.2:
            message.data_queue_mbit.extend(self._numbers(count, 5.0))
        return self._mutated(message.SerializeToString())

    def device_report(self) -> bytes:
        """A device's report, or something like it."""
        rng = self._rng
        gain, arrived, queue_mbit = self._numbers(1, 1e-11) + self._numbers(1, 3.0) + self._numbers(1, 5.0)
        message = pb.DeviceReport(base_station=BASE_STATION, channel_gain=gain, arrived_mbit=arrived)
        message.device = int(rng.choice(WHOLE)) if rng.random() < 0.2 else int(rng.integers(DEVICES))
        if rng.random() < 0.3:
            message.data_queue_mbit = queue_mbit
        return self._mutated(message.SerializeToString())

    def _numbers(self, count: int, scale: float) -> list[float]:
        if self._rng.random() < 0.1:
            return [float(value) for value in self._rng.choice(VALUES, count)]
        return (scale * (self._rng.exponential(1.0, count) + 1e-9)).tolist()  # type: ignore[no-any-return]

    def _mutated(self, data: bytes) -> bytes:
        rng, mutated = self._rng, bytearray(data)
        while rng.random() < 0.5:
            kind = rng.integers(6)
            first, last = sorted(rng.integers(0, len(mutated) + 1, 2).tolist())
            if kind == 0 and mutated:
                mutated[int(rng.integers(len(mutated)))] ^= 1 << int(rng.integers(8))
            elif kind == 1:
                del mutated[first:last]
            elif kind == 2:
                mutated[first:first] = mutated[first:last]
            elif kind == 3:
                mutated[first:last] = rng.bytes(int(rng.integers(0, 12)))
            elif kind == 4:
                mutated = bytearray(rng.bytes(int(rng.integers(0, 60))))
            else:
                del mutated[first:]
            mutated = mutated[:5000]
        return bytes(mutated)


def in_process(messages: int, seed: int = 0) -> Counter[str]:
    """Feed messages to the translation and an engine; how often what became of them.

    Raises:
        AssertionError: one had no outcome, or changed the queues without being served.
    """
    drawn, counts = Messages(seed), Counter[str]()
    engine = Engine(lambda: Controller(Scenario(devices=DEVICES), Exact()))
    told: queue.SimpleQueue[Served | ReportRejected] = queue.SimpleQueue()
    assembly, now = Assembly(DEVICES, 0.5), 0.0
    members: dict[int, Member] = {}
    try:
        for number in range(messages):
            before = _queues(engine)
            try:
                if number % 4:
                    message = pb.FrameReport.FromString(drawn.frame_report(engine.queues.next_frame))
                    report = translate.report_of(message, DEVICES)
                else:
                    now += 0.2
                    _take(assembly, members, drawn.device_report(), now)
                    if not assembly.is_closed(now):
                        counts["device: waits"] += 1
                        continue
                    report = assembly.taken()
                engine.submit(report, told.put)
                outcome = told.get(timeout=WAITING_S)
            except DecodeError:
                counts["no message"] += 1
                continue
            except ReportRejected as refused:
                outcome = refused
            if isinstance(outcome, ReportRejected):
                translate.refusal_of(outcome, 0, engine).SerializeToString()
                counts[f"refused: {outcome.reason}"] += 1
            else:
                _check_answer(outcome)
                counts["repeated" if outcome.repeated else f"served by {outcome.answer.served_by}"] += 1
            served = isinstance(outcome, Served) and not outcome.repeated
            assert (_queues(engine) != before) == served, f"message {number} of seed {seed}"
    finally:
        engine.close()
    return counts


def _take(assembly: Assembly, members: dict[int, Member], data: bytes, now: float) -> None:
    message, kind = pb.DeviceReport.FromString(data), DeviceReports()
    if message.device not in members:
        member = Member(kind.field)
        assembly.join(member, kind.own_devices(message))
        members[message.device] = member
    assembly.add(members[message.device], *kind.values(message), now)


def _queues(engine: Engine) -> bytes:
    queues = engine.queues
    return b"%d" % queues.next_frame + queues.data_queue_mbit.tobytes() + queues.energy_queue.tobytes()


def _check_answer(served: Served) -> None:
    answer = served.answer
    for values in answer[5:12]:
        assert np.isfinite(values).all()
        assert (values >= 0.0).all()
    translate.answer_of(served).SerializeToString()


def through_grpc(messages: int, seed: int = 0) -> Counter[str]:
    """Send messages as raw bytes to a service in a process of its own; how often what came back.

    Raises:
        AssertionError: one had no answer, or changed the queues without being served.
    """
    drawn, counts = Messages(seed), Counter[str]()
    with runner_process("exact", DEVICES) as service, grpc.insecure_channel(service.target) as channel:
        decide = _raw(channel, methods.DECIDE)
        good = pb.FrameReport(base_station=BASE_STATION, channel_gain=[1e-11] * DEVICES, arrived_mbit=[1.0] * DEVICES)
        assert decide(good.SerializeToString(), timeout=WAITING_S).outcome == pb.SERVED
        stands = _queues_of_service(channel)
        for number in range(messages):
            data, owned_name = drawn.frame_report(stands.next_frame), False
            with contextlib.suppress(DecodeError):
                owned_name = pb.FrameReport.FromString(data).base_station == BASE_STATION
            try:
                outcome = decide(data, timeout=WAITING_S).outcome
            except grpc.RpcError as error:
                _check_unreadable(error)
                counts["no message"] += 1
                outcome = pb.OUTCOME_UNSPECIFIED
            else:
                counts[pb.Outcome.Name(outcome).lower()] += 1
            after = _queues_of_service(channel)
            assert (after != stands) == (owned_name and outcome == pb.SERVED), f"message {number} of seed {seed}"
            stands = after
            if number % 10 == 0:
                counts += _streamed(channel, drawn, stands.next_frame)
                stands = _queues_of_service(channel)
        good.frame = stands.next_frame
        assert decide(good.SerializeToString(), timeout=WAITING_S).outcome == pb.SERVED
        assert service.end() == 0
    return counts


def _streamed(channel: grpc.Channel, drawn: Messages, due: int) -> Counter[str]:
    """A stream of a few messages of a base station, and one of a device."""
    counts = Counter[str]()
    frames = [drawn.frame_report(due + i) for i in range(3)]
    devices = [drawn.device_report() for _ in range(3)]
    for method, data in ((methods.SERVE_FRAMES, frames), (methods.SERVE_DEVICE, devices)):
        try:
            for answer in _raw(channel, method)(iter(data), timeout=WAITING_S):
                counts[f"streamed: {pb.Outcome.Name(answer.outcome).lower()}"] += 1
        except grpc.RpcError as error:
            _check_unreadable(error)
            counts["streamed: no message"] += 1
    return counts


def _check_unreadable(error: grpc.RpcError) -> None:
    """The call must have ended since the bytes are no message, and for nothing else."""
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error
    assert error.details().startswith("these bytes are no "), error


def _raw(channel: grpc.Channel, method: methods.Method) -> grpc.UnaryUnaryMultiCallable:
    """A method whose requests are bytes as they are."""
    kind = channel.stream_stream if method.streams else channel.unary_unary
    return kind(method.path, bytes, method.reply.FromString)


def _queues_of_service(channel: grpc.Channel) -> pb.StateReply:
    request = pb.StateRequest(base_station=BASE_STATION).SerializeToString()
    reply: pb.StateReply = _raw(channel, methods.STATE)(request, timeout=WAITING_S)
    return reply


def _lines(counts: Counter[str]) -> Iterable[str]:
    return (f"{times:>10,}  {what}" for what, times in counts.most_common())


def main() -> None:
    """Print what became of the messages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--through-grpc", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name, feed, messages in (
        ("in the process", in_process, given.messages),
        ("through gRPC", through_grpc, given.through_grpc),
    ):
        began = time.perf_counter()
        counts = feed(messages, given.seed)
        print(f"{messages:,} messages {name} in {time.perf_counter() - began:.0f} s:", *_lines(counts), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
