"""The end of a service: what is being served is answered and kept, and nobody who only listens holds it up."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from quedge.service import methods, server
from quedge.service import quedge_pb2 as pb
from tests.service.gated import Gated
from tests.service.service_under_test import Service
from tests.service.wire import (
    PATIENCE_S,
    Remembering,
    Stream,
    asked,
    connected,
    device_report,
    frame_report,
)

ENDED = (grpc.StatusCode.UNAVAILABLE, "the service ends")


@pytest.fixture(autouse=True)
def grace_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that are not ended would be waited for until their clients lose patience."""
    monkeypatch.setattr(server, "_GRACE_S", 10 * PATIENCE_S)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a `Gated` policy waits for."""
    event = threading.Event()
    yield event
    event.set()


def is_over(stream: Stream) -> bool:
    """Whether a stream's next answer is that the service ends."""
    with pytest.raises(grpc.RpcError):
        stream.read()
    return stream.status() == ENDED


def test_idle_streams_end_at_once_and_are_told_why() -> None:
    with Service() as service, connected(service.target) as channel:
        base = Stream(channel, methods.SERVE_FRAMES)
        device, silent = Stream(channel, methods.SERVE_DEVICE), Stream(channel, methods.SERVE_FRAMES)
        assert base.ask(frame_report(0)).outcome == pb.SERVED
        assert device.ask(device_report(0, "quay")).outcome == pb.SERVED
        silent.send(frame_report(0, "a name"))
        assert silent.read().outcome == pb.BAD_NAME
        service.end()
        assert all(is_over(stream) for stream in (base, device, silent))


def test_a_stream_that_has_sent_nothing_ends_too() -> None:
    with Service() as service, connected(service.target) as channel:
        streams = [Stream(channel, method) for method in (methods.SERVE_FRAMES, methods.SERVE_DEVICE)]
        asked(channel, methods.DECIDE, frame_report(0))  # sent after them on the same connection: they are there
        service.end()
        assert all(is_over(stream) for stream in streams)


@pytest.mark.parametrize(
    ("method", "report"), [(methods.SERVE_FRAMES, frame_report(0)), (methods.SERVE_DEVICE, device_report(0))]
)
def test_a_report_that_is_being_served_is_answered_before_its_stream_ends(
    method: methods.Method, report: Any, gate: threading.Event
) -> None:
    policy = Gated(gate)
    with Service(policy=policy) as service, connected(service.target) as channel:
        stream = Stream(channel, method)
        stream.send(report)
        assert policy.asked.wait(PATIENCE_S)
        ending = threading.Thread(target=service.end)
        ending.start()
        ending.join(0.1)
        gate.set()
        assert stream.read().outcome == pb.SERVED
        assert is_over(stream)
        ending.join(PATIENCE_S)
        assert not ending.is_alive()


def test_a_frame_that_waits_for_silent_devices_is_decided_at_the_end() -> None:
    watching = Remembering()
    with Service(deadline_s=10 * PATIENCE_S, observer=watching) as service, connected(service.target) as channel:
        first, silent = Stream(channel, methods.SERVE_DEVICE), Stream(channel, methods.SERVE_DEVICE)
        for number, stream in enumerate((first, silent)):
            assert stream.ask(device_report(number, gain=float("nan"))).outcome == pb.BAD_VALUE
        first.send(device_report(0))
        first.send(device_report(0))
        watching.until_told(("roof", pb.REPEATED_DEVICE))  # so the report before it was read
        service.end()
        answer = first.read()
        assert (answer.outcome, answer.frame) == (pb.SERVED, 0)
        assert first.read().outcome == pb.REPEATED_DEVICE
        assert is_over(first)
        assert is_over(silent)


def test_every_answer_that_came_before_the_end_is_kept_and_no_frame_more(tmp_path: Path) -> None:
    names = [f"roof-{number}" for number in range(3)]
    answered = dict.fromkeys(names, 0)
    busy = threading.Barrier(len(names) + 1)

    def report_until_the_end(channel: grpc.Channel, name: str) -> None:
        stream = Stream(channel, methods.SERVE_FRAMES)
        with contextlib.suppress(grpc.RpcError):
            while True:
                assert stream.ask(frame_report(answered[name], name)).outcome == pb.SERVED
                answered[name] += 1
                if answered[name] == 5:
                    busy.wait(PATIENCE_S)
        assert stream.status() == ENDED

    with Service(state=tmp_path) as service, connected(service.target) as channel:
        threads = [threading.Thread(target=report_until_the_end, args=(channel, name)) for name in names]
        for thread in threads:
            thread.start()
        busy.wait(PATIENCE_S)
        service.end()
        for thread in threads:
            thread.join(PATIENCE_S)
    with Service(state=tmp_path) as service, connected(service.target) as channel:
        due = {name: asked(channel, methods.STATE, pb.StateRequest(base_station=name)).next_frame for name in names}
    assert due == answered
    assert min(answered.values()) >= 5
