"""The benchmark table: `make bench`, or `python -m benchmarks.table [PART]...` for some of its parts.

All times are of one thread. Absolute times depend on the machine and on what else it does; the ratios of one run hold.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from benchmarks import exact_vs_enumeration, experiments, gymnasium, lydroo, onnx, sca, tdma
from benchmarks.measuring import FRAMES, Row, microseconds, paper_times_us, print_rows, settled_run, spread
from quedge import Scenario
from quedge.allocation.greedy import greedy_objectives
from quedge.model.cell import cell_of
from quedge.model.terms import frame_terms
from quedge.policy.exact.exact import solve_chain, solve_frames, solve_terms

SAMPLE = 2_000  # frames whose solution is timed one by one
REPEATS = 10  # of each frame within one compiled call, so that the call itself does not count


def enumeration_rows() -> Iterator[Row]:
    for tolerance, found in exact_vs_enumeration.run(frames=200, seed=0).items():
        yield (
            f"exact at gap {tolerance} against enumeration, N <= 6, 200 frames",
            "every frame within its gap, no bound below",
            f"{found['within_gap']}/{found['frames']} within, {found['bound_valid']}/{found['frames']} bounds valid; "
            f"worst loss {found['worst_loss']:.1e}",
        )


def exact_rows() -> Iterator[Row]:
    trace = settled_run(Scenario())
    half = trace.timed_decisions_us(FRAMES // 2)
    yield "exact, N = 10, gap 1e-3: `decide` from Python (us)", "<= 60, aim 20", spread(half)
    cell = cell_of(trace.scenario)
    states = trace.channel_gain, trace.data_queue_mbit, trace.energy_queue
    chains = [frame_terms(cell, *(state[t] for state in states)) for t in range(FRAMES - SAMPLE, FRAMES)]
    repeated = [
        [np.repeat(state[t : t + 1], REPEATS, axis=0) for state in states] for t in range(FRAMES - SAMPLE, FRAMES)
    ]
    answers = np.empty(REPEATS), np.empty(REPEATS)
    for tolerance, target in ((1e-3, "<= 60, aim 20"), (1e-6, "<= 2000")):
        gaps = [(upper - best) / best for _, _, best, upper in (solve_chain(chain, tolerance) for chain in chains)]
        times = microseconds(lambda i, gap=tolerance: solve_frames(cell, *repeated[i], gap, *answers), SAMPLE) / REPEATS
        yield (
            f"exact, N = 10, gap {tolerance:g}: the compiled solver, a frame (us)",
            target,
            f"{spread(times)}; worst certified gap {max(gaps):.1e}",
        )
    yield "10,000 frames of exact, N = 10, decisions and simulation (s)", "<= 1", f"{trace.wall_s:.2f}"


def scaling_rows() -> Iterator[Row]:
    fixed = [scaled(Scenario(devices=devices)) for devices in (10, 30, 100, 300, 1000)]
    yield "exact, cost a device (us) by N; growth from 10 to 1,000", "<= 1.3", growth(fixed, 10)
    in_proportion = [
        scaled(Scenario(devices=devices, bandwidth_hz=2e5 * devices)) for devices in (100, 300, 1000, 3000, 10000)
    ]
    what = "the same, bandwidth in proportion to N; growth from 100 to 10,000"
    yield what, "<= 2, every gap closed", growth(in_proportion, 100)


class Scaled(NamedTuple):
    """What deciding the frames of a run costs and finds: median cost a device (us), offloading ratio, worst gap."""

    devices: int
    cost: float
    offloading: float
    worst_gap: float


def scaled(scenario: Scenario) -> Scaled:
    devices = scenario.devices
    frames = 400 if devices <= 100 else 100 if devices <= 1000 else 20
    trace = settled_run(scenario, frames)
    cell, half = cell_of(scenario), range(frames // 2, frames)
    chains = [frame_terms(cell, trace.channel_gain[t], trace.data_queue_mbit[t], trace.energy_queue[t]) for t in half]
    solve = microseconds(lambda i: solve_terms(chains[i], 1e-3), len(chains))
    gaps = [(trace.upper_bound[t] - trace.objective[t]) / trace.objective[t] for t in half]
    return Scaled(devices, float(np.median(solve)) / devices, float(trace.offload[half].mean()), max(gaps))


def growth(found: list[Scaled], first: int) -> str:
    cost = {each.devices: each.cost for each in found}
    listed = ", ".join(
        f"{each.devices}: {each.cost:.2f} ({each.offloading:.1%} offload, gap {each.worst_gap:.1e})" for each in found
    )
    return f"{listed}; growth {cost[found[-1].devices] / cost[first]:.2f}"


def greedy_rows() -> Iterator[Row]:
    for devices, target in ((10, 1.0), (35, 3.0)):
        paper = paper_times_us("noma_heuristic")[devices]
        trace = settled_run(Scenario(devices=devices), 500)
        cell = cell_of(trace.scenario)
        terms = frame_terms(cell, trace.channel_gain[-1], trace.data_queue_mbit[-1], trace.energy_queue[-1])
        offload = np.random.default_rng(0).random((1000, devices)) < 0.5
        level, objective = np.empty(devices), np.empty(1000)
        times = microseconds(lambda _: greedy_objectives(terms, offload, level, objective), 200) / 1000  # noqa: B023
        yield (
            f"one greedy allocation in a batch, N = {devices} (us; the paper: {paper:.0f})",
            f"<= {target:g}",
            f"{spread(times)}; {paper / np.median(times):.0f} times the paper's speed",
        )


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "exact": exact_rows,
    "scaling": scaling_rows,
    "greedy": greedy_rows,
    "enumeration": enumeration_rows,
    "tdma": tdma.rows,
    "sca": sca.rows,
    "lydroo": lydroo.rows,
    "paper": lydroo.paper_rows,
    "onnx": onnx.rows,
    "experiments": experiments.rows,
    "gymnasium": gymnasium.rows,
}


def main(parts: list[str]) -> None:
    for part in parts or PARTS:
        if part not in PARTS:
            sys.exit(f"unknown part {part!r}; one of {', '.join(PARTS)}")
    print_rows(row for part in parts or PARTS for row in PARTS[part]())


if __name__ == "__main__":
    main(sys.argv[1:])
