"""What a decision of the exact policy takes where offloading is partial, over what a binary one takes.

`python benchmarks/partial_time.py` runs the paper's cell with partial offloading at several arrival rates, solves the
frames of each run both ways, a few at a time, and prints the microseconds of a decision, their ratio, and how many
frames kept an open gap.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from quedge.model.cell import cell_of
from quedge.model.scenario import OFFLOADING, Scenario
from quedge.policy.exact import Exact
from quedge.policy.exact.exact import solve_frames
from quedge.simulation.run import simulate

ARRIVAL_RATES = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
SETTLE = 100
AT_A_TIME = 6  # frames; so few are solved undisturbed in some round, however busy the machine
TOLERANCE = 1e-3


def run(frames: int = 500, rounds: int = 25) -> list[dict[str, Any]]:
    """Measure; the fewest microseconds of so many rounds of a few frames, a record for each arrival rate."""
    records = []
    for rate in ARRIVAL_RATES:
        kinds = {kind: Scenario(arrival_rate_mbps=rate, offloading=kind) for kind in OFFLOADING}
        trace = simulate(kinds["partial"], Exact(TOLERANCE), SETTLE + frames, seed=1)
        states = tuple(
            np.ascontiguousarray(each[SETTLE:])
            for each in (trace.channel_gain, trace.data_queue_mbit, trace.energy_queue)
        )
        objective, upper_bound = np.empty(frames), np.empty(frames)
        took = dict.fromkeys(OFFLOADING, 0.0)
        for first in range(0, frames, AT_A_TIME):
            part = slice(first, first + AT_A_TIME)
            for kind, scenario in kinds.items():
                cell, spent = cell_of(scenario), []
                for _ in range(rounds):
                    began = time.perf_counter()
                    solve_frames(cell, *(each[part] for each in states), TOLERANCE, objective[part], upper_bound[part])
                    spent.append(time.perf_counter() - began)
                took[kind] += min(spent) / frames * 1e6
        open_gaps = int(np.sum(upper_bound - objective > TOLERANCE * objective))
        ratio = took["partial"] / took["binary"]
        records.append({"arrival_rate_mbps": rate, **took, "ratio": ratio, "open": open_gaps})
    return records


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=500)
    for record in run(parser.parse_args().frames):
        print({name: round(float(value), 2) for name, value in record.items()})


if __name__ == "__main__":
    main()
