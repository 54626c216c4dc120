"""Round trips over loopback at a steady pace: `python -m benchmarks.service.latency [--seconds 60]`.

A client in a process of its own reports a frame each millisecond over one stream, and waits for its answer. A frame
that would begin while the one before it is still being served begins late; how many did so is told, too.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np

from benchmarks.measuring import Row, print_rows
from benchmarks.service.processes import ROOT, ServiceProcess
from benchmarks.service.worlds import drawn_reports
from quedge.interfaces.service import methods

CASES = (
    ("exact, N = 10", "exact", 10, False, "p50 <= 0.4, p99 <= 1"),
    ("exact, N = 10, with state", "exact", 10, True, "-"),
    ("learning LyDROO, N = 10, with state", "lydroo", 10, True, "p99 <= 1.5"),
    ("exact, N = 100", "exact", 100, False, "-"),
)
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


def measured(target: str, devices: int, frames: int, rate_hz: float) -> str:
    """What a client in a process of its own measured, in words."""
    client = [sys.executable, "-m", "benchmarks.service.latency", "--client", target, "--devices", str(devices)]
    pace = ["--frames", str(frames), "--rate", str(rate_hz)]
    return subprocess.run([*client, *pace], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def rows(seconds: float, rate_hz: float) -> Iterator[Row]:
    """One row a case."""
    for name, policy, devices, with_state, target in CASES:
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) if with_state else None
            with ServiceProcess(policy, devices, state) as service:
                found = measured(service.target, devices, round(seconds * rate_hz), rate_hz)
        yield f"round trip, {name}, {rate_hz:g} frames/s for {seconds:g} s (ms)", target, found


def main() -> None:
    """Print one row a case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--devices", type=int, default=10, help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client is None:
        print_rows(rows(given.seconds, given.rate))
        print(f"\n{os.cpu_count()} processors; load {os.getloadavg()[0]:.1f}")
        return
    times, late = asyncio.run(round_trips(given.client, given.devices, given.frames, given.rate))
    levels = zip((50, 90, 99, 99.9), np.percentile(times, (50, 90, 99, 99.9)), strict=True)
    print(", ".join(f"p{level:g} {value:.2f}" for level, value in levels) + f"; {late} of {times.size} began late")


if __name__ == "__main__":
    main()
