"""User CPU time of a command from its start to its end, over that of Python's `import numba` in the same rounds.

    python -m benchmarks.start --rounds 9

The machine code of the solvers is kept before the first round.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys

FRAME = '{"channel_gain": [2e-11, 4e-12], "data_queue_mbit": [5, 9], "energy_queue": [1, 0]}\n'
REFERENCE = "import numba"
QUEDGE = ["-m", "quedge"]
COMMANDS = {
    REFERENCE: ["-c", REFERENCE],
    "quedge --help": [*QUEDGE, "--help"],
    "quedge decide, one line": [*QUEDGE, "decide", "--set", "devices=2"],
    "quedge run --frames 10": [*QUEDGE, "run", "--frames", "10"],
}


def user_seconds(arguments: list[str]) -> float:
    """User CPU time of a process of this Python (s), which keeps and finds byte code as an installed package's does."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(
        [sys.executable, *arguments], input=FRAME, capture_output=True, text=True, env=environment, check=True
    )
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    taken = [[user_seconds(arguments) for arguments in COMMANDS.values()] for _ in range(rounds + 1)][1:]
    medians = dict(zip(COMMANDS, map(statistics.median, zip(*taken, strict=True)), strict=True))
    for name, seconds in medians.items():
        print(f"{name:<24} {seconds:.2f} s  {seconds / medians[REFERENCE]:.2f}")


if __name__ == "__main__":
    main()
