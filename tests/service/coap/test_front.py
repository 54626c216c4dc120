from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import pytest

from quedge.controller.controller import Controller
from quedge.controller.engine import Pace
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal

pytest.importorskip("grpc")

from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from quedge.service.cells import CellRegistry
from quedge.service.coap.exchanges import Exchange, Exchanges
from quedge.service.coap.front import CoapFront
from quedge.service.coap.messages import Code, Kind, Message, decoded
from quedge.service.limits import NO_LIMITS, Rates
from quedge.service.monitoring.observers import Observer
from quedge.service.servicer import Servicer
from quedge.service.tls.access import AccessPolicy

PATIENCE_S = 20.0
NEVER_S = 1e5
NAN = float("nan")


class Watching(Observer):
    """Remembers refusals and streams."""

    def __init__(self) -> None:
        self.refusals: list[tuple[str, int]] = []
        self.streams: list[tuple[str, str, str]] = []

    def refused(self, base_station: str, outcome: int, peer: str = "") -> None:
        """See `Observer.refused`."""
        self.refusals.append((base_station, outcome))

    def stream_began(self, base_station: str, method: str, peer: str) -> None:
        """See `Observer.stream_began`."""
        self.streams.append((base_station, method, peer))

    def stream_ended(self, base_station: str, method: str, peer: str) -> None:
        """See `Observer.stream_ended`."""
        self.streams.remove((base_station, method, peer))


class Cell:
    """A service of two devices that report over CoAP, each from a port of its own, without a network."""

    def __init__(self, rates: Rates = NO_LIMITS, silent_s: float = NEVER_S, bind_names: bool = False) -> None:
        self.cells = CellRegistry(lambda: Controller(Scenario(devices=2), AllLocal()), None, Pace(late_s=NEVER_S))
        self.watching = Watching()
        access = AccessPolicy(bind_names=bind_names)
        self.servicer = Servicer(self.cells, "all-local", NEVER_S, self.watching, access, rates)
        self.front = CoapFront(self.servicer, silent_s)
        self.exchanges = Exchanges(self, self.front.serve, asyncio.get_running_loop().time)  # type: ignore[arg-type]
        self._waited: dict[tuple[Any, bytes], asyncio.Future[Message]] = {}
        self._number = 0

    def sendto(self, data: bytes, address: Any) -> None:
        """See `socket.socket.sendto`."""
        response = decoded(data)
        self._waited.pop((address, response.token)).set_result(response)

    def send(
        self, path: tuple[str, ...], payload: bytes = b"", code: int = Code.POST, port: int = 40_000, option: int = 0
    ) -> asyncio.Future[Message]:
        """Send a request; its response to come."""
        self._number += 1
        token = self._number.to_bytes(4, "big")
        answer = self._waited[("127.0.0.1", port), token] = asyncio.get_running_loop().create_future()
        request = Message(Kind.NON_CONFIRMABLE, code, self._number, token, payload, path, option)
        self.front.serve(Exchange(self.exchanges, request, ("127.0.0.1", port), 0.0))
        return answer

    def report(
        self, device: int, gain: float = 1e-11, name: str = "north", port: int | None = None
    ) -> asyncio.Future[Message]:
        """Report for a device; its response to come."""
        report = pb.DeviceReport(channel_gain=gain, arrived_mbit=1.0).SerializeToString()
        return self.send(place(device, name), report, port=40_000 + device if port is None else port)


def place(device: int, name: str = "north") -> tuple[str, ...]:
    return "cells", name, "devices", str(device)


def said(response: Message) -> pb.DeviceAnswer:
    return pb.DeviceAnswer.FromString(response.payload)


def run(test: Callable[[Cell], Awaitable[None]], **how: Any) -> None:
    async def whole() -> None:
        cell = Cell(**how)
        with closing(cell.cells):
            await asyncio.wait_for(test(cell), PATIENCE_S)

    asyncio.run(whole())


def test_a_frame_is_decided_when_all_devices_have_reported() -> None:
    async def test(cell: Cell) -> None:
        for frame in range(3):
            first = cell.report(0)
            await asyncio.sleep(0)
            assert not first.done()
            for response in await asyncio.gather(first, cell.report(1)):
                assert response.code == Code.CHANGED
                assert (said(response).outcome, said(response).frame) == (pb.SERVED, frame)
                assert said(response).incarnation == cell.cells.known("north").incarnation
        assert cell.watching.streams == [("north", "CoAP", f"127.0.0.1:{port}") for port in (40_000, 40_001)]

    run(test)


@pytest.mark.parametrize(
    ("path", "code", "option", "expected"),
    [
        (("cells", "north", "devices"), Code.POST, 0, Code.NOT_FOUND),
        (("cells", "north", "devices", "1", "x"), Code.POST, 0, Code.NOT_FOUND),
        (("cells", "north", "gateways", "1"), Code.POST, 0, Code.NOT_FOUND),
        ((), Code.POST, 0, Code.NOT_FOUND),
        (place(-1), Code.POST, 0, Code.NOT_FOUND),
        (("cells", "north", "devices", "²"), Code.POST, 0, Code.NOT_FOUND),
        (("cells", "north", "devices", "9" * 10), Code.POST, 0, Code.NOT_FOUND),
        (place(1), 1, 0, Code.METHOD_NOT_ALLOWED),
        (place(1), Code.POST, 27, Code.BAD_OPTION),
        (place(1), Code.DELETE, 0, Code.NOT_FOUND),
    ],
)
def test_what_is_no_report_is_refused_and_changes_nothing(
    path: tuple[str, ...], code: int, option: int, expected: Code
) -> None:
    async def test(cell: Cell) -> None:
        assert (await cell.send(path, b"", code, option=option)).code == expected
        assert cell.cells.names() == []

    run(test)


def test_a_wrong_report_has_the_outcome_and_the_words_that_it_has_everywhere() -> None:
    async def test(cell: Cell) -> None:
        waits = cell.report(0)
        cases = {
            Code.BAD_REQUEST: (cell.report(1, gain=NAN), pb.BAD_VALUE, "channel_gain[0]: nan is not allowed"),
            Code.NOT_FOUND: (cell.report(2), pb.UNKNOWN_DEVICE, "device: 2 is not allowed; it must be from 0 to 1"),
            Code.CONFLICT: (cell.report(0), pb.REPEATED_DEVICE, "device: 0 has reported in this frame"),
            Code.FORBIDDEN: (cell.report(0, name="a b"), pb.BAD_NAME, "'a b' is not allowed"),
        }
        for code, (answer, outcome, words) in cases.items():
            response = await answer
            assert (response.code, said(response).outcome) == (code, outcome)
            assert said(response).message.startswith(words)
        garbage = await cell.send(place(1), b"\xff\xff\xff", port=40_001)
        assert (garbage.code, said(garbage).outcome) == (Code.BAD_REQUEST, pb.BAD_VALUE)
        assert not waits.done()
        assert [outcome for _, outcome in cell.watching.refusals] == [
            pb.BAD_VALUE, pb.UNKNOWN_DEVICE, pb.REPEATED_DEVICE, pb.BAD_NAME, pb.BAD_VALUE,
        ]  # fmt: skip
        assert (await asyncio.gather(waits, cell.report(1)))[0].code == Code.CHANGED

    run(test)


def test_a_device_is_its_first_client_s_until_it_leaves() -> None:
    async def test(cell: Cell) -> None:
        await asyncio.gather(cell.report(0), cell.report(1))
        other = await cell.report(1, port=41_000)
        assert (other.code, said(other).outcome) == (Code.CONFLICT, pb.REPEATED_DEVICE)
        assert (await cell.send(place(1), code=Code.DELETE, port=41_000)).code == Code.NOT_FOUND
        assert (await cell.send(place(1), code=Code.DELETE, port=40_001)).code == Code.DELETED
        alone = await cell.report(0)  # nobody waits for who has left
        assert said(alone).frame == 1
        await asyncio.gather(cell.report(1, port=41_000), cell.report(0))

    run(test)


def test_who_is_silent_for_too_long_is_gone_and_the_name_is_free() -> None:
    async def test(cell: Cell) -> None:
        await asyncio.gather(cell.report(0), cell.report(1))
        watch = asyncio.create_task(cell.front.watch())
        while cell.watching.streams:
            await asyncio.sleep(0)
        watch.cancel()
        caller = cell.servicer.stream_caller(type("Plain", (), {"auth_context": dict, "peer": str})())
        cell.servicer.streams_of("north", methods.SERVE_DEVICE.name, caller)  # as if a stream came

    run(test, silent_s=0.0)


def test_who_waits_for_a_decision_is_not_silent() -> None:
    async def test(cell: Cell) -> None:
        waits = cell.report(0)
        watch = asyncio.create_task(cell.front.watch())
        for _ in range(20):
            await asyncio.sleep(0)
        watch.cancel()
        assert len(cell.watching.streams) == 1
        assert said((await asyncio.gather(waits, cell.report(1)))[0]).outcome == pb.SERVED

    run(test, silent_s=0.0)


def test_a_name_that_only_a_certificate_may_carry_is_refused() -> None:
    async def test(cell: Cell) -> None:
        response = await cell.report(0)
        assert (response.code, said(response).outcome) == (Code.FORBIDDEN, pb.BAD_NAME)

    run(test, bind_names=True)


def test_who_is_refused_too_often_is_told_so() -> None:
    async def test(cell: Cell) -> None:
        for _ in range(11):  # ten seconds' worth are allowed at once
            assert (await cell.report(0, gain=NAN)).code == Code.BAD_REQUEST
        response = await cell.report(0)
        assert response.code == Code.TOO_MANY_REQUESTS
        assert b"refused reports" in response.payload
        assert cell.watching.streams == []

    run(test, rates=Rates(refusals=1.0))


def test_reports_beyond_the_rate_are_refused() -> None:
    async def test(cell: Cell) -> None:
        await asyncio.gather(cell.report(0), cell.report(1))
        response = await cell.report(0)
        assert (response.code, said(response).outcome) == (Code.TOO_MANY_REQUESTS, pb.OVERLOADED)

    run(test, rates=Rates(reports=2.0))


def test_what_was_reported_is_answered_before_the_end_and_nothing_is_taken_after_it() -> None:
    async def test(cell: Cell) -> None:
        waits = cell.report(0)
        cell.servicer.end()
        assert (await cell.report(1)).code == Code.SERVICE_UNAVAILABLE
        await cell.front.end()
        assert said(waits.result()).outcome == pb.SERVED

    run(test)


def test_a_mistake_of_ours_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*told: Any) -> None:
        raise RuntimeError("a mistake of ours")

    async def test(cell: Cell) -> None:
        monkeypatch.setattr("quedge.service.member_reports.DeviceReports.answer_of", raises)
        assert [each.code for each in await asyncio.gather(cell.report(0), cell.report(1))] == [160, 160]

    run(test)
