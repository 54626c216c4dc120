"""The experiments' engine: `python -m benchmarks.experiments [quick] [resume] [ray] [tune] [figure7]`.

Everything is run as a user would, as a process of its own, on as many processes as there are processors.
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from benchmarks.measuring import Row, print_rows

KILLS = 20
SWEEP = ("sweep", "--vary", "nu=10,20,60,100", "--policy", "exact", "--policy", "lydroo-noma", "--frames", "2000")
TIMED = ("sweep-cells.csv", "cells")  # they tell how long decisions took


def quedge(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "quedge", *arguments]


def seconds(*arguments: str) -> float:
    began = time.monotonic()
    subprocess.run(quedge(*arguments), check=True, capture_output=True)
    return time.monotonic() - began


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in TIMED}


def quick_rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        yield (
            "`quedge reproduce all --quick` (s)",
            "<= 180",
            f"{seconds('reproduce', 'all', '--quick', '--out', folder):.0f}",
        )


def resume_rows() -> Iterator[Row]:
    """Kill the command at random points of its work, until that has happened often enough, and compare the end."""
    wait = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = (*SWEEP, "--seeds", "10")
        whole = seconds(*command, "--out", str(folder / "uncut"))
        killed = 0
        for attempt in range(KILLS):
            process = subprocess.Popen(
                quedge(*command, "--out", str(folder / f"cut{attempt // 5}")),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                process.wait(1.0 + wait.uniform(0.0, 0.35 * whole))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
        same = []
        for cut in range(KILLS // 5):
            subprocess.run(quedge(*command, "--out", str(folder / f"cut{cut}")), check=True, capture_output=True)
            same.append(contents(folder / f"cut{cut}") == contents(folder / "uncut"))
        yield (
            f"kill -9 at random points, five times a sweep of 80 cells ({whole:.0f} s uncut), then run to the end",
            "identical tables",
            f"{killed} kills; {sum(same)} of {len(same)} sweeps end identical to the uncut one",
        )


def ray_rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = (*SWEEP, "--seeds", "20", "--workers", "2")
        one = (
            "sweep",
            "--vary",
            "nu=60",
            "--policy",
            "best-single",
            "--frames",
            "10",
            "--seeds",
            "1",
            "--workers",
            "2",
        )
        pool = seconds(*command, "--out", str(folder / "pool"))
        ray = seconds(*command, "--out", str(folder / "ray"), "--ray")
        start = seconds(*one, "--out", str(folder / "one"), "--ray") - seconds(*one, "--out", str(folder / "two"))
        same = contents(folder / "pool") == contents(folder / "ray")
        yield (
            "Ray (local, 2 processors) against the process pool, 160 cells: wall time (s)",
            "identical; <= 1.3 times, plus start-up",
            f"{'identical' if same else 'DIFFERENT'}; {ray:.1f} against {pool:.1f}, start-up {start:.1f}: "
            f"{(ray - start) / pool:.2f} times",
        )


def tune_rows() -> Iterator[Row]:
    began = time.monotonic()
    done = subprocess.run(quedge("tune", "--json"), check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    yield (
        "`quedge tune`, the paper's scenario, exact",
        "<= 6.2 Mbit at <= 0.0802 W, in <= 60 s",
        f"V = {found['v']:.3g}, nu = {found['nu']:.3g}: {found['data_queue_mbit']:.2f} Mbit at {found['power_w']:.4f} "
        f"W (V = 20, nu = 60: {found['baseline_data_queue_mbit']:.2f} at {found['baseline_power_w']:.4f}), "
        f"{time.monotonic() - began:.0f} s",
    )


def figure7_rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        seconds("reproduce", "fig7", "--out", folder)
        lines = list(csv.DictReader((Path(folder) / "fig7.csv").read_text().splitlines()))
    ours = [line for line in lines if line["source"] == "quedge"]
    for measure, target in (("offload_ratio", "falls (the paper: 0.256 to 0.169)"), ("power_w", "never above 0.08 W")):
        shown = [
            f"{float(line['value']):.4f} ± {float(line['high']) - float(line['value']):.4f}"
            for line in ours
            if line["measure"] == measure
        ]
        yield f"Fig. 7, lydroo-noma, P_q = 0 ... 0.10 W, 5 seeds: {measure}", target, ", ".join(shown)


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "quick": quick_rows, "resume": resume_rows, "ray": ray_rows, "tune": tune_rows, "figure7": figure7_rows,
}  # fmt: skip


def rows(parts: list[str] | None = None) -> Iterator[Row]:
    return chain.from_iterable(PARTS[part]() for part in parts or PARTS)


if __name__ == "__main__":
    print_rows(rows(sys.argv[1:]))
