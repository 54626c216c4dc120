"""What goes wrong has an outcome by every way of reporting, changes nothing, and the next good frame is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from quedge.controller.journal import Journal
from quedge.controller.records import Entry
from quedge.policy.policy import Policy
from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from quedge.service.methods import Method
from tests.controller.reports import Sometimes
from tests.service.service_under_test import Service
from tests.service.wire import Stream, asked, connected, device_report, frame_report

NAN, INFINITE = float("nan"), float("inf")
REPORTING = (methods.SERVE_FRAMES, methods.SERVE_DEVICE, methods.DECIDE)
reporting = pytest.mark.parametrize("method", REPORTING, ids=lambda method: method.name)

BAD_VALUES = [
    ("channel_gain", NAN), ("channel_gain", INFINITE), ("channel_gain", -1e-11),
    ("arrived_mbit", NAN), ("arrived_mbit", INFINITE), ("arrived_mbit", -1.0),
    ("data_queue_mbit", INFINITE), ("data_queue_mbit", -1.0),
]  # fmt: skip


class Reporter:
    """Reports frame after frame by one method: all devices of a base station, or one device by itself."""

    def __init__(self, channel: grpc.Channel, method: Method) -> None:
        self._channel, self._method = channel, method
        self._stream = Stream(channel, method) if method.streams else None

    def ask(self, frame: int, **changed: float) -> Any:
        """The answer to a report of which the first device's values are changed."""
        request = self._report(frame, changed)
        return asked(self._channel, self._method, request) if self._stream is None else self._stream.ask(request)

    def state(self) -> pb.StateReply:
        """Where the cell stands."""
        reply: pb.StateReply = asked(self._channel, methods.STATE, pb.StateRequest(base_station="roof"))
        return reply

    def _report(self, frame: int, changed: dict[str, float]) -> Any:
        if self._method is methods.SERVE_DEVICE:
            report = device_report(0)
            for field, value in changed.items():
                setattr(report, field, value)
            return report
        whole = frame_report(frame)
        for field, value in changed.items():
            values = getattr(whole, field)
            values[:] = [value, *(values[1:] or [1.0, 1.0])]
        return whole


def test_a_gain_of_0_is_out_of_coverage_and_one_that_is_left_out_is_refused() -> None:
    with Service() as service, connected(service.target) as channel:
        report = device_report(0, gain=0.0)
        served = Stream(channel, methods.SERVE_DEVICE).ask(report)
        assert (served.outcome, served.offload, served.transmit_power_w) == (pb.SERVED, False, 0.0)
        assert served.cpu_frequency_hz > 0.0
        report.ClearField("channel_gain")
        refused = Stream(channel, methods.SERVE_DEVICE).ask(report)
        assert (refused.outcome, refused.field) == (pb.WRONG_LENGTH, "channel_gain")


@reporting
@pytest.mark.parametrize(("field", "value"), BAD_VALUES)
def test_a_value_that_is_not_allowed_is_named_and_changes_nothing(method: Method, field: str, value: float) -> None:
    with Service() as service, connected(service.target) as channel:
        reporter = Reporter(channel, method)
        assert reporter.ask(0).outcome == pb.SERVED
        before = reporter.state()
        answer = reporter.ask(1, **{field: value})
        assert (answer.outcome, answer.field) == (pb.BAD_VALUE, f"{field}[0]")
        assert f"{value} is not allowed; it must be" in answer.message
        assert reporter.state() == before
        again = reporter.ask(1)
        assert (again.outcome, again.frame, again.served_by) == (pb.SERVED, 1, pb.POLICY)


@reporting
def test_a_frame_that_a_full_disk_does_not_take_is_refused_and_served_once_there_is_room(
    method: Method, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Journal.append

    def full(journal: Journal, entry: Entry) -> None:
        raise OSError(28, "No space left on device")

    with Service(state=tmp_path) as service, connected(service.target) as channel:
        reporter = Reporter(channel, method)
        assert reporter.ask(0).outcome == pb.SERVED
        before = reporter.state()
        monkeypatch.setattr(Journal, "append", full)
        for _ in range(2):
            answer = reporter.ask(1)
            assert (answer.outcome, answer.field) == (pb.NOT_DURABLE, "frame")
            assert reporter.state() == before
        monkeypatch.setattr(Journal, "append", append)
        assert [reporter.ask(frame).outcome for frame in (1, 2)] == [pb.SERVED] * 2
        stands = reporter.state()
    with Service(state=tmp_path) as service, connected(service.target) as channel:
        assert Reporter(channel, method).state() == stands


def raising(frame: Any, decision: Any) -> Any:
    """A policy's bad day."""
    raise RuntimeError("a bad day")


def beyond_limits(frame: Any, decision: Any) -> Any:
    """A decision that no device can carry out."""
    return decision._replace(transmit_power_w=decision.transmit_power_w + 1e3)


@reporting
@pytest.mark.parametrize("instead", [raising, beyond_limits])
def test_where_the_policy_fails_best_single_decides_and_the_answer_says_so(method: Method, instead: Any) -> None:
    policy: Policy = Sometimes(frozenset({1}), instead)
    with Service(policy=policy) as service, connected(service.target) as channel:
        reporter = Reporter(channel, method)
        answers = [reporter.ask(frame) for frame in range(3)]
        assert [answer.outcome for answer in answers] == [pb.SERVED] * 3
        assert [answer.served_by for answer in answers] == [pb.POLICY, pb.BEST_SINGLE_POLICY_FAILED, pb.POLICY]
