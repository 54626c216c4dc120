"""Successive convex approximation against the greedy allocation: `python -m benchmarks.sca`.

Times are process times of one thread, medians over frames of a settled run; their ratios hold better than they do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.measuring import Row, paper_times_us, print_rows, settled_run
from quedge.allocation.allocator import Allocator
from quedge.allocation.greedy import NomaGreedy, greedy_objectives
from quedge.allocation.sca import CvxpyClarabel, NomaSca
from quedge.allocation.sca.problem import chain_of, chain_value, levels_of
from quedge.allocation.sca.sca import climb, share_of_greedy, starting_point
from quedge.model.cell import cell_of
from quedge.model.frame import Frame, Status, checked_frame
from quedge.model.scenario import OFFLOADING, Scenario
from quedge.model.terms import chain_objective, frame_terms
from quedge.policy.exact import Exact
from quedge.simulation.processes import RicianFading

GREEDY_PAPER_US, SCA_PAPER_US = paper_times_us("noma_heuristic"), paper_times_us("noma_sca")
SOLVERS: dict[str, NomaSca] = {
    "compiled": NomaSca(),
    "CVXPY": NomaSca(solver=CvxpyClarabel()),
}
FRAMES = 400  # of a settled run; the second half is used
TIMED = {"compiled": 100, "CVXPY": 5}
RANDOM_FRAMES = 500
EXTREME_FRAMES = 3000
PARTIAL_FRAMES = 300
ROUNDS = {"compiled": 500, "CVXPY": 5}  # for the random frames: it is failures that are counted
TO_THE_END = NomaSca(tolerance=1e-9, max_rounds=100_000)
SHARES = (0.01, 0.03, 0.1, 0.3, 1.0)

Case = tuple[Frame, np.ndarray]


def process_us(call: Callable[[], object]) -> float:
    start = time.process_time_ns()
    call()
    return (time.process_time_ns() - start) * 1e-3


def settled_cases(devices: int) -> list[Case]:
    """Frames that the exact policy met in a run, with what it decided."""
    trace = settled_run(Scenario(devices=devices), FRAMES)
    cell = cell_of(trace.scenario)
    return [
        (Frame(cell, trace.channel_gain[t], trace.data_queue_mbit[t], trace.energy_queue[t]), trace.offload[t])
        for t in range(FRAMES // 2, FRAMES)
    ]


def random_case(devices: int, rng: np.random.Generator) -> Case:
    """Faded gains, exponential queues, and a decision of which at least one device offloads."""
    scenario = Scenario(devices=devices)
    gain = RicianFading().sample(scenario, 1, rng)[0]
    offload = rng.random(devices) < rng.choice([0.3, 0.6, 1.0])
    offload[rng.integers(devices)] = True
    return checked_frame(cell_of(scenario), gain, rng.exponential(8.0, devices), rng.exponential(6.0, devices)), offload


def greedy_batch_us(frame: Frame, repeats: int = 1000) -> float:
    """One greedy allocation, everyone offloading, within a compiled loop over many."""
    devices = frame.cell.devices
    terms, offload = frame_terms(*frame), np.ones((repeats, devices), dtype=np.bool_)
    level, objective = np.empty(devices), np.empty(repeats)
    greedy_objectives(terms, offload, level, objective)
    return process_us(lambda: greedy_objectives(terms, offload, level, objective)) / repeats


def timed(allocator: Allocator, cases: list[Case]) -> tuple[float, float, float]:
    """Medians of the time of a call from Python, of the time inside the solver, and the mean number of rounds."""
    allocator.allocate(*cases[0])
    total, inside, rounds = [], [], []
    for frame, offload in cases:
        began = time.process_time_ns()
        decision = allocator.allocate(frame, offload)
        total.append((time.process_time_ns() - began) * 1e-3)
        inside.append(decision.notes.get("solver_us", 0.0))
        rounds.append(decision.notes.get("rounds", 0.0))
    return float(np.median(total)), float(np.median(inside)), float(np.mean(rounds))


def start_objective(frame: Frame, offload: np.ndarray) -> float:
    terms = frame_terms(*frame)
    chain, step = starting_point(terms, offload[terms.device])
    level = np.empty(offload.size)
    levels_of(terms, chain, step, level)
    return float(chain_objective(terms, offload[terms.device], level))


def time_rows(devices: int, chosen: list[Case]) -> Iterator[Row]:
    everyone = [(frame, np.ones(devices, dtype=np.bool_)) for frame, _ in chosen]
    paper_greedy, paper_sca = GREEDY_PAPER_US[devices], SCA_PAPER_US[devices]
    batch = float(np.median([greedy_batch_us(frame) for frame, _ in everyone[:50]]))
    called, _, _ = timed(NomaGreedy(), everyone)
    yield (
        f"N = {devices}, all offload: greedy (us; the paper: {paper_greedy:.0f})",
        "",
        f"{batch:.2f} in a batch, {called:.1f} called from Python",
    )
    total = {}
    for name, allocator in SOLVERS.items():
        total[name], inside, rounds = timed(allocator, everyone[: TIMED[name]])
        yield (
            f"N = {devices}, all offload: SCA, {name} (us; the paper: {paper_sca:.0f})",
            "",
            f"{total[name]:.0f}, inside the solver {inside:.0f}; {rounds:.0f} rounds",
        )
    yield (
        f"N = {devices}, all offload: SCA time / greedy time, called from Python and in a batch "
        f"(the paper: {paper_sca / paper_greedy:.1f})",
        "CVXPY >= 1000",
        ", ".join(f"{name} {spent / called:,.0f} and {spent / batch:,.0f}" for name, spent in total.items()),
    )
    few, _, rounds = timed(SOLVERS["compiled"], chosen)
    offloaders = np.mean([offload.sum() for _, offload in chosen])
    yield (
        f"N = {devices}, the exact policy's decisions ({offloaders:.1f} offloaders): SCA, compiled (us)",
        "",
        f"{few:.0f}; {rounds:.1f} rounds",
    )


def quality_rows(devices: int, chosen: list[Case]) -> Iterator[Row]:
    sca, greedy = SOLVERS["compiled"], NomaGreedy()
    everyone = [(frame, np.ones(devices, dtype=np.bool_)) for frame, _ in chosen]
    for whose, cases in (("all offload", everyone), ("the exact policy's decisions", chosen)):
        ratio = [greedy.allocate(*case).objective / sca.allocate(*case).objective for case in cases]
        yield (
            f"N = {devices}, {whose}: objective of greedy / SCA",
            "",
            f"mean {np.mean(ratio):.4f}, least {np.min(ratio):.4f}, most {np.max(ratio):.4f}",
        )


def robustness_rows(devices: int) -> Iterator[Row]:
    for name, allocator in SOLVERS.items():
        rng = np.random.default_rng((devices, 1))
        cases = [random_case(devices, rng) for _ in range(RANDOM_FRAMES)]
        asked = NomaSca(max_rounds=ROUNDS[name], solver=allocator.solver)
        decisions = [asked.allocate(*case) for case in cases]
        solved = sum(decision.status != Status.FALLBACK for decision in decisions)
        above = min(
            decision.objective - start_objective(*case) for decision, case in zip(decisions, cases, strict=True)
        )
        converged = sum(decision.status == Status.OK for decision in decisions)
        yield (
            f"N = {devices}, {len(cases)} random decisions, {name}, at most {asked.max_rounds} rounds: "
            "solved; least rise above the start",
            "all; >= 0",
            f"{solved}/{len(cases)}, {converged} of them converged; {above:.1e}",
        )


def extreme_rows() -> Iterator[Row]:
    """Frames far beyond any cell: gains, queues of data and of energy over twenty decades and more."""
    for kind in OFFLOADING:
        yield extreme_row(kind)


def extreme_row(offloading: str) -> Row:
    """How many of them are solved in a kind of cell."""
    rng, statuses = np.random.default_rng(11), []
    for _ in range(EXTREME_FRAMES):
        devices = int(rng.integers(1, 40))
        energy_queue = np.where(rng.random(devices) < 0.2, 0.0, 10.0 ** rng.uniform(-12.0, 12.0, devices))
        gain, data_queue = 10.0 ** rng.uniform(-21.0, -1.0, devices), 10.0 ** rng.uniform(-12.0, 8.0, devices)
        frame = checked_frame(cell_of(Scenario(devices=devices, offloading=offloading)), gain, data_queue, energy_queue)
        statuses.append(SOLVERS["compiled"].allocate(frame, rng.random(devices) < 0.1 + rng.random()).status)
    solved = len(statuses) - statuses.count(Status.FALLBACK)
    return (
        f"N < 40, {offloading}, {EXTREME_FRAMES} extreme frames and decisions, compiled: solved",
        "all",
        f"{solved}/{EXTREME_FRAMES}, {statuses.count(Status.OK)} of them converged",
    )


def start_rows() -> Iterator[Row]:
    """Where the rounds end, by the share of the greedy powers that they start from."""
    for devices, offloaders in ((10, 2), (10, 3), (10, 10), (20, 20)):
        rng = np.random.default_rng(devices + offloaders)
        ends = np.empty((RANDOM_FRAMES, len(SHARES)))
        for end in ends:
            frame, offload = random_case(devices, rng)
            offload[:] = False
            offload[rng.choice(devices, offloaders, replace=False)] = True
            terms = frame_terms(*frame)
            chain = chain_of(terms, offload[terms.device])
            for i, share in enumerate(SHARES):
                step = share_of_greedy(terms, offload[terms.device], chain, share)
                climb(chain, step, SOLVERS["compiled"].tolerance, SOLVERS["compiled"].max_rounds)
                end[i] = chain_value(chain, step)
        ends /= ends.max(axis=1, keepdims=True)
        yield (
            f"N = {devices}, {offloaders} offload: end / best end, from a share of the greedy powers",
            "",
            "; ".join(
                f"{share:g}: mean {mean:.4f}, least {least:.2f}"
                for share, mean, least in zip(SHARES, ends.mean(axis=0), ends.min(axis=0), strict=True)
            ),
        )


def end_rows() -> Iterator[Row]:
    """How far the default tolerance stops short of where the rounds lead, everyone offloading."""
    for devices in (min(SCA_PAPER_US), max(SCA_PAPER_US)):
        rng = np.random.default_rng(devices)
        random = [random_case(devices, rng)[0] for _ in range(RANDOM_FRAMES)]
        settled = [frame for frame, _ in settled_cases(devices)]
        everyone = np.ones(devices, dtype=np.bool_)
        for whose, frames in (("random frames", random), ("frames of a settled run", settled)):
            stopped = [NomaSca().allocate(frame, everyone) for frame in frames]
            ended = [TO_THE_END.allocate(frame, everyone) for frame in frames]
            short = [1.0 - here.objective / there.objective for here, there in zip(stopped, ended, strict=True)]
            rounds = [np.mean([decision.notes["rounds"] for decision in each]) for each in (stopped, ended)]
            yield (
                f"N = {devices}, all offload, {len(frames)} {whose}: how far tolerance {NomaSca().tolerance:g} stops "
                f"short of the end at {TO_THE_END.tolerance:g}",
                "",
                f"mean {np.mean(short):.2%}, p99 {np.percentile(short, 99):.1%}, most {np.max(short):.1%}; "
                f"mean rounds {rounds[0]:.0f} against {rounds[1]:.0f}",
            )


def partial_rows() -> Iterator[Row]:
    """Where offloading is partial: the rounds' end, and greedy powers, over the optimum of the same frames."""
    rng = np.random.default_rng(7)
    for devices in (2, 5, 10, 20):
        frames = [random_case(devices, rng)[0] for _ in range(PARTIAL_FRAMES)]
        frames = [frame._replace(cell=frame.cell._replace(is_partial=1.0)) for frame in frames]
        best = [Exact(1e-6).decide(frame, rng) for frame in frames]
        for name, allocator in (("SCA", NomaSca()), ("SCA to its end", TO_THE_END), ("greedy", NomaGreedy())):
            reached = [
                allocator.allocate(frame, decision.offload).objective / decision.objective
                for frame, decision in zip(frames, best, strict=True)
            ]
            yield (
                f"N = {devices}, partial, {PARTIAL_FRAMES} random frames, the exact decisions: {name} / optimum",
                "at most 1 + 1e-6",
                f"mean {np.mean(reached):.5f}, least {np.min(reached):.4f}, most 1 + {np.max(reached) - 1.0:.0e}",
            )
        for kind, chosen in (("partial", frames), ("binary", [_binary(frame) for frame in frames])):
            spent, _, rounds = timed(NomaSca(), [(frame, np.ones(devices, np.bool_)) for frame in chosen[:100]])
            yield (f"N = {devices}, all offload, {kind}: SCA, compiled (us)", "", f"{spent:.0f}; {rounds:.1f} rounds")


def _binary(frame: Frame) -> Frame:
    return frame._replace(cell=frame.cell._replace(is_partial=0.0))


def rows() -> Iterator[Row]:
    """What was measured, what it should reach, what it reached."""
    yield from start_rows()
    yield from end_rows()
    yield from extreme_rows()
    yield from partial_rows()
    for devices in SCA_PAPER_US:
        chosen = settled_cases(devices)
        yield from time_rows(devices, chosen)
        yield from quality_rows(devices, chosen)
        yield from robustness_rows(devices)


if __name__ == "__main__":
    print_rows(rows())
