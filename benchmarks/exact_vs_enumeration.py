"""The exact policy against enumeration of all 2^N decisions, each with its best powers.

`python benchmarks/exact_vs_enumeration.py` draws random frames of 1 to 6 devices, solves each by the exact policy at
two tolerances and by the independent oracle of the tests, and prints the worst of what it finds; then the same with
security that is derived from algorithms, so that each bit has its price, key exchange takes its share of the uplink and
the PQC module may be too slow. Exit status 1 if any frame misses its stated gap or any upper bound lies below the
enumerated optimum.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from quedge.model.cell import cell_of
from quedge.model.frame import Frame, Status
from quedge.model.scenario import Scenario
from quedge.policy.exact import Exact
from quedge.simulation.processes import RicianFading
from tests import oracle

TOLERANCES = (1e-3, 1e-6)
MOST_DEVICES = 6
ROUNDING = 1e-9  # relative; of the oracle's and the policy's sums


def random_frame(devices: int, rng: np.random.Generator, secured: bool = False) -> Frame:
    """A frame of the paper's cell: faded gains, exponential queues, now and then empty ones or a circuit power.

    With `secured`, each bit has an energy price, from a hundredth to three times what software AES takes on an M4.
    """
    distance = np.sort(rng.uniform(120.0, 255.0, devices))
    pqc_power_w = rng.uniform(0.02, 0.1, devices) * (rng.random() < 0.4)
    keys: dict[str, Any] = {}
    if secured:
        keys = {
            "pqc_energy_j_per_bit": 32.4e-9 * 10.0 ** rng.uniform(-2.0, 0.5, devices),
            "pqc_overhead_bits": 10.0 ** rng.uniform(2.0, 5.0, devices),
            "pqc_max_rate_mbps": 10.0 ** rng.uniform(0.0, 2.0, devices),
            "payload_factor": 0.9987,
        }
    scenario = Scenario(devices=devices, distance_m=distance, pqc_power_w=pqc_power_w, **keys)
    data_queue = rng.exponential(8.0, devices) * (rng.random(devices) < 0.92)
    energy_queue = rng.exponential(6.0, devices) * (rng.random(devices) < 0.85)
    return Frame(cell_of(scenario), RicianFading().sample(scenario, 1, rng)[0], data_queue, energy_queue)


def run(frames: int = 200, seed: int = 0) -> dict[str, Any]:
    """Compare; the worst values are over all frames.

    Returns:
        For each tolerance, and each with bits priced, a record: `frames`; how many of them are `within_gap`,
        `bound_valid` and `solved` (status ok); `worst_loss` and `best_loss` (1 − objective / optimum);
        `worst_bound_slack` and `least_bound_slack` (bound / optimum − 1).
    """
    results = {}
    for secured in (False, True):
        rng = np.random.default_rng(seed)
        cases = [random_frame(1 + t % MOST_DEVICES, rng, secured) for t in range(frames)]
        optima = [oracle.enumeration(frame).objective for frame in cases]
        for tolerance in TOLERANCES:
            name = f"{tolerance:g}{', bits priced' if secured else ''}"
            results[name] = _compared(cases, optima, tolerance)
    return results


def _compared(cases: list[Frame], optima: list[float], tolerance: float) -> dict[str, Any]:
    policy, rng = Exact(tolerance=tolerance), np.random.default_rng(0)
    loss, slack = np.zeros(len(cases)), np.zeros(len(cases))
    solved = 0
    for t, (frame, optimum) in enumerate(zip(cases, optima, strict=True)):
        decision = policy.decide(frame, rng)
        assert decision.upper_bound is not None
        size = max(abs(optimum), 1e-12)  # all queues empty: the optimum is zero
        charged = oracle.evaluate(frame, decision.offload, decision.transmit_power_w, decision.cpu_frequency_hz)
        loss[t] = (optimum - charged.objective) / size
        slack[t] = (decision.upper_bound - optimum) / size
        solved += decision.status == Status.OK
    return {
        "frames": len(cases),
        "within_gap": int((loss <= tolerance + ROUNDING).sum()),
        "bound_valid": int((slack >= -ROUNDING).sum()),
        "solved": solved,
        "worst_loss": float(loss.max()),
        "best_loss": float(loss.min()),
        "worst_bound_slack": float(slack.max()),
        "least_bound_slack": float(slack.min()),
    }


def main() -> int:
    """Print one row a tolerance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    results = run(**vars(parser.parse_args()))
    print("| tolerance | frames | within gap | bound valid | status ok | worst loss | bound slack, least to worst |")
    print("|---|---|---|---|---|---|---|")
    for tolerance, row in results.items():
        print(
            f"| {tolerance} | {row['frames']} | {row['within_gap']} | {row['bound_valid']} | {row['solved']} "
            f"| {row['worst_loss']:.1e} | {row['least_bound_slack']:.1e} to {row['worst_bound_slack']:.1e} |"
        )
    return int(any(row["frames"] > min(row["within_gap"], row["bound_valid"]) for row in results.values()))


if __name__ == "__main__":
    sys.exit(main())
