"""Who asks for too much is told so, and nobody else notices."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest

from quedge.service import calls, methods, server
from quedge.service import quedge_pb2 as pb
from quedge.service.limits import _MOST_BUCKETS, DEFAULT_RATES, Limit, RateLimits, Rates
from quedge.service.monitoring.observers import Observer
from tests.service.service_under_test import Service
from tests.service.wire import METHODS, Stream, asked, connected, device_report, frame_report, status_of

ONE = 1e-3  # a second: a test sees a single token
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


class Told(Observer):
    def __init__(self) -> None:
        self.limits: list[str] = []

    def limited(self, limit: str, peer: str) -> None:
        assert peer.startswith("127.0.0.1:")
        self.limits.append(limit)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_SLOWED_S", 0.0)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def strict(told: Told) -> Iterator[Service]:
    """A service that lets a client make one mistake."""
    with Service(rates=Rates(refusals=ONE), observer=told) as service:
        yield service


def test_tokens_come_at_the_rate_up_to_the_burst_for_each_by_itself() -> None:
    now = 0.0
    limits = RateLimits(Rates(reports=10.0), clock=lambda: now)
    assert [limits.allows(Limit.REPORTS, "roof") for _ in range(12)] == [True] * 10 + [False] * 2
    assert limits.allows(Limit.REPORTS, "quay")
    now = 0.25
    assert [limits.allows(Limit.REPORTS, "roof") for _ in range(3)] == [True, True, False]
    now = 100.0
    assert sum(limits.allows(Limit.REPORTS, "roof") for _ in range(30)) == 10


def test_without_a_limit_everything_is_allowed() -> None:
    limits = RateLimits(Rates(reports=1.0))
    assert all(limits.allows(Limit.REFUSALS, "roof") for _ in range(10_000))


def test_many_clients_make_it_grow_no_further_and_do_not_forgive_the_latest() -> None:
    limits = RateLimits(Rates(reports=1.0), clock=lambda: 0.0)
    for number in range(3 * _MOST_BUCKETS):
        assert limits.allows(Limit.REPORTS, f"client {number}")
    assert len(limits._buckets[Limit.REPORTS]) <= _MOST_BUCKETS
    assert not limits.allows(Limit.REPORTS, f"client {3 * _MOST_BUCKETS - 1}")


def test_a_stream_of_mistakes_ends_and_one_without_goes_on(strict: Service, told: Told) -> None:
    with connected(strict.target) as channel:
        good, bad = (Stream(channel, methods.SERVE_FRAMES) for _ in range(2))
        assert good.ask(frame_report(0)).outcome == pb.SERVED
        assert [bad.ask(frame_report(9, "quay")).outcome for _ in range(2)] == [pb.FUTURE_FRAME] * 2
        with pytest.raises(grpc.RpcError):
            bad.ask(frame_report(0, "quay"))
        code, said = bad.status()
        assert code is EXHAUSTED
        assert said == (
            "more than 0.001 refused reports a second of this client; the service's --refusal-rate allows no more"
        )
        assert good.ask(frame_report(1)).outcome == pb.SERVED
        assert told.limits == ["refusals"]
        again = Stream(channel, methods.SERVE_FRAMES)
        with pytest.raises(grpc.RpcError):  # nor does it go on with another one
            again.ask(frame_report(0, "quay"))
        assert again.status()[0] is EXHAUSTED


def test_so_does_a_device_s_stream(strict: Service) -> None:
    with connected(strict.target) as channel:
        stream = Stream(channel, methods.SERVE_DEVICE)
        assert [stream.ask(device_report(0, gain=-1.0)).outcome for _ in range(2)] == [pb.BAD_VALUE] * 2
        with pytest.raises(grpc.RpcError):
            stream.ask(device_report(0))
        assert stream.status()[0] is EXHAUSTED


def test_calls_of_mistakes_are_refused(strict: Service) -> None:
    with connected(strict.target) as channel:
        bad = frame_report(9).SerializeToString()
        assert asked(channel, methods.DECIDE, bad).outcome == pb.FUTURE_FRAME
        assert status_of(channel, methods.DECIDE, bad)[0] is EXHAUSTED
        assert asked(channel, methods.DECIDE, frame_report(0)).outcome == pb.SERVED


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_bytes_that_are_no_message_are_mistakes(strict: Service, method: methods.Method) -> None:
    with connected(strict.target) as channel:
        codes = [status_of(channel, method, b"\xff\xff\xff")[0] for _ in range(2)]
        assert codes == [grpc.StatusCode.INVALID_ARGUMENT, EXHAUSTED]


@pytest.mark.parametrize("method", [methods.STATE, methods.CHECKPOINT], ids=lambda method: method.name)
def test_questions_about_what_is_not_there_are_mistakes(strict: Service, method: methods.Method) -> None:
    with connected(strict.target) as channel:
        request = method.request(base_station="nowhere")
        assert asked(channel, method, request).outcome == pb.BAD_NAME
        assert status_of(channel, method, request.SerializeToString())[0] is EXHAUSTED


def test_a_report_too_many_is_refused_by_the_name_of_the_limit_and_changes_nothing(told: Told) -> None:
    with (
        Service(rates=Rates(reports=ONE), observer=told) as service,
        connected(service.target) as one,
        connected(service.target) as other,
    ):
        stream = Stream(one, methods.SERVE_FRAMES)
        assert stream.ask(frame_report(0)).outcome == pb.SERVED
        answer = stream.ask(frame_report(1))
        assert (answer.outcome, answer.field, answer.next_frame) == (pb.OVERLOADED, "frame", 1)
        assert "more than 0.001 reports a second of this client; the service's --report-rate" in answer.message
        stream.close()
        with pytest.raises(StopIteration):
            stream.read()
        answer = asked(other, methods.DECIDE, frame_report(1))
        assert answer.outcome == pb.OVERLOADED
        assert "reports a second of this base station" in answer.message
        assert told.limits == ["reports"] * 2


def test_a_device_s_report_too_many_is_refused() -> None:
    with Service(rates=Rates(reports=ONE)) as service, connected(service.target) as channel:
        stream = Stream(channel, methods.SERVE_DEVICE)
        assert [stream.ask(device_report(0)).outcome for _ in range(2)] == [pb.SERVED, pb.OVERLOADED]


def test_checkpoints_are_limited_and_reports_go_on(told: Told) -> None:
    with Service(rates=Rates(checkpoints=ONE), observer=told) as service, connected(service.target) as channel:
        assert asked(channel, methods.DECIDE, frame_report(0)).outcome == pb.SERVED
        request = pb.CheckpointRequest(base_station="roof")
        assert asked(channel, methods.CHECKPOINT, request).outcome == pb.NOT_DURABLE  # there is no state folder
        code, said = status_of(channel, methods.CHECKPOINT, request.SerializeToString())
        assert (code, "--checkpoint-rate" in said) == (EXHAUSTED, True)
        assert asked(channel, methods.DECIDE, frame_report(1)).outcome == pb.SERVED
        assert told.limits == ["checkpoints"]


def test_a_stream_as_fast_as_it_can_be_is_within_the_limits_that_are_set_unless_others_are(told: Told) -> None:
    with Service(rates=DEFAULT_RATES, observer=told) as service, connected(service.target) as channel:
        stream = Stream(channel, methods.SERVE_FRAMES)
        for frame in range(500):
            stream.send(frame_report(frame))
        assert {stream.read().outcome for _ in range(500)} <= {pb.SERVED, pb.OVERLOADED, pb.FUTURE_FRAME}
        assert told.limits == []


def test_a_message_too_long_for_the_cell_s_devices_is_not_taken() -> None:
    with Service() as service, connected(service.target) as channel:
        assert status_of(channel, methods.DECIDE, bytes(1 << 17))[0] is EXHAUSTED


def test_a_report_of_any_number_of_devices_is_taken() -> None:
    for devices in (1, 3_000, 100_000):
        report = pb.FrameReport(
            base_station="x" * 64, frame=2**62, devices=range(devices),
            channel_gain=[1e-11] * devices, arrived_mbit=[1.0] * devices, data_queue_mbit=[1.0] * devices,
        )  # fmt: skip
        assert report.ByteSize() <= methods.max_report_bytes(devices) <= 4 << 20


def test_a_connection_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_HANDSHAKE_MS", 100)
    with Service() as service, socket.create_connection(("127.0.0.1", service.port), 30) as silent:
        while silent.recv(4096):
            pass
        with connected(service.target) as channel:
            assert asked(channel, methods.DECIDE, frame_report(0)).outcome == pb.SERVED


def test_connections_beyond_what_descriptors_allow_are_turned_away_and_streams_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "allowed_descriptors", lambda: server._OWN_DESCRIPTORS + 4)
    with Service() as service, connected(service.target) as channel:
        stream = Stream(channel, methods.SERVE_FRAMES)
        assert stream.ask(frame_report(0)).outcome == pb.SERVED
        silent = [socket.create_connection(("127.0.0.1", service.port), 30) for _ in range(8)]
        for each in silent[3:]:
            ended(each)
        assert stream.ask(frame_report(1)).outcome == pb.SERVED
        for each in silent[:3]:
            each.close()
        assert late_answer(service).next_frame == 2


def late_answer(service: Service) -> Any:
    """What a client is answered once the service has seen that others are gone."""
    for _ in range(200):
        with suppress(grpc.RpcError), connected(service.target) as channel:
            return asked(channel, methods.STATE, pb.StateRequest(base_station="roof"))
        time.sleep(0.05)
    raise AssertionError("nobody is let in any more")


def ended(connection: Any) -> None:
    """Wait until the other side has ended a connection."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        pass
    finally:
        connection.close()
