"""The exact policy where offloading is partial, against a search over all decisions and their levels.

`python benchmarks/exact_partial_vs_search.py` draws the frames of `exact_vs_enumeration.py`, of 1 to 5 devices, lets
every offloader compute in the same frame, too, and compares objective and upper bound with what many climbs find of all
2^N decisions (`tests/partial_oracle.py`); then the same with security that is derived from algorithms. Exit status 1 if
a frame misses its stated gap, a bound lies below what was found, or the binary optimum exceeds the partial one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.exact_vs_enumeration import random_frame
from quedge.model.frame import Status
from quedge.policy.exact import Exact
from tests.partial_oracle import search

MOST_DEVICES = 5
ROUNDING = 1e-9


def run(frames: int = 200, seed: int = 0) -> list[dict[str, Any]]:
    """Compare; the worst values are over all frames.

    Returns:
        Without and with bits priced, a record: `frames`; how many of them are `within_gap`, `bound_valid`, `solved`
        (status ok) and `above_binary`; `worst_loss` and `best_loss` (1 − objective / found).
    """
    found = []
    for secured in (False, True):
        rng = np.random.default_rng(seed)
        losses, counts = [], np.zeros(4, np.int64)
        for t in range(frames):
            binary = random_frame(1 + t % MOST_DEVICES, rng, secured)
            frame = binary._replace(cell=binary.cell._replace(is_partial=1.0))
            best = search(frame, rng).objective
            decision, one = Exact(1e-4).decide(frame, rng), Exact(1e-4).decide(binary, rng)
            assert decision.upper_bound is not None
            allowed = ROUNDING * abs(best) + ROUNDING
            counts += (
                best <= decision.upper_bound + allowed and decision.objective <= decision.upper_bound + allowed,
                decision.upper_bound >= best - allowed,
                decision.status == Status.OK,
                decision.upper_bound >= one.objective - allowed,
            )
            losses.append(1.0 - decision.objective / best if best > 0.0 else 0.0)
        names = ("within_gap", "bound_valid", "solved", "above_binary")
        found.append(
            {"secured": secured, "frames": frames, "worst_loss": max(losses), "best_loss": min(losses)}
            | {name: int(count) for name, count in zip(names, counts, strict=True)}
        )
    return found


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    records = run(chosen.frames, chosen.seed)
    for record in records:
        print(record)
    fine = all(
        record[name] == record["frames"] for record in records for name in ("within_gap", "bound_valid", "above_binary")
    )
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
