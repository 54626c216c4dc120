"""Reports that wait, for a policy, other devices or a client that does not read: each has its answer, in order."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import AsyncGenerator

import grpc
import pytest

from quedge.controller.engine import Pace
from quedge.service import methods, translate
from quedge.service import quedge_pb2 as pb
from quedge.service.calls import MAX_IN_FLIGHT, EndedError, serve_in_order
from quedge.service.member_reports import DeviceReports
from tests.service.gated import Gated
from tests.service.service_under_test import SCENARIO, Service
from tests.service.wire import (
    PATIENCE_S,
    Remembering,
    Stream,
    asked,
    connected,
    device_report,
    frame_report,
    status_of,
)

NAN = float("nan")
LATE_S = 0.05
IMPATIENT = Pace(late_s=LATE_S)
ONE_DEVICE = dataclasses.replace(SCENARIO, devices=1)


@pytest.fixture
def policy() -> Gated:
    return Gated(threading.Event())


def outlast_patience() -> None:
    """Let more time pass than a report may wait."""
    threading.Event().wait(2.0 * LATE_S)


def until_state(channel: object, frame: int) -> None:
    """Wait until a frame is due."""
    for _ in range(1000):
        if asked(channel, methods.STATE, pb.StateRequest(base_station="roof")).next_frame == frame:  # type: ignore[arg-type]
            return
        threading.Event().wait(PATIENCE_S / 1000)
    raise AssertionError(f"frame {frame} is not due")


def test_a_base_station_that_outruns_the_policy_is_answered_by_best_single(policy: Gated) -> None:
    with Service(policy=policy, pace=IMPATIENT) as service, connected(service.target) as channel:
        stream = Stream(channel, methods.SERVE_FRAMES)
        for frame in range(5):
            stream.send(frame_report(frame))
        assert policy.asked.wait(PATIENCE_S)
        outlast_patience()
        policy.gate.set()
        answers = [stream.read() for _ in range(5)]
        assert [(answer.outcome, answer.frame) for answer in answers] == [(pb.SERVED, frame) for frame in range(5)]
        assert [answer.served_by for answer in answers] == [pb.POLICY] + [pb.BEST_SINGLE_LATE] * 4
        assert stream.ask(frame_report(5)).served_by == pb.POLICY  # it has caught up


def test_devices_that_outrun_the_policy_are_answered_by_best_single(policy: Gated) -> None:
    with Service(ONE_DEVICE, policy, pace=IMPATIENT) as service, connected(service.target) as channel:
        device = Stream(channel, methods.SERVE_DEVICE)
        for _ in range(4):
            device.send(device_report(0))
        assert policy.asked.wait(PATIENCE_S)
        outlast_patience()
        policy.gate.set()
        answers = [device.read() for _ in range(4)]
        assert [(answer.outcome, answer.frame) for answer in answers] == [(pb.SERVED, frame) for frame in range(4)]
        assert [answer.served_by for answer in answers] == [pb.POLICY] + [pb.BEST_SINGLE_LATE] * 3
        assert device.ask(device_report(0)).served_by == pb.POLICY


def test_frames_of_devices_beyond_those_that_may_wait_are_refused_and_the_next_is_served(policy: Gated) -> None:
    with (
        Service(policy=policy, pace=Pace(late_s=60.0, max_waiting=2)) as service,
        connected(service.target) as channel,
    ):
        device = Stream(channel, methods.SERVE_DEVICE)
        device.send(device_report(0))
        assert policy.asked.wait(PATIENCE_S)  # the first one waits no longer
        for _ in range(5):
            device.send(device_report(0))
        device.send(device_report(1))  # refused at once: all before it were read
        watching = [pb.SERVED] * 3 + [pb.OVERLOADED] * 3 + [pb.BAD_VALUE]
        threading.Timer(0.2, policy.gate.set).start()
        assert [device.read().outcome for _ in range(7)] == watching
        assert device.ask(device_report(0)).frame == 3


@pytest.mark.parametrize("method", [methods.SERVE_FRAMES, methods.SERVE_DEVICE])
def test_who_reads_nothing_for_a_long_time_loses_no_answer(method: methods.Method) -> None:
    count = 20 * MAX_IN_FLIGHT
    scenario = SCENARIO if method is methods.SERVE_FRAMES else ONE_DEVICE
    with Service(scenario) as service, connected(service.target) as channel:
        stream = Stream(channel, method)
        for frame in range(count):
            stream.send(frame_report(frame) if method is methods.SERVE_FRAMES else device_report(0))
        until_state(channel, count)
        answers = [stream.read() for _ in range(count)]
        assert [(answer.outcome, answer.frame) for answer in answers] == [(pb.SERVED, frame) for frame in range(count)]


def test_whoever_watches_is_told_of_frames_whose_stream_is_gone(policy: Gated) -> None:
    watching = Remembering()
    with Service(policy=policy, observer=watching) as service, connected(service.target) as channel:
        stream = Stream(channel, methods.SERVE_FRAMES)
        for frame in range(3):
            stream.send(frame_report(frame))
        stream.send(frame_report(9, "quay"))
        assert policy.asked.wait(PATIENCE_S)
        while asked(channel, methods.STATE, pb.StateRequest(base_station="quay")).outcome != pb.SERVED:
            pass  # all have been read
        stream.cancel()
        policy.gate.set()
        until_state(channel, 3)
        assert asked(channel, methods.DECIDE, frame_report(3)).outcome == pb.SERVED
        watching.until_served(*(("roof", frame) for frame in range(4)))


def test_a_device_that_comes_back_while_its_frame_is_decided_hears_of_its_new_one_only(policy: Gated) -> None:
    two = dataclasses.replace(SCENARIO, devices=2)
    with Service(two, policy, deadline_s=10 * PATIENCE_S) as service, connected(service.target) as channel:
        there, gone = Stream(channel, methods.SERVE_DEVICE), Stream(channel, methods.SERVE_DEVICE)
        for number, stream in enumerate((there, gone)):
            assert stream.ask(device_report(number, gain=NAN)).outcome == pb.BAD_VALUE
        gone.send(device_report(1))
        there.send(device_report(0))
        assert policy.asked.wait(PATIENCE_S)
        gone.cancel()
        back = Stream(channel, methods.SERVE_DEVICE)
        while back.ask(device_report(1, gain=NAN)).outcome == pb.REPEATED_DEVICE:  # its old stream is there yet
            back = Stream(channel, methods.SERVE_DEVICE)
        there.send(device_report(0))  # frames wait for who came back
        policy.gate.set()
        assert there.read().frame == 0
        back.send(device_report(1))
        back.close()
        assert [stream.read().frame for stream in (there, back)] == [1, 1]
        with pytest.raises(StopIteration):
            back.read()


async def numbers(last: int, ending: Exception | None = None) -> AsyncGenerator[int, None]:
    for number in range(last):
        yield number
    if ending is not None:
        raise ending


def test_no_more_is_begun_than_may_be_owed() -> None:
    begun: list[asyncio.Future[int]] = []
    heard: list[int] = []

    def begin(number: int) -> asyncio.Future[int]:
        begun.append(asyncio.get_running_loop().create_future())
        return begun[-1]

    async def write(number: int) -> None:
        heard.append(number)

    async def test() -> None:
        stream = asyncio.create_task(serve_in_order(numbers(1000), begin, write))
        for number in range(1000):
            for _ in range(3 * MAX_IN_FLIGHT):
                await asyncio.sleep(0)
            assert number < len(begun) <= number + MAX_IN_FLIGHT + 2  # one is waited for, and one for room
            begun[number].set_result(number)
        await stream

    asyncio.run(asyncio.wait_for(test(), PATIENCE_S))
    assert heard == list(range(1000))


def test_what_ends_the_requests_is_raised_after_the_answers_to_those_before() -> None:
    heard: list[int] = []

    def begin(number: int) -> asyncio.Future[int]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        loop.call_later(0.03 - 0.01 * number, answer.set_result, number)  # the last one is there first
        return answer

    async def write(number: int) -> None:
        heard.append(number)

    enough = EndedError(grpc.StatusCode.UNAVAILABLE, "enough")
    with pytest.raises(EndedError, match="enough"):
        asyncio.run(asyncio.wait_for(serve_in_order(numbers(3, enough), begin, write), PATIENCE_S))
    assert heard == [0, 1, 2]


def test_a_mistake_in_an_answer_ends_a_stream_and_does_not_leave_it_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    def on_observer_error(served: object) -> None:
        raise RuntimeError("a mistake of ours")

    with Service() as service, connected(service.target) as channel:
        assert asked(channel, methods.DECIDE, frame_report(0)).outcome == pb.SERVED
        monkeypatch.setattr(translate, "answer_of", on_observer_error)
        monkeypatch.setattr(DeviceReports, "answer_of", lambda kind, answer, devices: on_observer_error(answer))
        for method, report in (
            (methods.SERVE_FRAMES, frame_report(1)), (methods.SERVE_DEVICE, device_report(0)),
            (methods.DECIDE, frame_report(3)),
        ):  # fmt: skip
            code, _ = status_of(channel, method, report.SerializeToString())
            assert code is grpc.StatusCode.UNKNOWN
        monkeypatch.undo()
        assert asked(channel, methods.DECIDE, frame_report(4)).outcome == pb.SERVED
