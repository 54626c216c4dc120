"""What the benchmarks have in common."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable
from importlib.resources import files

import numpy as np

from quedge import Exact, Scenario, simulate
from quedge.simulation.trace import Trace

FRAMES = 10_000

Row = tuple[str, str, str]
"""What was measured, what it should reach, what it reached."""


def paper_times_us(scheme: str) -> dict[int, float]:
    """Execution times (us) of the paper's Table II by the number of devices: of tdma, noma_heuristic or noma_sca."""
    table = files("quedge") / "data" / "paper" / "table2_execution_time_us.csv"
    return {int(line["devices"]): float(line[scheme]) for line in csv.DictReader(table.read_text().splitlines())}


def microseconds(call: Callable[[int], object], repeats: int) -> np.ndarray:
    """Wall time of each of `repeats` calls, after a call that is not counted."""
    call(0)
    times = np.empty(repeats)
    for i in range(repeats):
        start = time.perf_counter_ns()
        call(i)
        times[i] = (time.perf_counter_ns() - start) * 1e-3
    return times


def spread(times: np.ndarray) -> str:
    return f"median {np.median(times):.1f}, p99 {np.percentile(times, 99):.1f}"


def settled_run(scenario: Scenario, frames: int = FRAMES, seed: int = 0) -> Trace:
    """A run of the exact policy."""
    simulate(scenario, Exact(), 2, seed)  # compile first
    return simulate(scenario, Exact(), frames, seed)


def print_rows(rows: Iterable[Row]) -> None:
    print("| what | at least | measured |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
