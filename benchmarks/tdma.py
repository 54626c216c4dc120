"""Time division: how long an allocation takes, and how close it comes to a general convex solver.

`python -m benchmarks.tdma`; all times are of one thread. The solver needs the package's extra `sca`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numba
import numpy as np

from benchmarks.measuring import Row, paper_times_us, print_rows
from quedge.allocation.tdma import Tdma, allocate_best_tdma
from quedge.model.cell import cell_of
from quedge.model.frame import Frame, packed_frame
from quedge.model.scenario import Scenario
from quedge.simulation.processes import RicianFading
from tests.tdma_oracle import solved_by_cones

FRAMES = 500  # of each size, timed one by one
REPEATS = 20  # of each frame within one compiled call
SOLVED = 100  # frames given to the general solver


@numba.njit  # type: ignore[misc]
def repeated(packed, decisions):  # type: ignore[no-untyped-def]
    for _ in range(REPEATS):
        allocate_best_tdma(packed, decisions)


def random_case(devices: int, rng: np.random.Generator) -> tuple[Frame, np.ndarray]:
    """A frame of the paper's cell and a decision in which half of the devices offload."""
    scenario = Scenario(devices=devices)
    gain = RicianFading().sample(scenario, 1, rng)[0]
    frame = Frame(cell_of(scenario), gain, rng.exponential(8.0, devices), rng.exponential(6.0, devices))
    return frame, rng.permutation(np.arange(devices) < (devices + 1) // 2)


def thinned(frame: Frame, rng: np.random.Generator) -> Frame:
    """The same frame with queues of data and energy from full down to a thousandth."""
    data, energy = 10.0 ** rng.uniform(-3.0, 0.0, 2)
    return frame._replace(data_queue_mbit=frame.data_queue_mbit * data, energy_queue=frame.energy_queue * energy)


def time_rows() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    allocator = Tdma()
    for devices, paper_us in paper_times_us("tdma").items():
        compiled_us, python_us = np.empty(FRAMES), np.empty(FRAMES)
        for t in range(-1, FRAMES):  # the first is overwritten: it compiles
            frame, offload = random_case(devices, rng)
            if t % 2:  # so that in many frames all queues fit, which is more work
                frame = thinned(frame, rng)
            start = time.perf_counter_ns()
            repeated(packed_frame(frame), offload[np.newaxis])
            compiled_us[t] = (time.perf_counter_ns() - start) * 1e-3 / REPEATS
            start = time.perf_counter_ns()
            allocator.allocate(frame, offload)
            python_us[t] = (time.perf_counter_ns() - start) * 1e-3
        compiled, python = np.median(compiled_us), np.median(python_us)
        yield (
            f"one allocation by time division, N = {devices}, half of them offload (us; the paper: {paper_us:.2f})",
            "<= 10 compiled" if devices == 10 else "<= 30 compiled",
            f"median {compiled:.1f}, p99 {np.percentile(compiled_us, 99):.1f}; from Python {python:.1f}, "
            f"p99 {np.percentile(python_us, 99):.1f}; {paper_us / python:.0f} times the paper's speed",
        )


def solver_rows() -> Iterator[Row]:
    rng = np.random.default_rng(1)
    worst, times_ms = 0.0, np.empty(SOLVED)
    for t in range(SOLVED):
        frame, offload = random_case(1 + t % 10, rng)
        frame = thinned(frame, rng)
        start = time.perf_counter()
        solved = solved_by_cones(frame, offload)
        times_ms[t] = (time.perf_counter() - start) * 1e3
        worst = max(worst, abs(Tdma().allocate(frame, offload).objective / solved - 1.0))
    yield (
        f"time division against a general convex solver, N <= 10, {SOLVED} frames: worst relative difference",
        "<= 1e-6",
        f"{worst:.1e}; the solver with its modelling: median {np.median(times_ms):.1f} ms",
    )


def rows() -> Iterator[Row]:
    """What was measured, what it should reach, what it reached."""
    yield from time_rows()
    yield from solver_rows()


if __name__ == "__main__":
    print_rows(rows())
