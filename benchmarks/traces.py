"""Time and peak memory of reading a recording, over those of pyarrow's own reading of the same file; time of writing.

    python -m benchmarks.traces --rounds 5

The files, one row per frame and device in order, lie in a temporary folder; each reading has a process of its own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

WRITE = """
import sys
import numpy as np, pyarrow, pyarrow.csv, pyarrow.parquet
frames, devices = int(sys.argv[1]) // 10, 10
table = pyarrow.table({
    "frame": np.repeat(np.arange(frames), devices),
    "device": np.tile(np.arange(devices), frames),
    "channel_gain": 1e-11 * np.random.default_rng(0).exponential(size=frames * devices),
})
pyarrow.csv.write_csv(table, "trace.csv")
pyarrow.parquet.write_table(table, "trace.parquet")
"""
READ = """
import resource, sys, time
start = time.perf_counter()
read(sys.argv[1])
print(time.perf_counter() - start, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
QUEDGE = "from quedge.simulation.recordings.recording import read_recording as read"
PYARROW = "import pyarrow.csv, pyarrow.parquet"
READERS = {
    "trace.csv": {
        "pyarrow": f"{PYARROW}; read = pyarrow.csv.read_csv",
        "quedge": f"{PYARROW}; {QUEDGE}",
        "quedge without pyarrow": f"import sys; sys.modules['pyarrow'] = None; {QUEDGE}",
    },
    "trace.parquet": {
        "pyarrow": f"{PYARROW}; read = pyarrow.parquet.read_table",
        "quedge": f"{PYARROW}; {QUEDGE}",
    },
}
"""What is done before the clock starts, by file and reader."""


WRITTEN = 20_000
"""Frames of ten devices whose trace is written."""
WRITE_TRACE = """
import sys, time
import quedge
from quedge.files.traces import FORMATS
trace = quedge.simulate(quedge.Scenario(), quedge.BestSingle(), frames=int(sys.argv[1]))
start = time.perf_counter()
with open("written.csv", "wb") as file, FORMATS["csv"](file) as writer:
    writer.add(trace)
print(time.perf_counter() - start)
"""
WRITERS = {"with pyarrow": "import pyarrow.csv", "without": "import sys; sys.modules['pyarrow'] = None"}
"""What is done before the clock starts, by writer."""


def python(folder: Path, code: str, argument: str) -> str:
    command = [sys.executable, "-c", code, argument]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def measured(folder: Path, name: str, rounds: int) -> dict[str, tuple[float, float]]:
    """Median time of each reader of a file (s), and its highest peak memory (bytes), the readers taking turns."""
    taken: dict[str, list[tuple[float, ...]]] = {reader: [] for reader in READERS[name]}
    for _ in range(rounds):
        for reader, prepared in READERS[name].items():
            taken[reader].append(tuple(map(float, python(folder, prepared + READ, name).split())))
    return {
        reader: (statistics.median(seconds for seconds, _ in each), max(peak for _, peak in each))
        for reader, each in taken.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print("| file | reader | time (s) | over pyarrow's | peak memory (MB) |\n|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        python(Path(folder), WRITE, str(arguments.rows))
        for name in READERS:
            found = measured(Path(folder), name, arguments.rounds)
            for reader, (seconds, peak) in found.items():
                ratio = seconds / found["pyarrow"][0]
                print(f"| {name} | {reader} | {seconds:.2f} | {ratio:.2f} | {peak / 1e6:.0f} |", flush=True)
        print(f"\n| a CSV trace of {WRITTEN:,} frames | time (s) |\n|---|---|")
        taken: dict[str, list[float]] = {writer: [] for writer in WRITERS}
        for _ in range(arguments.rounds):
            for writer, prepared in WRITERS.items():
                taken[writer].append(float(python(Path(folder), prepared + WRITE_TRACE, str(WRITTEN))))
        for writer, each in taken.items():
            print(f"| {writer} | {statistics.median(each):.2f} |", flush=True)


if __name__ == "__main__":
    main()
