"""Every refusal is told to the observer, wherever it happens, and none of them makes anything grow."""

from __future__ import annotations

import asyncio
import io
import string
from typing import Any

import grpc
import numpy as np
import pytest

from quedge.controller.controller import Controller
from quedge.controller.engine import Pace
from quedge.policy.exact import Exact
from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from quedge.service.cells import CellRegistry
from quedge.service.monitoring.endpoints import live
from quedge.service.monitoring.logs import Logs
from quedge.service.monitoring.metrics import Metrics
from quedge.service.monitoring.observers import Observers
from quedge.service.monitoring.statistics import Statistics
from quedge.service.servicer import Servicer
from quedge.service.settings import Rendering
from tests.service.service_under_test import SCENARIO, Service
from tests.service.wire import (
    METHODS,
    PlainText,
    Remembering,
    Stream,
    asked,
    connected,
    device_report,
    frame_report,
    status_of,
)

NO_MESSAGE = b"\xff\xff\xff"
NAN = float("nan")


def named(method: methods.Method) -> str:
    return method.name


def test_every_refusal_of_a_device_s_report_is_told() -> None:
    watching = Remembering()
    with Service(observer=watching) as service, connected(service.target) as channel:
        device = Stream(channel, methods.SERVE_DEVICE)
        answers = [device.ask(device_report(0, gain=NAN)), device.ask(device_report(1))]
        answers += [device.ask(device_report(0, "quay")), Stream(channel, methods.SERVE_DEVICE).ask(device_report(0))]
        answers += [Stream(channel, methods.SERVE_DEVICE).ask(device_report(7))]
        outcomes = [answer.outcome for answer in answers]
        assert outcomes == [pb.BAD_VALUE, pb.BAD_VALUE, pb.BAD_VALUE, pb.REPEATED_DEVICE, pb.UNKNOWN_DEVICE]
        assert watching.refusals == [("roof", outcome) for outcome in outcomes]
        assert answers[1].message == "device: 1 is not allowed; it must be 0, since a stream is one device's"
        assert answers[2].message.startswith("base_station: 'quay' is not allowed; it must be 'roof'")
        assert device.ask(device_report(0)).outcome == pb.SERVED
        watching.until_served(("roof", 0))


def test_a_frame_of_devices_that_is_refused_counts_each_device_s_report() -> None:
    watching, nothing_waits = Remembering(), Pace(max_waiting=0)
    with Service(observer=watching, pace=nothing_waits) as service, connected(service.target) as channel:
        streams = [Stream(channel, methods.SERVE_DEVICE) for _ in range(2)]
        for number, stream in enumerate(streams):
            assert stream.ask(device_report(number, gain=NAN)).outcome == pb.BAD_VALUE
        for number, stream in enumerate(streams):
            stream.send(device_report(number))
        assert [stream.read().outcome for stream in streams] == [pb.OVERLOADED] * 2
        assert watching.refusals == [("roof", pb.BAD_VALUE)] * 2 + [("roof", pb.OVERLOADED)] * 2


@pytest.mark.parametrize("method", METHODS, ids=named)
@pytest.mark.parametrize("request_bytes", [NO_MESSAGE, b"\x0a\x02\xff\xfe"], ids=["no fields", "a name in no UTF-8"])
def test_bytes_that_are_no_message_end_a_call_by_name_and_change_nothing(
    method: methods.Method, request_bytes: bytes
) -> None:
    watching = Remembering()
    with Service(observer=watching) as service, connected(service.target) as channel:
        assert asked(channel, methods.DECIDE, frame_report(0)).outcome == pb.SERVED
        before = asked(channel, methods.STATE, pb.StateRequest(base_station="roof"))
        ended = status_of(channel, method, request_bytes)
        assert ended == (grpc.StatusCode.INVALID_ARGUMENT, f"these bytes are no {method.request.DESCRIPTOR.name}")
        assert watching.refusals == [("", pb.BAD_VALUE)]
        assert asked(channel, methods.STATE, pb.StateRequest(base_station="roof")) == before
        assert Stream(channel, methods.SERVE_FRAMES).ask(frame_report(1)).outcome == pb.SERVED


@pytest.mark.parametrize("method", [methods.SERVE_FRAMES, methods.SERVE_DEVICE], ids=named)
def test_what_was_reported_before_such_bytes_is_answered_and_the_name_is_free(method: methods.Method) -> None:
    with Service() as service, connected(service.target) as channel:
        stream = Stream(channel, method)
        stream.send(frame_report(0) if method is methods.SERVE_FRAMES else device_report(0))
        stream.send(NO_MESSAGE)
        assert stream.read().outcome == pb.SERVED
        with pytest.raises(grpc.RpcError, match="these bytes are no"):
            stream.read()
        assert asked(channel, methods.DECIDE, frame_report(1)).outcome == pb.SERVED


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_a_message_above_the_limit_ends_a_call_and_the_next_is_served(method: methods.Method) -> None:
    with Service() as service, connected(service.target) as channel:
        code, _ = status_of(channel, method, bytes(5 << 20))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert asked(channel, methods.DECIDE, frame_report(0)).outcome == pb.SERVED


def random_names(count: int) -> list[str]:
    """Names, of which half are allowed."""
    rng = np.random.default_rng(11)
    letters = np.array(list(string.ascii_letters + string.digits))
    rows = rng.choice(letters, size=(count, 20))
    return ["".join(row) if place % 2 else f"a name {''.join(row)}" for place, row in enumerate(rows)]


async def one_by_one(servicer: Servicer, requests: list[pb.FrameReport]) -> list[Any]:
    return [(await servicer.decide(request, PlainText())).outcome for request in requests]


def test_ten_thousand_names_that_nobody_checked_make_nothing_grow() -> None:
    budget_w = SCENARIO.per_device("power_budget_w")
    statistics, log = Statistics(budget_w), io.StringIO()
    metrics = Metrics(statistics)
    logs = Logs(Rendering.JSON, log, clock=lambda: 0.0)
    cells = CellRegistry(lambda: Controller(SCENARIO, Exact()), None, max_cells=3)
    servicer = Servicer(cells, "exact", 0.02, Observers((statistics, logs), logs.observer_failed))
    names = [f"roof-{number}" for number in range(3)]
    try:
        first = [*(frame_report(0, name) for name in names), frame_report(0, "a name"), frame_report(9, names[0])]
        assert asyncio.run(one_by_one(servicer, first)) == [pb.SERVED] * 3 + [pb.BAD_NAME, pb.FUTURE_FRAME]
        seen = labels_of(metrics), live(statistics).count('"next_frame"')
        invented = random_names(10_000)
        outcomes = asyncio.run(one_by_one(servicer, [frame_report(0, name) for name in invented]))
        assert outcomes == [pb.BAD_NAME] * 10_000
        assert (labels_of(metrics), live(statistics).count('"next_frame"')) == seen
        assert seen[1] == 3
        assert not any(name in live(statistics) for name in invented)
        assert cells.names() == names
        assert statistics.refusals["bad_name"] == 10_001
    finally:
        cells.close()
        logs.stopped()
    lines = log.getvalue().splitlines()
    assert len([line for line in lines if '"refused"' in line]) == 3  # two outcomes, and how many more of the one


def labels_of(metrics: Metrics) -> set[tuple[str, ...]]:
    """All time series that Prometheus would keep."""
    return {(sample.name, *sample.labels.values()) for family in metrics.collect() for sample in family.samples}
