"""Memory of a service over many frames: `python -m benchmarks.service.soak [--minutes 30] [--rate 200]`.

`quedge serve`, learning, with state and metrics, serves frames at a steady pace; what it holds in memory is read from
/proc, and a line is fitted to it after the first fifth of the time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np

from benchmarks.service.processes import LEARNING, quedge_serve
from benchmarks.service.worlds import drawn_reports
from quedge.service import methods
from quedge.service import quedge_pb2 as pb

DEVICES = 10
RECURRING = 5000
"""Reports that are drawn; then they come again, under new numbers."""
WARM_UP_SHARE = 0.2
SAMPLE_S = 1.0


class Soaked(NamedTuple):
    """What a service held and did.

    Attributes:
        frames: frames that it was asked for.
        errors: of them, those that it did not serve.
        resident_mib: memory that it held at the end (MiB).
        slope_mib_per_h: growth of that after the warm-up, by least squares (MiB/h).
        state_mib: what its state took on the disk at the end (MiB).
    """

    frames: int
    errors: int
    resident_mib: float
    slope_mib_per_h: float
    state_mib: float


def soak(seconds: float, rate_hz: float) -> Soaked:
    """Serve for so long."""
    reports, frames, errors = drawn_reports(DEVICES, RECURRING, seed=2), round(seconds * rate_hz), 0
    times, held = [], []
    method = methods.DECIDE
    with tempfile.TemporaryDirectory() as folder:
        with quedge_serve(LEARNING, DEVICES, Path(folder)) as service, grpc.insecure_channel(service.target) as channel:
            decide = channel.unary_unary(method.path, method.request.SerializeToString, method.reply.FromString)
            began = time.perf_counter()
            for frame in range(frames):
                report = reports[frame % RECURRING]
                report.frame = frame
                errors += decide(report, timeout=10.0).outcome != pb.SERVED
                now = time.perf_counter() - began
                if now >= len(times) * SAMPLE_S:
                    times.append(now)
                    held.append(resident_mib(service.pid))
                time.sleep(max((frame + 1) / rate_hz - now, 0.0))
        state = sum(path.stat().st_size for path in Path(folder).iterdir()) / 2**20
    after = np.array(times) >= WARM_UP_SHARE * seconds
    slope = np.polyfit(np.array(times)[after], np.array(held)[after], 1)[0] * 3600.0
    return Soaked(frames, errors, held[-1], float(slope), state)


def resident_mib(pid: int) -> float:
    """Memory that a process holds (MiB)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024.0
    raise ValueError(f"pid: {pid} is not allowed; it must be a running process")


def main() -> int:
    """Print what the service held."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=200.0)
    given = parser.parse_args()
    found = soak(60.0 * given.minutes, given.rate)
    print(
        f"{found.frames:,} frames in {given.minutes:g} min, {found.errors} errors; "
        f"{found.resident_mib:.1f} MiB held, growing by {found.slope_mib_per_h:+.2f} MiB/h; "
        f"{found.state_mib:.1f} MiB of state"
    )
    return int(found.errors > 0)


if __name__ == "__main__":
    sys.exit(main())
