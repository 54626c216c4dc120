"""The learning agents against the optimum, baselines without learning and the paper: `python -m benchmarks.lydroo`.

Three seeds each; means over frames 5,000 to 10,000 of 10,000, in the paper's cell unless said.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import time
from collections.abc import Iterable, Iterator
from importlib.resources import as_file, files
from itertools import chain

import numpy as np

from benchmarks.measuring import FRAMES, Row, microseconds, print_rows, settled_run, spread
from quedge import (
    EQUIVARIANT,
    LYDROO_PUBLIC,
    BestPair,
    BestSingle,
    Exact,
    Inputs,
    Learner,
    Lydroo,
    NoisyCopy,
    NoisyOrderPreserving,
    NomaGreedy,
    NomaSca,
    Policy,
    Scenario,
    Tdma,
    simulate,
)
from quedge.model.cell import cell_of
from quedge.model.frame import Frame
from quedge.policy.lydroo import TrainedLydroo
from quedge.simulation.measures import Summary, objective_ratios, summarise
from quedge.simulation.recordings.recording import read_recording

SEEDS = (0, 1, 2)
WINDOW = 200  # frames of the running mean
PAPER_CELL = Scenario()
OTHER_AGENTS = {
    "lydroo-noma": Lydroo(),
    "lydroo-noma, noisy_copy=relaxed": Lydroo(quantiser=NoisyOrderPreserving(copy=NoisyCopy.RELAXED)),
    "lydroo-noma, noisy_copy=logit": Lydroo(quantiser=NoisyOrderPreserving(copy=NoisyCopy.LOGIT)),
    "lydroo-noma, update_every=2, learning_rate=5e-3": Lydroo(update_every=2, learning_rate=5e-3),
    "lydroo-noma, the same with inputs=model": Lydroo(update_every=2, learning_rate=5e-3, inputs=Inputs.MODEL),
    "lydroo-public": LYDROO_PUBLIC,
    "lydroo-public, allocator=greedy, batch=32": dataclasses.replace(LYDROO_PUBLIC, allocator=NomaGreedy(), batch=32),
    "equivariant, inputs=state": dataclasses.replace(EQUIVARIANT, inputs=Inputs.STATE),
    "equivariant, noisy_copy=sigmoid": dataclasses.replace(EQUIVARIANT, quantiser=NoisyOrderPreserving()),
}


def listed(values: Iterable[float], digits: int = 4) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


def summaries(policy: Policy | Learner, scenario: Scenario = PAPER_CELL) -> list[Summary]:
    return [summarise(simulate(scenario, policy, FRAMES, seed)) for seed in SEEDS]


def quality_rows() -> Iterator[Row]:
    pair, single, exact = (summaries(policy) for policy in (BestPair(), BestSingle(), Exact()))
    ours, paper = summaries(EQUIVARIANT), summaries(Lydroo())
    ratio = "objective of each frame / exact optimum of the same state, mean (seeds 0, 1, 2)"
    yield f"equivariant: {ratio}", "0.992", listed(each.objective_ratio for each in ours)
    for name, settings in OTHER_AGENTS.items():
        found = paper if name == "lydroo-noma" else summaries(settings)
        yield (
            f"{name}: of the optimum; queue (Mbit); power (W)", "-",
            f"{listed(each.objective_ratio for each in found)}; {listed((each.data_queue_mbit for each in found), 1)}; "
            f"{listed(each.power_w for each in found)}",
        )  # fmt: skip
    yield f"best-pair, learning-free: {ratio}", "-", listed(summary.objective_ratio for summary in pair)
    yield "the best of all decisions under the greedy critic: of the optimum (seed 0)", "-", f"{greedy_limit():.4f}"
    against = [(each.data_queue_mbit / best.data_queue_mbit) for each, best in zip(ours, exact, strict=True)]
    yield "data queue of equivariant / of exact, same world", "<= 1.15", listed(against, 3)
    yield (
        "data queue (Mbit): equivariant; exact; best-pair; best-single", "below best-single",
        "; ".join(listed((each.data_queue_mbit for each in part), 2) for part in (ours, exact, pair, single)),
    )  # fmt: skip
    yield "power of equivariant (W)", "<= 0.0801", listed(summary.power_w for summary in ours)


def greedy_limit() -> float:
    """What the critic leaves to be reached, mean over every tenth frame of a run of the exact policy."""
    trace = settled_run(PAPER_CELL)
    cell, critic = cell_of(PAPER_CELL), NomaGreedy()
    everyone = np.array(list(itertools.product((False, True), repeat=cell.devices)))
    states = zip(trace.channel_gain, trace.data_queue_mbit, trace.energy_queue, trace.objective, strict=True)
    return float(
        np.mean(
            [
                critic.allocate_best(Frame(cell, *state), everyone).decision.objective / optimum
                for *state, optimum in itertools.islice(states, FRAMES // 2, FRAMES, 10)
            ]
        )
    )


def learning_rows() -> Iterator[Row]:
    for name, settings in (("equivariant", EQUIVARIANT), ("lydroo-noma", Lydroo())):
        reached, candidates, cpu = [], [], []
        simulate(PAPER_CELL, settings, 100)
        for seed in SEEDS:
            start = time.process_time()
            trace = simulate(PAPER_CELL, settings, FRAMES, seed)
            cpu.append(time.process_time() - start)
            running = np.convolve(objective_ratios(trace), np.full(WINDOW, 1.0 / WINDOW), "valid")
            reached.append(int(np.argmax(running >= 0.9)) + WINDOW if (running >= 0.9).any() else -1)
            given = trace.notes["candidates"]
            candidates.append((given[:32].mean(), given[FRAMES // 2 :].mean()))
        yield f"{name}: frames to a running mean ({WINDOW} frames) of 0.9", "-", ", ".join(map(str, reached))
        yield (
            f"{name}: K in the first frames, and mean K of the second half",
            "falls",
            "; ".join(f"{first:.0f} -> {late:.1f}" for first, late in candidates),
        )
        yield f"10,000 frames of {name} with learning, N = 10: CPU time (s)", "<= 2.8", listed(cpu, 2)


def frozen_rows() -> Iterator[Row]:
    policies = [trained(seed) for seed in SEEDS]
    for devices in (5, 20, 35, 100):
        scenario = Scenario(devices=devices)
        ratios = [summarise(simulate(scenario, policy, 4000, 50 + seed)).objective_ratio
                  for seed, policy in enumerate(policies)]  # fmt: skip
        pair = "" if devices > 35 else f"; best-pair {pair_ratio(scenario):.4f}"
        yield f"trained at N = 10, frozen at N = {devices}: of the optimum", "0.985", listed(ratios) + pair
    with as_file(files("quedge") / "data" / "munich_walk.npz") as path:
        walk = read_recording(path).channel
    scenario = Scenario(pqc_power_w=0.02)
    runs = [summarise(simulate(scenario, policy, 5000, 0, channel=walk)) for policy in policies]
    pair_run = summarise(simulate(scenario, BestPair(), 5000, 0, channel=walk))
    yield (
        "the same on the Munich trace (P_q = 0.02 W): of the optimum; queue (Mbit); power (W)", "0.985",
        f"{listed(each.objective_ratio for each in runs)}; {listed((each.data_queue_mbit for each in runs), 2)}; "
        f"{listed(each.power_w for each in runs)}; best-pair {pair_run.objective_ratio:.4f}, "
        f"{pair_run.data_queue_mbit:.2f}, {pair_run.power_w:.4f}",
    )  # fmt: skip


def trained(seed: int) -> TrainedLydroo:
    """What an agent has learned in the paper's cell."""
    agent = EQUIVARIANT.new_agent(PAPER_CELL.devices, np.random.default_rng(seed))
    simulate(PAPER_CELL, agent, FRAMES, seed)
    return agent.trained()


def pair_ratio(scenario: Scenario) -> float:
    return summarise(simulate(scenario, BestPair(), 1000, 50)).objective_ratio


def decision_rows() -> Iterator[Row]:
    policy, rng = trained(0), np.random.default_rng(0)
    trace = simulate(PAPER_CELL, policy, 4000, seed=9)
    cell = cell_of(PAPER_CELL)
    frames = [
        Frame(cell, trace.channel_gain[t], trace.data_queue_mbit[t], trace.energy_queue[t]) for t in range(2000, 4000)
    ]
    agent = policy.new_agent(10, rng)
    times = microseconds(lambda i: agent.decide(frames[i], rng), len(frames))
    yield "one decision without learning, N = 10, `decide` from Python (us)", "80 / 250", spread(times)


def other_critic_rows() -> Iterator[Row]:
    for name, allocator, target in (("lydroo-sca", NomaSca(), "<= 60"), ("lydroo-tdma", Tdma(), "-")):
        simulate(PAPER_CELL, Lydroo(allocator=allocator), 100)
        start = time.process_time()
        found = summarise(simulate(PAPER_CELL, Lydroo(allocator=allocator), FRAMES, 0))
        cpu = time.process_time() - start
        yield (
            f"10,000 frames of {name}, N = 10: CPU time (s)", target,
            f"{cpu:.1f}; of the optimum {found.objective_ratio:.4f}, queue {found.data_queue_mbit:.2f} Mbit, "
            f"{found.power_w:.4f} W",
        )  # fmt: skip


def paper_rows() -> Iterator[Row]:
    """Tables III and IV."""
    folder = files("quedge") / "data" / "paper"
    for table, key, name in (("III", "nu", "table3_nu.csv"), ("IV", "v", "table4_v.csv")):
        for line in csv.DictReader((folder / name).read_text().splitlines()):
            scenario = dataclasses.replace(PAPER_CELL, **{key: float(line[key])})
            paper_queue, paper_power = float(line["data_queue_mbit"]), float(line["power_w"])
            parts = []
            for label, policy in (("lydroo-noma", Lydroo()), ("equivariant", EQUIVARIANT), ("exact", Exact())):
                runs = [summarise(simulate(scenario, policy))] if label == "exact" else summaries(policy, scenario)
                queues, powers = ([getattr(run, field) for run in runs] for field in ("data_queue_mbit", "power_w"))
                parts.append(f"{label} {listed(queues, 1)}, {listed(powers)}")
            yield (
                f"Table {table}, {key} = {line[key]}: queue (Mbit), power (W); agents: 3 seeds, exact: seed 0",
                f"queue <= {paper_queue:.1f}"
                if paper_power <= 0.08
                else f"- (paper: {paper_queue:.1f}, {paper_power} W)",
                "; ".join(parts),
            )


def rows() -> Iterator[Row]:
    return chain(quality_rows(), learning_rows(), frozen_rows(), decision_rows(), other_critic_rows())


if __name__ == "__main__":
    print_rows(chain(rows(), paper_rows()))
