"""What the order of decoding is worth: by gain, as everywhere in quedge, against by weight, both with exact decisions.

    python -m benchmarks.decoding_order --frames 10000 --seeds 5

The chain of problem (17) holds for any order of decoding: only its first device changes, which is decoded last and
meets no interference. So the exact solver decides under both orders, each frame to a relative 1e-3, in the paper's
cell: under the paper's V and ν, and under those of a grid that give the shortest queue within the power budget.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools

import numpy as np

from quedge.model.cell import cell_of
from quedge.model.frame import Frame, PackedFrame, packed_frame, unpacked_frame
from quedge.model.kernels import Floats, kernel
from quedge.model.scenario import Scenario
from quedge.model.terms import empty_terms, fill_device_terms, powers_of_levels
from quedge.model.uplink import advance_queues, rate_weight
from quedge.policy.exact.exact import solve_chain
from quedge.simulation.estimates import estimate
from quedge.simulation.world import World, draw_world

TOLERANCE = 1e-3
V_GRID = (0.0, 2.0, 5.0, 10.0, 15.0, 20.0)
NU_GRID = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 60.0)


@kernel
def run(packed: PackedFrame, channel_gain: Floats, arrival_mbit: Floats, by_weight: bool, queue: Floats) -> Floats:
    """Run a world; fills `queue`, shape (frames, devices), with data queues (Mbit), returns mean powers (W)."""
    frames, n = channel_gain.shape
    data, energy = np.zeros(n), np.zeros(n)
    power_sum = np.zeros(n)
    for t in range(frames):
        frame = unpacked_frame(packed[0], packed[1], channel_gain[t], data, energy)
        key = channel_gain[t].copy()
        if by_weight:
            for i in range(n):
                key[i] = -rate_weight(frame.cell, i, data[i])
        terms = empty_terms(n)
        order = np.argsort(key)  # from the last decoded to the first
        for k in range(n):
            terms.device[k] = order[k]
            fill_device_terms(frame.cell, k, channel_gain[t], data, energy, terms)
        offload, level, _, _ = solve_chain(terms, TOLERANCE)
        _, _, _, rate, power = powers_of_levels(terms, frame, offload, level)
        queue[t] = data
        if t >= frames // 2:
            power_sum += power / (frames - frames // 2)
        advance_queues(frame.cell, data, energy, rate, power, arrival_mbit[t])
    return power_sum


def measured(scenario: Scenario, world: World, by_weight: bool) -> tuple[float, float]:
    """Mean data queue (Mbit) and mean power (W) over the second half of a run."""
    frames, devices = world.channel_gain.shape
    queue = np.empty((frames, devices))
    packed = packed_frame(Frame(cell_of(scenario), world.channel_gain[0], np.zeros(devices), np.zeros(devices)))
    power = run(packed, world.channel_gain, world.arrival_mbit, by_weight, queue)
    return float(queue[frames // 2 :].mean()), float(power.mean())


def tuned(scenario: Scenario, worlds: list[World], by_weight: bool) -> Scenario:
    """The scenario with the V and ν of the grid that keep the budget, to one per mille, with the shortest queue."""
    best, shortest = scenario, np.inf
    for v, nu in itertools.product(V_GRID, NU_GRID):
        tried = dataclasses.replace(scenario, v=v, nu=nu)
        found = np.array([measured(tried, world, by_weight) for world in worlds]).mean(axis=0)
        if found[1] <= 1.001 * scenario.mean_power_budget_w and found[0] < shortest:
            best, shortest = tried, found[0]
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    paper = Scenario(devices=10)
    worlds = [draw_world(paper, arguments.frames, seed) for seed in range(arguments.seeds)]
    print("| V and ν | order | V | ν | queue (Mbit) | power (W) |\n|---|---|---|---|---|---|")
    for name, is_tuned in (("the paper's", False), ("tuned", True)):
        means = []
        for order in (False, True):
            scenario = tuned(paper, worlds[:2], order) if is_tuned else paper
            found = np.array([measured(scenario, world, order) for world in worlds])
            queue, power = estimate(found[:, 0]), estimate(found[:, 1])
            means.append(found[:, 0])
            print(
                f"| {name} | by {'weight' if order else 'gain'} | {scenario.v:g} | {scenario.nu:g} "
                f"| {queue.mean:.2f} ± {queue.high - queue.mean:.2f} | {power.mean:.4f} |",
                flush=True,
            )
        ratio = estimate(means[1] / means[0])
        print(f"| {name} | weight over gain | | | {ratio.mean:.3f} ± {ratio.high - ratio.mean:.3f} | |", flush=True)


if __name__ == "__main__":
    main()
