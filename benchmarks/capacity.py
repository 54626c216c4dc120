"""Whether any policy carries more than `quedge.capacity` says: each at 1.01 times the upper bound, for long.

A run's queue grows where the least-squares slope of its mean over the last half is above 0 with its 95 % interval.

    python -m benchmarks.capacity [--frames 100000] [--policy NAME ...]
"""

from __future__ import annotations

import argparse
import dataclasses
import time

import quedge
from quedge.experiments.statistics import drift_of
from quedge.policy.registry import SCHEMES

_BEYOND = 1.01
_SLOW = {"lydroo-sca": 10}  # runs for so many times fewer frames


def main() -> None:
    """Run every policy, and print how its queue grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--policy", action="append")
    given = parser.parse_args()
    scenario = quedge.Scenario()
    began = time.perf_counter()
    bound = quedge.capacity(scenario)
    rate = bound.mean_rate_mbps
    print(
        f"capacity: {bound.upper.value * rate:.4f} ± {bound.upper.ci95 * rate:.4f} Mbit/s at most, "
        f"{bound.lower.value * rate:.4f} at least, gap {bound.gap:.2%}, {time.perf_counter() - began:.1f} s"
    )
    overloaded = dataclasses.replace(scenario, arrival_rate_mbps=_BEYOND * bound.upper.value * rate)
    for scheme in SCHEMES:
        if given.policy and scheme.name not in given.policy:
            continue
        frames = given.frames // _SLOW.get(scheme.name, 1)
        trace = quedge.simulate(overloaded, scheme.policy, frames=frames)
        drift = drift_of(trace.data_queue_mbit.mean(axis=1)[frames // 2 :])
        if drift is None:
            raise SystemExit(f"--frames: {given.frames} is too few to tell whether a queue grows")
        grows = drift[0] > drift[1]
        queue = trace.data_queue_mbit[-1].mean()
        print(
            f"{scheme.name:16} {'grows' if grows else 'DOES NOT GROW'}, {frames:,} frames, last queue {queue:,.0f} Mbit"
        )


if __name__ == "__main__":
    main()
