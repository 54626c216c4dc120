from __future__ import annotations

import asyncio
import dataclasses
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import quedge
from quedge.controller.answer import ServedBy
from quedge.controller.engine import Engine
from quedge.controller.report import Reason, ReportRejected
from quedge.model.frame import Status
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.policy.exact import Exact
from quedge.simulation.run import run_in_world
from quedge.simulation.trace import Trace
from quedge.simulation.world import World, draw_world
from tests.service.service_under_test import SCENARIO, Service, mute

grpc = pytest.importorskip("grpc")

from quedge.service import quedge_pb2 as pb  # noqa: E402
from quedge.service.client import messages  # noqa: E402
from quedge.service.client.async_client import AsyncClient  # noqa: E402
from quedge.service.client.client import Client, Decided, ReportRefused, ServiceUnavailable  # noqa: E402

FRAMES = 60
PATIENCE_S = 60.0
NUMBERS = itertools.count()
GAIN, ARRIVED = [2e-10, 3e-11, 1e-10], [1.0, 0.0, 3.0]
ANSWERED = (
    "offload", "transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w", "data_queue_mbit", "energy_queue",
)  # fmt: skip


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service() as running:
        yield running


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(SCENARIO, FRAMES, 3)


@pytest.fixture(scope="module")
def trace(world: World) -> Trace:
    return run_in_world(SCENARIO, Exact(), world, 0)


@pytest.fixture
def name() -> str:
    """A base station of the test's own."""
    return f"cell-{next(NUMBERS)}"


def arrived(world: World, frame: int) -> np.ndarray:
    """Arrivals of a frame are reported with the next one."""
    return world.arrival_mbit[frame - 1] if frame else np.zeros(world.arrival_mbit.shape[1])


def by_client(target: str, name: str, world: World) -> list[Decided]:
    with Client(target, name) as controller:
        return [controller.decide(t, world.channel_gain[t], arrived(world, t)) for t in range(FRAMES)]


def by_stream(target: str, name: str, world: World) -> list[Decided]:
    with Client(target, name) as controller, controller.stream() as frames:
        return [frames.decide(t, world.channel_gain[t], arrived(world, t)) for t in range(FRAMES)]


def by_async_client(target: str, name: str, world: World) -> list[Decided]:
    async def play() -> list[Decided]:
        async with AsyncClient(target, name) as controller:
            return [await controller.decide(t, world.channel_gain[t], arrived(world, t)) for t in range(FRAMES)]

    return asyncio.run(play())


def by_async_stream(target: str, name: str, world: World) -> list[Decided]:
    async def play() -> list[Decided]:
        async with AsyncClient(target, name) as controller, controller.stream() as frames:
            return [await frames.decide(t, world.channel_gain[t], arrived(world, t)) for t in range(FRAMES)]

    return asyncio.run(play())


WAYS = [by_client, by_stream, by_async_client, by_async_stream]


@pytest.mark.parametrize("way", WAYS)
def test_decisions_and_queues_are_those_of_a_simulation_bit_for_bit(
    service: Service, name: str, world: World, trace: Trace, way: Callable[..., list[Decided]]
) -> None:
    for t, decided in enumerate(way(service.target, name, world)):
        assert (decided.frame, decided.next_frame, decided.repeated) == (t, t + 1, False)
        assert (decided.served_by, decided.status, decided.time_share) == (ServedBy.POLICY, Status.OK, None)
        assert decided.devices.tolist() == [0, 1, 2]
        for told in ("offload", "transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w"):
            np.testing.assert_array_equal(getattr(decided, told), getattr(trace, told)[t])
        assert decided.objective == pytest.approx(trace.objective[t])
        assert decided.upper_bound == pytest.approx(trace.upper_bound[t])
        if t + 1 < FRAMES:
            np.testing.assert_array_equal(decided.data_queue_mbit + world.arrival_mbit[t], trace.data_queue_mbit[t + 1])
            np.testing.assert_array_equal(decided.energy_queue, trace.energy_queue[t + 1])


def test_devices_that_report_for_themselves_get_the_simulations_decisions(
    service: Service, name: str, world: World, trace: Trace
) -> None:
    async def play() -> None:
        async with AsyncClient(service.target, name) as controller:
            streams = [controller.device(number) for number in range(SCENARIO.devices)]
            for stream in streams:  # with nothing to do, whoever is late for the first frames misses nothing
                await stream.decide(1e-10, 0.0)
            first = await controller.next_frame()
            for t in range(FRAMES):
                reports = zip(streams, world.channel_gain[t], arrived(world, t), strict=True)
                answers = await asyncio.gather(*(stream.decide(gain, data) for stream, gain, data in reports))
                assert {answer.frame for answer in answers} == {first + t}
                for told in ("offload", "transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w"):
                    assert [getattr(answer, told) for answer in answers] == getattr(trace, told)[t].tolist()
            for stream in streams:
                await stream.close()

    asyncio.run(play())


def test_a_gateway_reports_beside_a_device_and_hears_of_its_own_group(service: Service, name: str) -> None:
    with (
        Client(service.target, name) as controller,
        controller.gateway() as gateway,
        controller.device(1) as device,
        futures.ThreadPoolExecutor(1) as pool,
    ):
        other = pool.submit(device.decide, 1e-10, 2.0)
        decided = gateway.decide([2, 0], [1e-11, 2e-11], [1.0, 3.0], [4.0, 5.0])
        assert (decided.frame, decided.devices.tolist(), decided.time_share) == (0, [0, 2], None)
        assert decided.offload.dtype == bool
        assert decided.incarnation == other.result().incarnation
        assert other.result().frame == 0
        state = controller.state()
        assert state is not None
        assert decided.data_queue_mbit.tolist() == state.data_queue_mbit[[0, 2]].tolist()
        assert decided.energy_queue.tolist() == state.energy_queue[[0, 2]].tolist()
        for devices, outcome in (([], "NO_DEVICES"), ([0, 1], "REPEATED_DEVICE"), ([0, 9], "UNKNOWN_DEVICE")):
            with pytest.raises(ReportRefused) as refused:
                gateway.decide(devices, [1e-11] * len(devices), [0.0] * len(devices))
            assert (refused.value.outcome, refused.value.field) == (outcome, "devices")
        with pytest.raises(ReportRefused) as bad:
            gateway.decide([0], [float("nan")], [0.0])
        assert (bad.value.outcome, bad.value.field) == ("BAD_VALUE", "channel_gain[0]")


def test_devices_may_be_threads(service: Service, name: str) -> None:
    with Client(service.target, name) as controller, futures.ThreadPoolExecutor(2) as pool:

        def play(number: int) -> list[int]:
            with controller.device(number) as device:
                return [device.decide(1e-10, 0.5).frame for _ in range(5)]

        found = list(pool.map(play, range(2)))
        assert all(np.all(np.diff(frames) > 0) for frames in found)
        assert controller.next_frame() == max(map(max, found)) + 1


def test_a_device_may_report_now_and_hear_later(service: Service, name: str) -> None:
    with Client(service.target, name) as controller, controller.device(1) as device:
        device.report(1e-10, 2.0, data_queue_mbit=5.0)
        answer = device.answer()
        assert answer.data_queue_mbit == pytest.approx(5.0 - answer.rate_mbps * SCENARIO.frame_s)
        assert answer.time_share is None


def test_some_devices_may_report_in_any_order(service: Service, name: str) -> None:
    with Client(service.target, name) as controller:
        decided = controller.decide(0, [1e-10, 2e-10], (1, 2), devices=np.array([2, 0]))
        assert decided.devices.tolist() == [0, 2]
        left = decided.data_queue_mbit + decided.rate_mbps * SCENARIO.frame_s
        assert left.tolist() == pytest.approx([2.0, 1.0])


def test_a_measured_queue_takes_the_place_of_the_books(service: Service, name: str) -> None:
    with Client(service.target, name) as controller:
        decided = controller.decide(0, GAIN, ARRIVED, data_queue_mbit=[4.0, 4.0, 4.0])
        assert (decided.data_queue_mbit + decided.rate_mbps * SCENARIO.frame_s).tolist() == pytest.approx([4.0] * 3)


BAD_REPORTS = [
    ("nan", {"channel_gain": [1e-10, float("nan"), 1e-10]}, "BAD_VALUE", "channel_gain[1]"),
    ("negative gain", {"channel_gain": [1e-10, -1e-10, 1e-10]}, "BAD_VALUE", "channel_gain[1]"),
    ("infinite", {"arrived_mbit": [1.0, 1.0, float("inf")]}, "BAD_VALUE", "arrived_mbit[2]"),
    ("negative", {"arrived_mbit": [-1.0, 1.0, 1.0]}, "BAD_VALUE", "arrived_mbit[0]"),
    ("negative queue", {"data_queue_mbit": [1.0, -1.0, 1.0]}, "BAD_VALUE", "data_queue_mbit[1]"),
    ("negative frame", {"frame": -1}, "BAD_VALUE", "frame"),
    ("short", {"channel_gain": [1e-10]}, "WRONG_LENGTH", "channel_gain"),
    ("nothing", {"arrived_mbit": []}, "WRONG_LENGTH", "arrived_mbit"),
    ("short queue", {"data_queue_mbit": [1.0]}, "WRONG_LENGTH", "data_queue_mbit"),
    ("long devices", {"devices": [0, 1]}, "WRONG_LENGTH", ""),
    ("no devices", {"devices": []}, "NO_DEVICES", "devices"),
    ("unknown", {"devices": [0, 1, 3]}, "UNKNOWN_DEVICE", "devices"),
    ("below", {"devices": [0, -1, 2]}, "UNKNOWN_DEVICE", "devices"),
    ("twice", {"devices": [0, 1, 1]}, "REPEATED_DEVICE", "devices"),
    ("old", {"frame": 0}, "OLD_FRAME", "frame"),
    ("future", {"frame": 7}, "FUTURE_FRAME", "frame"),
]


@pytest.mark.parametrize(
    ("changed", "outcome", "field"), [bad[1:] for bad in BAD_REPORTS], ids=[b[0] for b in BAD_REPORTS]
)
def test_a_refusal_names_outcome_and_field_and_changes_nothing(
    service: Service, name: str, changed: dict[str, Any], outcome: str, field: str
) -> None:
    def report(frame: int) -> dict[str, Any]:
        return {"frame": frame, "channel_gain": GAIN, "arrived_mbit": ARRIVED}

    with Client(service.target, name) as controller, controller.stream() as frames:
        for frame in range(2):
            frames.decide(**report(frame))
        before = controller.state()
        with pytest.raises(ReportRefused) as refused:
            frames.decide(**{**report(2), **changed})
        assert refused.value.outcome == outcome
        assert field in refused.value.field
        assert refused.value.next_frame in (2, None if outcome == "NO_DEVICES" else 2)
        after = controller.state()
        assert before is not None
        assert after is not None
        assert after.next_frame == 2
        np.testing.assert_array_equal(after.data_queue_mbit, before.data_queue_mbit)
        assert frames.decide(**report(2)).frame == 2  # the stream goes on


@pytest.mark.parametrize("reason", list(Reason))
def test_every_refusal_of_the_engine_reaches_the_user_by_name(
    service: Service, name: str, reason: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Engine, "submit", lambda self, report, done: done(ReportRejected(reason, "frame", "as the test has it"))
    )
    with (
        Client(service.target, name) as controller,
        pytest.raises(ReportRefused, match="as the test has it") as refused,
    ):
        controller.decide(0, GAIN, ARRIVED)
    assert refused.value.outcome == reason.name


@pytest.mark.parametrize("bad", ["", "no/slash", "x" * 65, "ü"])
def test_a_bad_name_is_refused(service: Service, bad: str) -> None:
    with Client(service.target, bad) as controller:
        with pytest.raises(ReportRefused) as refused:
            controller.decide(0, GAIN, ARRIVED)
        assert (refused.value.outcome, refused.value.field) == ("BAD_NAME", "base_station")
        with controller.device(0) as device, pytest.raises(ReportRefused) as refused:
            device.decide(1e-10, 1.0)
        assert refused.value.outcome == "BAD_NAME"


def test_a_name_belongs_to_its_stream_until_that_ends(service: Service, name: str) -> None:
    with Client(service.target, name) as controller, Client(service.target, name) as other:
        with controller.stream() as frames:
            frames.decide(0, GAIN, ARRIVED)
            for ask in (other.decide, other.stream().decide):
                with pytest.raises(ReportRefused) as refused:
                    ask(1, GAIN, ARRIVED)
                assert refused.value.outcome == "NAME_TAKEN"
            with other.device(0) as device, pytest.raises(ReportRefused) as refused:
                device.decide(1e-10, 1.0)
            assert refused.value.outcome == "NAME_TAKEN"
        assert other.decide(1, GAIN, ARRIVED).frame == 1


def test_devices_are_refused_what_is_not_theirs(service: Service, name: str) -> None:
    with Client(service.target, name) as controller:
        with controller.device(3) as device, pytest.raises(ReportRefused) as refused:
            device.decide(1e-10, 1.0)
        assert refused.value.outcome == "UNKNOWN_DEVICE"
        with controller.device(0) as device:
            for gain in (float("nan"), -1.0):
                with pytest.raises(ReportRefused) as refused:
                    device.decide(gain, 1.0)
                assert refused.value.outcome == "BAD_VALUE"
            device.decide(1e-10, 1.0)
            with controller.device(0) as second, pytest.raises(ReportRefused) as refused:
                second.decide(1e-10, 1.0)
            assert refused.value.outcome == "REPEATED_DEVICE"
            with pytest.raises(ReportRefused) as refused:
                controller.decide(1, GAIN, ARRIVED)
            assert refused.value.outcome == "NAME_TAKEN"


def test_a_second_report_of_a_device_in_a_frame_is_refused(name: str) -> None:
    with (
        Service(deadline_s=0.3) as slow,
        Client(slow.target, name) as controller,
        controller.device(0) as there,
        controller.device(1) as device,
    ):
        there.decide(1e-10, 1.0)  # frames wait for it from now on
        device.report(1e-10, 1.0)
        device.report(1e-10, 1.0)
        assert device.answer().frame == 1  # answers come in the order of the reports
        with pytest.raises(ReportRefused) as refused:
            device.answer()
        assert refused.value.outcome == "REPEATED_DEVICE"


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("channel_gain", ["a", "b", "c"]),
        ("channel_gain", [[1e-10, 1e-10, 1e-10]]),
        ("channel_gain", 1e-10),
        ("channel_gain", [1e-10, [1.0], 2.0]),
        ("arrived_mbit", [None, 1.0, 1.0]),
        ("arrived_mbit", [True, False, True]),
        ("data_queue_mbit", "1.0"),
        ("devices", [0, 1.5, 2]),
        ("devices", [0, 1, 2**40]),
        ("frame", 1.0),
        ("frame", True),
        ("frame", 2**70),
    ],
)
def test_what_no_message_can_hold_is_refused_before_it_is_sent(argument: str, value: Any) -> None:
    report = {"frame": 0, "channel_gain": GAIN, "arrived_mbit": ARRIVED}
    with Client("127.0.0.1:1") as controller, pytest.raises(ValueError, match=argument):
        controller.decide(**{**report, argument: value})


def test_a_resent_report_is_not_served_twice(service: Service, name: str) -> None:
    with Client(service.target, name) as controller:
        first = controller.decide(0, GAIN, ARRIVED)
    with Client(service.target, name) as controller:  # as after a reconnect
        again = controller.decide(0, GAIN, ARRIVED)
        assert again.repeated
        assert controller.next_frame() == again.next_frame == 1
        for told in ANSWERED:
            np.testing.assert_array_equal(getattr(again, told), getattr(first, told))
        assert (again.objective, again.upper_bound) == (first.objective, first.upper_bound)
        with pytest.raises(ReportRefused, match="frame") as refused:
            controller.decide(0, GAIN, [9.0, 9.0, 9.0])
        assert (refused.value.outcome, refused.value.next_frame) == ("OLD_FRAME", 1)


def test_the_same_client_goes_on_with_a_service_that_was_restarted(
    tmp_path: Path, name: str, world: World, trace: Trace
) -> None:
    with Service(state=tmp_path) as before:
        controller = Client(before.target, name)
        frames = controller.stream()
        for t in range(20):
            last = frames.decide(t, world.channel_gain[t], arrived(world, t))
    with pytest.raises(ServiceUnavailable):
        frames.decide(20, world.channel_gain[20], arrived(world, 20))
    with pytest.raises(ServiceUnavailable, match=r"127\.0\.0\.1:\d+"):
        controller.decide(20, world.channel_gain[20], arrived(world, 20))
    with Service(state=tmp_path, port=before.port):
        assert _patiently(controller.next_frame) == 20
        with controller.stream() as again:
            repeated = again.decide(19, world.channel_gain[19], arrived(world, 19))
            assert repeated.repeated
            np.testing.assert_array_equal(repeated.transmit_power_w, last.transmit_power_w)
            for t in range(20, 30):
                decided = again.decide(t, world.channel_gain[t], arrived(world, t))
                np.testing.assert_array_equal(decided.rate_mbps, trace.rate_mbps[t])
    controller.close()


def _patiently(ask: Callable[[], Any]) -> Any:
    """What a client does that finds its service gone."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except ServiceUnavailable:
            assert time.monotonic() < until
            time.sleep(0.1)


def test_state_and_checkpoint_tell_where_the_cell_stands(tmp_path: Path, name: str) -> None:
    with Service(state=tmp_path) as kept, Client(kept.target, name) as controller:
        assert controller.state() is None
        assert controller.next_frame() == 0
        with pytest.raises(ReportRefused) as refused:
            controller.checkpoint()
        assert refused.value.outcome == "BAD_NAME"
        decided = controller.decide(0, GAIN, ARRIVED)
        assert controller.checkpoint() == 1
        state = controller.state()
        assert state is not None
        assert (state.next_frame, state.policy, state.durability) == (1, "exact", "process")
        np.testing.assert_array_equal(state.data_queue_mbit, decided.data_queue_mbit)
        np.testing.assert_array_equal(state.energy_queue, decided.energy_queue)


def test_a_service_without_a_folder_keeps_no_checkpoint(service: Service, name: str) -> None:
    with Client(service.target, name) as controller:
        controller.decide(0, GAIN, ARRIVED)
        with pytest.raises(ReportRefused) as refused:
            controller.checkpoint()
    assert refused.value.outcome == "NOT_DURABLE"


def test_async_state_checkpoint_and_refusals_are_those_of_the_client(service: Service, name: str) -> None:
    async def play() -> None:
        async with AsyncClient(service.target, name) as controller:
            assert await controller.state() is None
            with pytest.raises(ReportRefused, match="channel_gain"):
                await controller.decide(0, [float("nan")] * 3, ARRIVED)
            async with controller.stream() as frames:
                with pytest.raises(ReportRefused) as refused:
                    await frames.decide(4, GAIN, ARRIVED)
                assert (refused.value.outcome, refused.value.next_frame) == ("FUTURE_FRAME", 0)
                await frames.decide(0, GAIN, ARRIVED)
            assert await controller.next_frame() == 1
            assert (await controller.decide(0, GAIN, ARRIVED)).repeated
            with pytest.raises(ReportRefused, match="written"):
                await controller.checkpoint()
            async with controller.device(2) as device:
                await device.report(1e-10, 1.0)
                assert (await device.answer()).frame == 1

    asyncio.run(play())


def _closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_service_that_is_not_there_is_told_at_once_and_plainly() -> None:
    target = _closed_port()
    with (
        Client(target, timeout_s=PATIENCE_S) as controller,
        controller.stream() as frames,
        controller.device(0) as device,
    ):
        for ask in (
            lambda: controller.decide(0, GAIN, ARRIVED),
            lambda: frames.decide(0, GAIN, ARRIVED),
            lambda: device.decide(1e-10, 1.0),
            controller.state,
            controller.checkpoint,
        ):
            with pytest.raises(ServiceUnavailable, match=f"{target}: nothing listens there") as raised:
                ask()
            assert isinstance(raised.value, ConnectionError)


def test_an_async_client_tells_so_too_and_again() -> None:
    async def play() -> None:
        async with AsyncClient(_closed_port()) as controller:
            with pytest.raises(ServiceUnavailable, match="nothing listens there"):
                await controller.decide(0, GAIN, ARRIVED)
            async with controller.stream() as frames:
                for _ in range(2):
                    with pytest.raises(ServiceUnavailable):
                        await frames.decide(0, GAIN, ARRIVED)

    asyncio.run(play())


def test_a_service_that_does_not_answer_is_waited_for_no_longer_than_asked() -> None:
    with mute() as target, Client(target, timeout_s=0.3) as controller:
        for ask in (lambda: controller.decide(0, GAIN, ARRIVED), lambda: controller.stream().decide(0, GAIN, ARRIVED)):
            begun = time.monotonic()
            with pytest.raises(ServiceUnavailable, match=r"no answer came within 0\.3 s"):
                ask()
            assert time.monotonic() - begun < PATIENCE_S


def test_nor_by_an_async_client() -> None:
    async def play(target: str) -> None:
        async with AsyncClient(target, timeout_s=0.3) as controller:
            with pytest.raises(ServiceUnavailable, match=r"no answer came within 0\.3 s"):
                await controller.decide(0, GAIN, ARRIVED)
            stream = controller.stream()
            for told in ("no answer came", "stream is over|ended the call"):
                with pytest.raises(ServiceUnavailable, match=told):
                    await stream.decide(0, GAIN, ARRIVED)

    with mute() as target:
        asyncio.run(play(target))


def test_a_wait_of_an_async_client_can_be_cancelled() -> None:
    async def play(target: str) -> None:
        async with AsyncClient(target, timeout_s=5.0) as controller:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await controller.decide(0, GAIN, ARRIVED)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await controller.stream().decide(0, GAIN, ARRIVED)

    with mute() as target:
        asyncio.run(play(target))


def test_a_server_of_something_else_is_told_from_a_controller() -> None:
    other = grpc.server(futures.ThreadPoolExecutor(1))
    port = other.add_insecure_port("127.0.0.1:0")
    other.start()
    try:
        with (
            Client(f"127.0.0.1:{port}") as controller,
            pytest.raises(ServiceUnavailable, match="no controller of quedge"),
        ):
            controller.state()
    finally:
        other.stop(None).wait()


def test_an_interrupted_wait_does_not_put_answers_out_of_step(
    service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(service.target, name) as controller, controller.stream() as frames:
        frames.decide(0, GAIN, ARRIVED)
        with monkeypatch.context() as patched:
            patched.setattr(frames._conversation, "_receive", _interrupted)
            with pytest.raises(KeyboardInterrupt):
                frames.decide(1, GAIN, ARRIVED)
        assert frames.decide(2, GAIN, ARRIVED).frame == 2


def _interrupted() -> None:
    raise KeyboardInterrupt


def test_a_stream_may_change_threads(service: Service, name: str) -> None:
    with Client(service.target, name) as controller, controller.stream() as frames:
        turns = itertools.count()
        lock, found = threading.Lock(), []

        def play() -> None:
            for _ in range(10):
                with lock:
                    found.append(frames.decide(next(turns), GAIN, ARRIVED).frame)

        threads = [threading.Thread(target=play) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == list(range(30))


def test_no_thread_outlives_a_client(service: Service, name: str) -> None:
    before = threading.active_count()
    with Client(service.target, name) as controller:
        with controller.stream() as frames:
            frames.decide(0, GAIN, ARRIVED)
        with controller.device(0) as device:
            device.decide(1e-10, 1.0)
    until = time.monotonic() + PATIENCE_S
    while threading.active_count() > before + 1 and time.monotonic() < until:  # the cell's own has come
        time.sleep(0.05)
    assert threading.active_count() <= before + 1


def test_answers_cannot_be_changed(service: Service, name: str) -> None:
    with Client(service.target, name) as controller:
        decided = controller.decide(0, GAIN, ARRIVED)
    with pytest.raises(dataclasses.FrozenInstanceError):
        decided.frame = 1  # type: ignore[misc]


def test_a_policy_without_a_bound_gives_none(name: str) -> None:
    with Service(policy=BestSingle()) as plain, Client(plain.target, name) as controller:
        assert controller.decide(0, GAIN, ARRIVED).upper_bound is None


def test_the_pages_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[2] / "docs" / "service-client.md"
    (example,) = re.findall(r"```py\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    monkeypatch.setattr(quedge, "Client", Client, raising=False)
    with Service(Scenario(devices=10)) as running:
        exec(example.replace("127.0.0.1:50051", running.target), {})
        with Client(running.target) as controller:
            assert controller.next_frame() == 100
    assert capsys.readouterr().out.startswith("0 [")


def test_answers_for_as_many_devices_as_a_scenario_may_have_can_be_read() -> None:
    devices, rng = int(PARAMETERS["devices"].high), np.random.default_rng(0)
    gain, arrived_mbit = rng.exponential(1e-11, devices), rng.exponential(3.0, devices)
    everyone = np.arange(devices)[::-1]  # in another order, with all that a report may tell
    with (
        Service(Scenario(devices=devices), AllLocal()) as running,
        Client(running.target, "large", timeout_s=PATIENCE_S) as client,
        client.stream() as frames,
    ):
        first = frames.decide(0, gain, arrived_mbit, arrived_mbit, everyone)
        second = frames.decide(1, gain, arrived_mbit)
        state = client.state()
    assert state is not None
    assert first.devices.size == second.devices.size == devices
    assert np.array_equal(state.data_queue_mbit, second.data_queue_mbit)


def test_a_state_keeps_its_incarnation_over_a_restart_and_every_answer_tells_it(tmp_path: Path) -> None:
    told = []
    for frame in range(2):
        with Service(state=tmp_path) as running, Client(running.target) as client:
            told.append(client.decide(frame, GAIN, ARRIVED).incarnation)
            with pytest.raises(ReportRefused):
                client.decide(7, GAIN, ARRIVED)
            state = client.state()
            assert state is not None
            told.append(state.incarnation)
            assert client.next_frame() == frame + 1
    assert len({*told}) == 1
    assert told[0]


def test_a_fresh_start_is_told_to_whom_it_concerns_and_once() -> None:
    with Service() as running:
        port = running.port
        client, stranger = Client(running.target), Client(running.target)
        with client.stream() as frames:
            known = frames.decide(0, GAIN, ARRIVED).incarnation
    with Service(port=port), client, stranger:
        _reach(client)
        with pytest.raises(quedge.FreshStart, match=f"state {known} is gone; frame 0 of another one is due") as told:
            client.next_frame()
        assert (told.value.known, told.value.incarnation, told.value.next_frame) == (known, "", 0)
        assert client.next_frame() == 0
        assert client.decide(0, GAIN, ARRIVED).incarnation not in ("", known)
        assert client.next_frame() == stranger.next_frame() == 1


def test_an_asynchronous_client_is_told_of_a_fresh_start_too() -> None:
    async def first(target: str) -> str:
        async with AsyncClient(target) as client, client.device(1) as device:
            decided = await device.decide(GAIN[0], 1.0)
            assert await client.next_frame() == 1
            return decided.incarnation

    async def told(target: str, known: str) -> None:
        async with AsyncClient(target) as client:
            client._known.meet(known)
            with pytest.raises(quedge.FreshStart, match=known):
                await client.next_frame()
            assert await client.next_frame() == 0

    with Service() as running:
        known = asyncio.run(first(running.target))
    with Service() as running:
        asyncio.run(told(running.target, known))


def _reach(client: Client) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            client.state()
            return
        except ServiceUnavailable:
            time.sleep(0.05)


def test_a_service_of_before_which_tells_no_incarnation_is_no_fresh_start() -> None:
    known = messages.KnownState()
    reply = pb.StateReply.FromString(pb.StateReply(outcome=pb.SERVED, next_frame=7, policy="exact").SerializeToString())
    for _ in range(2):
        known.meet("")
        known.check(messages.state_of(reply))


def test_fields_of_the_contract_keep_their_numbers() -> None:
    added = {"FrameAnswer": 19, "DeviceAnswer": 15, "StateReply": 8, "CheckpointReply": 4}
    for message, number in added.items():
        fields = [field.number for field in pb.DESCRIPTOR.message_types_by_name[message].fields]
        assert sorted(fields) == list(range(1, number + 1))
        assert pb.DESCRIPTOR.message_types_by_name[message].fields_by_number[number].name == "incarnation"
