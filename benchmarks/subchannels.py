"""The policy with sub-channels: its stated gap and its time over frames of a run, and what the rules lose.

`python -m benchmarks.subchannels` runs cells of 20 devices with five sub-channels and groups of up to four at several
loads, takes the second half of the frames, and asks every policy for each of them. Times are processor time of this
thread, the shortest of three calls. Exit status 1 if a rule exceeds the policy, or the policy its bound.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np

from quedge.model.cell import cell_of
from quedge.model.frame import Frame
from quedge.model.scenario import Scenario
from quedge.policy.subchannels import ExactGroups, Ofdma, RoundRobin, StrongWeak
from quedge.simulation.run import simulate

CELL: dict[str, Any] = {"devices": 20, "bandwidth_hz": 4e6, "subchannels": 5, "group_size_max": 4}
CASES: dict[str, dict[str, Any]] = {
    "λ = 2.5": {"arrival_rate_mbps": 2.5},
    "λ = 3": {},
    "λ = 3.5, overloaded": {"arrival_rate_mbps": 3.5},
    "λ = 3, 0.2 W": {"power_budget_w": 0.2},
    "λ = 3, selective": {"frequency_selective": True},
    "λ = 3, groups of 2": {"group_size_max": 2},
    "λ = 3, no limit": {"group_size_max": 20},
    "λ = 3, K = 2": {"subchannels": 2},
    "N = 100, K = 25": {"devices": 100, "bandwidth_hz": 20e6, "subchannels": 25},
}
RULES = {"strong-weak": StrongWeak(), "round-robin": RoundRobin(), "ofdma": Ofdma()}
ROUNDING = 1e-12  # relative


def run(frames: int = 500, seed: int = 0) -> dict[str, dict[str, float]]:
    """Measure each case in so many frames.

    Returns:
        For each case: `mean_gap` and `worst_gap`, upper bound / objective − 1; `open`, the share of frames whose gap is
        above the tolerance; `us_p50`, `us_p99` and `us_max` of the policy's time; `offloaders` and `largest_group`,
        means of a frame; of each rule the mean objective over the policy's and the highest, `NAME_highest`.
    """
    return {name: _measured(Scenario(**(CELL | keys)), frames, seed) for name, keys in CASES.items()}


def _measured(scenario: Scenario, frames: int, seed: int) -> dict[str, float]:
    policy, rng, cell = ExactGroups(), np.random.default_rng(0), cell_of(scenario)
    trace = simulate(scenario, policy, 2 * frames, seed)
    gap, spent, offloaders, largest = np.empty((4, frames))
    ratios = {name: np.empty(frames) for name in RULES}
    for t in range(frames):
        state = trace.channel_gain, trace.data_queue_mbit, trace.energy_queue
        frame = Frame(cell, *(values[frames + t] for values in state))
        took = []
        for _ in range(3):
            began = time.thread_time()
            decision = policy.decide(frame, rng)
            took.append(time.thread_time() - began)
        assert decision.upper_bound is not None
        assert decision.subchannel is not None
        gap[t], spent[t] = decision.upper_bound / decision.objective - 1.0, min(took)
        offloaders[t] = decision.offload.sum()
        largest[t] = np.bincount(decision.subchannel + 1, minlength=2)[1:].max()
        for name, rule in RULES.items():
            ratios[name][t] = rule.decide(frame, rng).objective / decision.objective
    return {
        "mean_gap": gap.mean(), "worst_gap": gap.max(), "least_gap": gap.min(),
        "open": float((gap > policy.tolerance).mean()),
        "us_p50": 1e6 * np.percentile(spent, 50), "us_p99": 1e6 * np.percentile(spent, 99), "us_max": 1e6 * spent.max(),
        "offloaders": offloaders.mean(), "largest_group": largest.mean(),
        **{name: ratio.mean() for name, ratio in ratios.items()},
        **{f"{name}_highest": ratio.max() for name, ratio in ratios.items()},
    }  # fmt: skip


def is_right(found: dict[str, dict[str, float]]) -> bool:
    """Whether no rule exceeds the policy, and the policy not its bound."""
    highest = max(each[f"{name}_highest"] for each in found.values() for name in RULES)
    return highest <= 1.0 + ROUNDING and min(each["least_gap"] for each in found.values()) >= 0.0


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = run(arguments.frames, arguments.seed)
    print(f"| case | offloaders | largest group | gap, mean | worst | open | µs, median | 99 % | {' | '.join(RULES)} |")
    print("|---|" + "---|" * (7 + len(RULES)))
    for name, each in found.items():
        rules = " | ".join(f"{each[rule]:.3f}" for rule in RULES)
        print(
            f"| {name} | {each['offloaders']:.1f} | {each['largest_group']:.1f} | {each['mean_gap']:.2%} | "
            f"{each['worst_gap']:.2%} | {each['open']:.1%} | {each['us_p50']:,.0f} | {each['us_p99']:,.0f} | {rules} |"
        )
    if not is_right(found):
        sys.exit("a rule exceeds the policy, or the policy its bound")


if __name__ == "__main__":
    main()
