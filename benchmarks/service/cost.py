"""What a frame costs a service: `python -m benchmarks.service.cost [--seconds 5] [--cases 0 1]`.

A client in a process of its own reports frame after frame, the next one once the last is answered, and makes and reads
no more of its messages than their bytes. Told are the processor time that the service's process takes a frame, frames
a second, and the time from a frame's first report to its last answer.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np

from benchmarks.measuring import Row, print_rows
from benchmarks.service.processes import EXACT, ServiceProcess, begun, quedge_serve
from benchmarks.service.worlds import BASE_STATION, drawn_reports
from quedge.service import methods
from quedge.service import quedge_pb2 as pb


class Case(NamedTuple):
    """Who reports: a base station ("station"), so many "gateways", or each device ("devices"; "coap")."""

    name: str
    who: str
    devices: int
    members: int = 1
    options: Sequence[str] = EXACT
    with_state: bool = False
    target: str = "-"


CHANGED = 0x44
COAP = ("--coap", "127.0.0.1:0")
QUICK = ("--policy", "best-pair")
CASES = (
    Case("gRPC alone, N = 10", "station", 10, options=()),
    Case("gRPC alone, N = 100", "station", 100, options=()),
    Case("a base station, N = 10", "station", 10),
    Case("a base station, N = 100", "station", 100),
    Case("a base station, N = 10, with state", "station", 10, with_state=True),
    Case("a base station, N = 100, with state", "station", 100, with_state=True),
    Case("a gateway, N = 10", "gateways", 10),
    Case("a gateway, N = 100", "gateways", 100, target=">= 700 frames/s, p99 <= 5 ms"),
    Case("ten gateways, N = 100", "gateways", 100, 10, target=">= 700 frames/s, p99 <= 5 ms"),
    Case("a gateway, N = 100, best-pair", "gateways", 100, options=QUICK),
    Case("devices, N = 10", "devices", 10, 10, target="p50 <= 1 ms"),
    Case("devices, N = 100", "devices", 100, 100),
    Case("devices over CoAP, N = 10", "coap", 10, 10, (*EXACT, *COAP), target="p50 <= 1 ms"),
    Case("devices over CoAP, N = 10, with state", "coap", 10, 10, (*EXACT, *COAP), with_state=True),
    Case("devices over CoAP, N = 100", "coap", 100, 100, (*EXACT, *COAP)),
)
DISTINCT_FRAMES, WARM_UP_FRAMES = 200, 300


def requests(case: Case) -> list[list[bytes]]:
    """The messages of each of `DISTINCT_FRAMES` frames, one a stream, but for a base station's frame numbers."""
    frames = []
    for report in drawn_reports(case.devices, DISTINCT_FRAMES, seed=1):
        shares = np.array_split(np.arange(case.devices), case.members)
        frames.append([_message(case.who, report, share.tolist()) for share in shares])
    return frames


def _message(who: str, report: pb.FrameReport, share: list[int]) -> bytes:
    if who == "station":
        report.frame = 0  # appended as the message is sent
        return bytes(report.SerializeToString())
    gain, arrived = [report.channel_gain[i] for i in share], [report.arrived_mbit[i] for i in share]
    name = report.base_station
    if who == "gateways":
        message = pb.GatewayReport(base_station=name, devices=share, channel_gain=gain, arrived_mbit=arrived)
    else:
        message = pb.DeviceReport(base_station=name, device=share[0], channel_gain=gain[0], arrived_mbit=arrived[0])
    return bytes(message.SerializeToString())


METHODS = {"station": methods.SERVE_FRAMES, "gateways": methods.SERVE_GATEWAY, "devices": methods.SERVE_DEVICE}


async def round_trips(target: str, case: Case, seconds: float, pid: int) -> tuple[np.ndarray, float]:
    """Round trip of each frame (s), and the processor time that the service took a frame (s)."""
    frames, times = requests(case), []
    if case.who == "coap":
        return over_coap(target, frames, seconds, pid)
    method = METHODS[case.who]
    async with grpc.aio.insecure_channel(target) as channel:
        calls = [channel.stream_stream(method.path)() for _ in range(case.members)]

        async def frame(number: int) -> None:
            messages = frames[number % DISTINCT_FRAMES]
            if case.who == "station":
                messages = [messages[0] + pb.FrameReport(frame=number).SerializeToString()]
            for call, message in zip(calls, messages, strict=True):
                await call.write(message)
            for call in calls:
                answer = await call.read()
                assert number % 50 or pb.FrameAnswer.FromString(answer).outcome == pb.SERVED

        number = 0
        while number < WARM_UP_FRAMES:
            await frame(number)
            number += 1
        used, ends = processor_s(pid), time.perf_counter() + seconds
        while (began := time.perf_counter()) < ends:
            await frame(number)
            times.append(time.perf_counter() - began)
            number += 1
        return np.array(times), (processor_s(pid) - used) / len(times)


def over_coap(target: str, frames: list[list[bytes]], seconds: float, pid: int) -> tuple[np.ndarray, float]:
    """As `round_trips`, of devices with a socket each, whose requests are to be confirmed."""
    host, _, port = target.partition(":")
    times, number, sockets = [], 0, [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in frames[0]]
    paths = [coap_path(device) for device in range(len(sockets))]
    for each in sockets:
        each.settimeout(5.0)
        each.connect((host, int(port)))
    ends = used = math.inf
    while (began := time.perf_counter()) < ends:
        head = b"\x42\x02" + 2 * (number & 0xFFFF).to_bytes(2, "big")  # its number is its token
        for each, path, message in zip(sockets, paths, frames[number % DISTINCT_FRAMES], strict=True):
            each.send(head + path + b"\xff" + message)
        for each in sockets:
            assert heard(each) == CHANGED
        number += 1
        if number == WARM_UP_FRAMES:
            used, ends = processor_s(pid), time.perf_counter() + seconds
        elif number > WARM_UP_FRAMES:
            times.append(time.perf_counter() - began)
    return np.array(times), (processor_s(pid) - used) / len(times)


def heard(each: socket.socket) -> int:
    """The code of a response, which may come apart from its acknowledgement and be one to acknowledge."""
    while (data := each.recv(2048))[1] == 0:
        pass
    if data[0] >> 4 == 4:
        each.send(b"\x60\x00" + data[2:4])
    return data[1]


def coap_path(device: int) -> bytes:
    """The options of a device's path: each segment is shorter than thirteen bytes."""
    segments = [each.encode() for each in ("cells", BASE_STATION, "devices", str(device))]
    return b"".join(bytes([(0 if place else 11) << 4 | len(each)]) + each for place, each in enumerate(segments))


def processor_s(pid: int) -> float:
    """Processor time that a process has taken (s)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def service(case: Case, folder: Path) -> ServiceProcess:
    if not case.options:
        return ServiceProcess(["benchmarks.service.echo"])
    return quedge_serve(case.options, case.devices, folder if case.with_state else None)


def measured(number: int, seconds: float) -> str:
    """What a client in a process of its own measured, in words."""
    with tempfile.TemporaryDirectory() as folder, service(CASES[number], Path(folder)) as running:
        target = running.addresses[1] if CASES[number].who == "coap" else running.target
        asking = ["--client", target, "--pid", str(running.pid), "--seconds", str(seconds)]
        client = begun(["benchmarks.service.cost", *asking, "--cases", str(number)])
        found, _ = client.communicate()
    if client.returncode != 0:
        raise RuntimeError(f"the client ended with status {client.returncode}")
    return found.strip()


def rows(cases: Sequence[int], seconds: float) -> Iterator[Row]:
    """One row a case."""
    for number in cases:
        yield (
            f"{CASES[number].name}: processor time a frame, frames/s, round trip",
            CASES[number].target,
            measured(number, seconds),
        )


def main() -> None:
    """Print one row a case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--cases", type=int, nargs="+", choices=range(len(CASES)), default=range(len(CASES)))
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--pid", type=int, default=0, help=argparse.SUPPRESS)
    given: Any = parser.parse_args()
    if given.client is None:
        print_rows(rows(given.cases, given.seconds))
        print(f"\n{os.cpu_count()} processors; load {os.getloadavg()[0]:.1f}")
        return
    case = CASES[given.cases[0]]
    times, cost = asyncio.run(round_trips(given.client, case, given.seconds, given.pid))
    p50, p99 = np.percentile(times, (50, 99)) * 1e3
    print(f"{cost * 1e6:.0f} us, {1 / times.mean():.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f}")


if __name__ == "__main__":
    main()
