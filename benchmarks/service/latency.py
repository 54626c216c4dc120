"""Round trips over loopback at a steady pace: `python -m benchmarks.service.latency [--seconds 60]`.

The service is `quedge serve` with metrics. A client in a process of its own reports a frame each millisecond over one
stream, and waits for its answer. A frame that would begin while the one before it is still being served begins late;
how many did so is told, too. With GRPC_EXPERIMENTS set to nothing gRPC waits its usual way, in both processes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np

from benchmarks.measuring import Row, print_rows
from benchmarks.service.processes import EXACT, LEARNING, ServiceProcess, begun, quedge_serve
from benchmarks.service.worlds import drawn_reports
from quedge.service import methods
from quedge.service.settings import LATENCY_DEVICE


class Case(NamedTuple):
    """A service that is measured.

    Attributes:
        name: what it is, in words.
        options: of `quedge serve`; None for a service that decides nothing, which shows what gRPC takes.
        devices: number of devices of the paper's cell.
        with_state: whether frames are durable.
        target: what its row should reach.
        alone: whether it has the last processor for itself, and the client another one.
    """

    name: str
    options: Sequence[str] | None
    devices: int = 10
    with_state: bool = False
    target: str = "-"
    alone: bool = False


AWAKE = (*EXACT, "--keep-awake")
CASES = (
    Case("gRPC alone, N = 10", None),
    Case("exact, N = 10", EXACT, target="p50 <= 0.4, p99 <= 1"),
    Case("exact, N = 10, kept awake", AWAKE),
    Case("exact, N = 10, kept awake, a processor for each", AWAKE, alone=True),
    Case("exact, N = 10, with state", EXACT, with_state=True),
    Case("learning LyDROO, N = 10, with state", LEARNING, with_state=True, target="p99 <= 1.5"),
    Case("exact, N = 100", EXACT, devices=100, target="p99 <= 3"),
)
PROCESSORS = sorted(os.sched_getaffinity(0))
WARM_UP_FRAMES = 500


async def round_trips(target: str, devices: int, frames: int, rate_hz: float) -> tuple[np.ndarray, int]:
    """Round trip of each frame (ms) after a warm-up, and how many frames began late."""
    reports = drawn_reports(devices, WARM_UP_FRAMES + frames, seed=1)
    times, late = np.empty(frames), 0
    method = methods.SERVE_FRAMES
    async with grpc.aio.insecure_channel(target) as channel:
        call = channel.stream_stream(method.path, method.request.SerializeToString, method.reply.FromString)()
        due = time.perf_counter()
        for number, report in enumerate(reports):
            due += 1.0 / rate_hz
            wait = due - time.perf_counter()
            if wait > 0.0:
                time.sleep(wait)  # nothing else happens in this loop, and its own clock ticks in milliseconds
            elif number >= WARM_UP_FRAMES:
                late += 1
            if number <= WARM_UP_FRAMES:
                due = time.perf_counter()
            began = time.perf_counter()
            await call.write(report)
            answer = await call.read()
            if number >= WARM_UP_FRAMES:
                times[number - WARM_UP_FRAMES] = (time.perf_counter() - began) * 1e3
            assert answer.outcome == 1, answer
        await call.done_writing()
    return times, late


def measured(target: str, case: Case, frames: int, rate_hz: float) -> str:
    """What a client in a process of its own measured, in words."""
    asking = ["--client", target, "--devices", str(case.devices), "--frames", str(frames), "--rate", str(rate_hz)]
    client = begun(["benchmarks.service.latency", *asking], PROCESSORS[0] if case.alone else None)
    found, _ = client.communicate()
    if client.returncode != 0:
        raise RuntimeError(f"the client ended with status {client.returncode}")
    return found.strip()


def cannot_be_had(case: Case) -> str:
    """Why a case cannot be measured on this machine; empty where it can."""
    if case.alone and len(PROCESSORS) < 2:
        return "needs two processors"
    awake = case.options is not None and "--keep-awake" in case.options
    return f"needs the right to write {LATENCY_DEVICE}" if awake and not os.access(LATENCY_DEVICE, os.W_OK) else ""


def service(case: Case, folder: Path) -> ServiceProcess:
    """The service of a case.

    Args:
        case: the case.
        folder: where its state is, if it has one.
    """
    if case.options is None:
        return ServiceProcess(["benchmarks.service.echo"])
    state = folder if case.with_state else None
    return quedge_serve(case.options, case.devices, state, PROCESSORS[-1] if case.alone else None)


def rows(cases: Sequence[Case], seconds: float, rate_hz: float) -> Iterator[Row]:
    """One row a case."""
    for case in cases:
        found = cannot_be_had(case)
        if not found:
            with tempfile.TemporaryDirectory() as folder, service(case, Path(folder)) as running:
                found = measured(running.target, case, round(seconds * rate_hz), rate_hz)
        yield f"round trip, {case.name}, {rate_hz:g} frames/s for {seconds:g} s (ms)", case.target, found


def main() -> None:
    """Print one row a case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=1000.0)
    places = range(len(CASES))
    parser.add_argument("--cases", type=int, nargs="+", choices=places, help="rows of the table, from 0; all without")
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--devices", type=int, default=10, help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client is None:
        chosen = CASES if given.cases is None else [CASES[place] for place in given.cases]
        print_rows(rows(chosen, given.seconds, given.rate))
        print(f"\n{os.cpu_count()} processors; load {os.getloadavg()[0]:.1f}")
        return
    times, late = asyncio.run(round_trips(given.client, given.devices, given.frames, given.rate))
    levels = zip((50, 90, 99, 99.9), np.percentile(times, (50, 90, 99, 99.9)), strict=True)
    print(", ".join(f"p{level:g} {value:.2f}" for level, value in levels) + f"; {late} of {times.size} began late")


if __name__ == "__main__":
    main()
