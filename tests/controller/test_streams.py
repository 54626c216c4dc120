"""Streams of base stations and devices through a real server: whose name it is, who is waited for and who answered."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import pytest

from quedge.service import methods, server
from quedge.service import quedge_pb2 as pb
from quedge.service.cells import CellRegistry
from quedge.service.server import warm_up
from quedge.service.servicer import Servicer
from quedge.service.settings import Address
from tests.controller.reports import SMALL, fresh

PATIENCE_S = 60.0  # kernels may have to be compiled first
DEADLINE_S = 0.3


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """Compile before the first deadline counts."""
    warm_up(fresh)


class Calls:
    """A client's calls."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    def open(self, method: methods.Method) -> Any:
        kind = self._channel.stream_stream if method.streams else self._channel.unary_unary
        return kind(method.path, method.request.SerializeToString, method.reply.FromString)

    async def device(self, number: int) -> Any:
        """A device's stream that has sent its first report."""
        call = self.open(methods.SERVE_DEVICE)()
        await call.write(device_report(number))
        return call

    async def joined(self, number: int) -> Any:
        """A device's stream that is known to be there, and has nothing in a frame: its first report was refused."""
        call = self.open(methods.SERVE_DEVICE)()
        await call.write(device_report(number, gain=float("nan")))
        assert (await call.read()).outcome == pb.BAD_VALUE
        return call

    async def decide(self, frame: int) -> pb.FrameAnswer:
        return await self.open(methods.DECIDE)(frame_report(frame))  # type: ignore[no-any-return]

    async def state(self) -> pb.StateReply:
        return await self.open(methods.STATE)(pb.StateRequest(base_station="north"))  # type: ignore[no-any-return]

    async def until_free(self) -> None:
        """Wait until no stream serves the base station."""
        while (await self.decide(10**6)).outcome == pb.NAME_TAKEN:
            await asyncio.sleep(0.01)


def frame_report(frame: int, name: str = "north") -> pb.FrameReport:
    return pb.FrameReport(base_station=name, frame=frame, channel_gain=[1e-11] * 4, arrived_mbit=[2.0] * 4)


def device_report(number: int, gain: float = 1e-11, name: str = "north") -> pb.DeviceReport:
    return pb.DeviceReport(base_station=name, device=number, channel_gain=gain, arrived_mbit=1.0 + number)


@asynccontextmanager
async def serving(deadline_s: float, devices: int = SMALL.devices) -> AsyncIterator[Calls]:
    scenario = dataclasses.replace(SMALL, devices=devices)
    cells = CellRegistry(lambda: fresh(scenario=scenario), None)
    service = grpc.aio.server()
    service.add_generic_rpc_handlers(Servicer(cells, "exact", deadline_s).handlers())
    port = service.add_insecure_port("127.0.0.1:0")
    await service.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Calls(channel)
    finally:
        await service.stop(None)
        cells.close()


def in_service(
    test: Callable[[Calls], Awaitable[None]], deadline_s: float = DEADLINE_S, devices: int = SMALL.devices
) -> None:
    """Run a test's client beside a server."""

    async def both() -> None:
        async with serving(deadline_s, devices) as calls, asyncio.timeout(PATIENCE_S):
            await test(calls)

    asyncio.run(both())


async def read(*calls: Any) -> list[pb.DeviceAnswer]:
    """The next answer on each stream."""
    return [await call.read() for call in calls]


def test_devices_that_have_all_reported_get_their_parts_of_one_frame() -> None:
    async def test(calls: Calls) -> None:
        first = await calls.device(0)
        (alone,) = await read(first)
        assert (alone.outcome, alone.frame) == (pb.SERVED, 0)
        second = await calls.device(2)
        (together,) = await read(second)  # the first one is silent: the frame closes at its deadline
        assert (together.outcome, together.frame) == (pb.SERVED, 1)
        for call, number in ((first, 0), (second, 2)):
            await call.write(device_report(number))
        answers = await read(first, second)
        assert [(answer.outcome, answer.frame) for answer in answers] == [(pb.SERVED, 2)] * 2
        state = await calls.state()
        assert [answer.data_queue_mbit for answer in answers] == [state.data_queue_mbit[0], state.data_queue_mbit[2]]
        assert state.data_queue_mbit[1] == 0.0

    in_service(test)


def test_a_device_that_reports_no_more_gets_the_answer_to_its_last_report() -> None:
    async def test(calls: Calls) -> None:
        waiting, last = await calls.joined(0), await calls.joined(1)
        await last.write(device_report(1))
        await last.done_writing()  # the frame is still open: device 0 has not reported
        await asyncio.sleep(0.05)
        await waiting.write(device_report(0))
        answers = await read(waiting, last)
        assert [(answer.outcome, answer.frame) for answer in answers] == [(pb.SERVED, 0)] * 2
        assert await last.read() is grpc.aio.EOF
        await waiting.write(device_report(0))  # who is gone is not waited for
        (alone,) = await read(waiting)
        assert alone.frame == 1

    in_service(test, deadline_s=PATIENCE_S, devices=2)


def test_a_device_that_leaves_in_the_middle_of_a_frame_is_not_waited_for() -> None:
    async def test(calls: Calls) -> None:
        first, second = await calls.device(0), await calls.device(1)
        await read(first, second)  # the first frame waits for both
        await first.write(device_report(0))
        await asyncio.sleep(0.05)
        assert (await calls.state()).next_frame == 1
        second.cancel()
        (answer,) = await read(first)
        assert answer.outcome == pb.SERVED

    in_service(test, deadline_s=PATIENCE_S, devices=2)


@pytest.mark.parametrize(
    ("number", "gain", "outcome", "field"),
    [
        (7, 1e-11, pb.UNKNOWN_DEVICE, "device"),
        (-1, 1e-11, pb.UNKNOWN_DEVICE, "device"),
        (1, float("nan"), pb.BAD_VALUE, "channel_gain[0]"),
        (1, -1.0, pb.BAD_VALUE, "channel_gain[0]"),
    ],
)
def test_a_bad_report_of_a_device_is_answered_and_changes_nothing(
    number: int, gain: float, outcome: int, field: str
) -> None:
    async def test(calls: Calls) -> None:
        call = calls.open(methods.SERVE_DEVICE)()
        await call.write(device_report(number, gain))
        (answer,) = await read(call)
        assert (answer.outcome, answer.field) == (outcome, field)
        assert (await calls.state()).next_frame == 0

    in_service(test)


def test_a_stream_is_one_device_s_and_a_device_has_one_stream() -> None:
    async def test(calls: Calls) -> None:
        call = await calls.device(0)
        await read(call)
        await call.write(device_report(1))
        await call.write(device_report(0, name="south"))
        assert [(answer.outcome, answer.field) for answer in await read(call) + await read(call)] == [
            (pb.BAD_VALUE, "device"), (pb.BAD_VALUE, "base_station"),
        ]  # fmt: skip
        second = await calls.device(0)
        (refused,) = await read(second)
        assert refused.outcome == pb.REPEATED_DEVICE
        assert await second.read() is grpc.aio.EOF
        await call.write(device_report(0))
        assert (await read(call))[0].outcome == pb.SERVED

    in_service(test)


@pytest.mark.parametrize("how", ["ends", "is cancelled", "is cancelled while frames wait"])
def test_a_stream_s_name_is_free_again_when_it_ends(how: str) -> None:
    async def test(calls: Calls) -> None:
        base, device = calls.open(methods.SERVE_FRAMES)(), None
        await base.write(frame_report(0))
        assert (await base.read()).outcome == pb.SERVED
        assert (await calls.decide(1)).outcome == pb.NAME_TAKEN
        device = await calls.device(0)
        assert (await device.read()).outcome == pb.NAME_TAKEN
        for _ in range(50 if how == "is cancelled while frames wait" else 0):
            await base.write(frame_report(1))
        await _ended(base, how)
        await calls.until_free()
        device = await calls.device(0)
        assert (await device.read()).outcome == pb.SERVED
        assert (await calls.decide(2)).outcome == pb.NAME_TAKEN
        await _ended(device, how)
        await calls.until_free()
        due = (await calls.state()).next_frame
        assert (await calls.decide(due)).outcome == pb.SERVED

    in_service(test)


async def _ended(call: Any, how: str) -> None:
    if how == "ends":
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
    else:
        call.cancel()


SILENT_CLIENT = """
import queue, sys, time
import grpc
channel, reports = grpc.insecure_channel(sys.argv[1]), queue.SimpleQueue()
reports.put(bytes.fromhex(sys.argv[2]))
answers = channel.stream_stream("/quedge.v1.Controller/ServeFrames")(iter(reports.get, None))
print(len(next(answers)), flush=True)
time.sleep(600)
"""


def test_a_base_station_that_is_gone_without_a_word_gives_its_name_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_KEEPALIVE_MS", 1000)

    async def test() -> None:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        cells = CellRegistry(fresh, None)
        serving = asyncio.create_task(
            server.serve(Servicer(cells, "exact", 0.1), Address("127.0.0.1", 0), None, port.set_result)
        )
        target = f"127.0.0.1:{await port}"
        report = frame_report(0).SerializeToString().hex()
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SILENT_CLIENT, target, report, stdout=asyncio.subprocess.PIPE
        )
        assert client.stdout is not None
        assert await client.stdout.readline()
        client.send_signal(signal.SIGSTOP)  # as if its power had gone: nothing says that it is away
        async with grpc.aio.insecure_channel(target) as channel, asyncio.timeout(PATIENCE_S):
            assert (await Calls(channel).decide(1)).outcome == pb.NAME_TAKEN
            await Calls(channel).until_free()
            assert (await Calls(channel).decide(1)).outcome == pb.SERVED
        client.kill()
        await client.wait()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        cells.close()

    asyncio.run(test())


def test_devices_that_come_and_go_at_random_are_answered_for_every_report() -> None:
    async def life(calls: Calls, number: int, rng: np.random.Generator) -> int:
        answered = 0
        for _ in range(8):
            call = await calls.device(number)
            for _ in range(int(rng.integers(0, 4))):
                answered += (await call.read()).outcome == pb.SERVED
                await call.write(device_report(number))
                await asyncio.sleep(rng.exponential(0.003))
            await call.done_writing()
            while (answer := await call.read()) is not grpc.aio.EOF:
                answered += answer.outcome == pb.SERVED
        return answered

    async def test(calls: Calls) -> None:
        rng = np.random.default_rng(5)
        lives = [life(calls, number, rng) for number in range(4)]
        answered = await asyncio.gather(*lives)
        assert min(answered) >= 8
        assert (await calls.state()).next_frame >= max(answered)
        await calls.until_free()

    in_service(test, deadline_s=0.02)


def test_a_name_that_is_not_allowed_and_one_too_many_are_refused() -> None:
    async def test(calls: Calls) -> None:
        decide = calls.open(methods.DECIDE)
        for name in ("", "a b", "../etc", "x" * 65, "naïve", "a\n"):
            assert (await decide(frame_report(0, name))).outcome == pb.BAD_NAME
        answers = [(await decide(frame_report(0, f"b{number}"))).outcome for number in range(18)]
        assert answers == [pb.SERVED] * 16 + [pb.BAD_NAME] * 2

    in_service(test)
