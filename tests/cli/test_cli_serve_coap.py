"""`quedge serve --coap` as a process: devices report by datagrams of another implementation of CoAP."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from quedge.cli.serving.let_in import check_coap_options
from quedge.service.settings import Address, Tls
from quedge.service.tls.access import AccessPolicy
from tests.cli.in_process import main_in
from tests.cli.test_cli_serve import TRACE, serving

pytest.importorskip("grpc")
pytest.importorskip("aiocoap")

import aiocoap

from quedge.service import quedge_pb2 as pb

PATIENCE_S = 120.0
LONG = ("--coap", "127.0.0.1:0", "--deadline-ms", "600000", "--late-ms", "600000")
"""However busy the machine is, a frame waits for its devices, and is decided by the policy."""


class Devices:
    """Three devices, each with a socket of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._contexts: list[Any] = []

    async def __aenter__(self) -> Devices:
        self._contexts = [await aiocoap.Context.create_client_context() for _ in range(3)]
        return self

    async def __aexit__(self, *raised: object) -> None:
        for context in self._contexts:
            await context.shutdown()

    async def asked(self, device: int, payload: bytes, code: Any = aiocoap.POST) -> Any:
        """The response to a request of a device."""
        uri = f"coap://127.0.0.1:{self.port}/cells/north/devices/{device}"
        request = aiocoap.Message(code=code, uri=uri, payload=payload)
        return await asyncio.wait_for(self._contexts[device % 3].request(request).response, PATIENCE_S)

    async def frame(self, number: int) -> Sequence[pb.DeviceAnswer]:
        """The answers to a frame of the run, as each device reports it."""
        responses = await asyncio.gather(*(self.asked(device, report(number, device)) for device in range(3)))
        assert {response.code for response in responses} == {aiocoap.CHANGED}
        return [pb.DeviceAnswer.FromString(response.payload) for response in responses]


def report(number: int, device: int) -> bytes:
    """What a device reports of a frame of the run: what arrived in the frame before."""
    arrived = float(TRACE.arrival_mbit[number - 1, device]) if number else 0.0
    gain = float(TRACE.channel_gain[number, device])
    return pb.DeviceReport(channel_gain=gain, arrived_mbit=arrived).SerializeToString()


def coap_port(process: Any) -> int:
    """Where a service of which the first line was read takes reports over CoAP, as its log says."""
    for line in process.stderr:
        if found := re.search(r'"coap": "127\.0\.0\.1:(\d+)"', line):
            return int(found[1])
    raise AssertionError("the service ended")


def test_devices_are_decided_for_as_in_a_simulation_and_a_kill_loses_no_frame(tmp_path: Path) -> None:
    async def play(port: int, frames: range) -> None:
        async with Devices(port) as devices:
            for number in frames:
                for device, answer in enumerate(await devices.frame(number)):
                    assert (answer.outcome, answer.frame) == (pb.SERVED, number)
                    assert answer.offload == TRACE.offload[number, device]
                    assert answer.transmit_power_w == TRACE.transmit_power_w[number, device]
                    assert answer.power_w == TRACE.power_w[number, device]

    with serving("--state", "state", *LONG, folder=tmp_path) as (process, _):
        asyncio.run(play(coap_port(process), range(8)))
        process.send_signal(signal.SIGKILL)
        process.wait()
    with serving("--state", "state", *LONG, folder=tmp_path) as (process, _):
        asyncio.run(play(coap_port(process), range(8, 16)))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 0


def test_a_device_that_waits_hears_its_decision_apart_also_at_the_end(tmp_path: Path) -> None:
    async def wait(process: Any, port: int) -> Any:
        async with Devices(port) as devices:
            waits = asyncio.create_task(devices.asked(0, report(0, 0)))
            wrong = await devices.asked(1, report(0, 1)[:8])  # the service has heard of the first by then
            assert wrong.code == aiocoap.BAD_REQUEST
            assert pb.DeviceAnswer.FromString(wrong.payload).outcome == pb.BAD_VALUE
            assert (await devices.asked(0, b"", aiocoap.GET)).code == aiocoap.METHOD_NOT_ALLOWED
            process.send_signal(signal.SIGTERM)  # of three devices one has reported: its frame closes at the end
            return await waits

    with serving(*LONG, folder=tmp_path) as (process, _):
        response = asyncio.run(wait(process, coap_port(process)))
        assert process.wait(timeout=PATIENCE_S) == 0
    assert response.code == aiocoap.CHANGED
    assert pb.DeviceAnswer.FromString(response.payload).outcome == pb.SERVED


def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = main_in(tmp_path, "serve", "--policy", "all-local", "--listen", "127.0.0.1:0", "--coap", where)
    assert ended.returncode == 1
    assert f"{where}: cannot be listened on for CoAP: Address already in use" in ended.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--coap", "0.0.0.0:0"], "--coap: '0.0.0.0' is not allowed in plain text; it must be a loopback address"),
        (["--coap-open"], "--coap-open: is not allowed without --coap"),
        (["--coap", "nowhere"], "--coap"),
    ],
)
def test_plain_text_for_other_machines_is_refused_unless_it_is_asked_for(
    tmp_path: Path, options: list[str], words: str
) -> None:
    ended = main_in(tmp_path, "serve", "--policy", "all-local", *options)
    assert ended.returncode == 2
    assert words in ended.stderr


@pytest.mark.parametrize(
    ("access", "words"),
    [
        (AccessPolicy(hybrid_only=True), "beside --tls-require-hybrid"),
        (AccessPolicy(bind_names=True), "without --any-name"),
        (AccessPolicy(), ""),
    ],
)
def test_it_is_no_way_around_certificates(access: AccessPolicy, words: str) -> None:
    certificates: Any = None
    where, secured = Address("127.0.0.1", 0), Tls(certificates, access)
    if not words:
        check_coap_options(where, False, secured)
        return
    with pytest.raises(ValueError, match=f"--coap: is not allowed .*{words}"):
        check_coap_options(where, False, secured)


def test_other_machines_may_report_where_that_is_asked_for() -> None:
    check_coap_options(Address("0.0.0.0", 5683), True, None)
