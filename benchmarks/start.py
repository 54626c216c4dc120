"""User CPU time of a command from its start to its end, over that of Python's `import numba` in the same rounds.

    python -m benchmarks.start --rounds 9
    python -m benchmarks.start --cold

The solvers are compiled before the first round. With --cold no machine code is kept: user and system time of the
command and of the processes that compile beside it, and its wall time, once each. Python runs the solvers of short
commands then; a run of 10,000 frames compiles them.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

FRAME = '{"channel_gain": [2e-11, 4e-12], "data_queue_mbit": [5, 9], "energy_queue": [1, 0]}\n'
REFERENCE = "import numba"
QUEDGE = ["-m", "quedge"]
COMMANDS = {
    REFERENCE: ["-c", REFERENCE],
    "quedge --help": [*QUEDGE, "--help"],
    "quedge decide, one line": [*QUEDGE, "decide", "--set", "devices=2"],
    "quedge run --frames 10": [*QUEDGE, "run", "--frames", "10"],
}
COLD_COMMANDS = {
    "quedge decide, one line": COMMANDS["quedge decide, one line"],
    "quedge run --policy all-local --frames 10": [*QUEDGE, "run", "--policy", "all-local", "--frames", "10"],
    "quedge run --policy exact --frames 10": [*QUEDGE, "run", "--policy", "exact", "--frames", "10"],
    "quedge run --policy exact": [*QUEDGE, "run", "--policy", "exact"],
    "quedge demo --no-figure": [*QUEDGE, "demo", "--no-figure"],
}


def user_seconds(arguments: list[str]) -> float:
    """User CPU time of a process of this Python (s), which keeps and finds byte code as an installed package's does."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(
        [sys.executable, *arguments], input=FRAME, capture_output=True, text=True, env=environment, check=True
    )
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def cold_seconds(arguments: list[str]) -> tuple[float, float]:
    """CPU time of a command and its processes, and wall time (s), without kept machine code."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        subprocess.run(
            [sys.executable, *arguments], input=FRAME, capture_output=True, text=True, env=environment, check=True
        )
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cold", action="store_true")
    asked = parser.parse_args()
    if asked.cold:
        for name, arguments in COLD_COMMANDS.items():
            cpu, wall = cold_seconds(arguments)
            print(f"{name:<42} {cpu:.1f} s of CPU  {wall:.1f} s")
        return
    subprocess.run([sys.executable, *QUEDGE, "warm-up", "--policy", "exact"], capture_output=True, check=True)
    rounds = asked.rounds
    taken = [[user_seconds(arguments) for arguments in COMMANDS.values()] for _ in range(rounds + 1)][1:]
    medians = dict(zip(COMMANDS, map(statistics.median, zip(*taken, strict=True)), strict=True))
    for name, seconds in medians.items():
        print(f"{name:<24} {seconds:.2f} s  {seconds / medians[REFERENCE]:.2f}")


if __name__ == "__main__":
    main()
