"""A policy of one's own: a device offloads where its uplink, alone, would carry more than its CPU can compute.

`python examples/own_policy.py`, or from this folder `quedge run --policy own_policy:Threshold --policy exact`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import quedge


@dataclass(frozen=True)  # a sweep and the service know a policy by its fields
class Threshold:
    """Offload where the best possible rate beats the CPU by a factor; no search, no learning.

    Attributes:
        factor: by how much the uplink must beat the CPU; others transmit, too, so it should be above 1.
    """

    factor: float = 4.0

    def decide(self, frame: quedge.Frame, rng: np.random.Generator) -> quedge.Decision:
        """See `quedge.Policy.decide`."""
        cell = frame.cell
        sinr = cell.max_transmit_power_w * frame.channel_gain / cell.noise_w
        uplink_mbps = cell.uplink_mbps * np.log2(1.0 + sinr)
        cpu_mbps = cell.max_frequency_hz / cell.cycles_per_mbit
        waiting = frame.data_queue_mbit > cpu_mbps * cell.frame_s  # else the CPU empties the queue by itself
        return quedge.NomaGreedy().allocate(frame, waiting & (uplink_mbps > self.factor * cpu_mbps))


def main() -> None:
    """Compare thresholds with the exact optimum."""
    print("policy        queue (Mbit)  power (W)")
    policies: dict[str, quedge.Policy] = {f"factor {factor:g}": Threshold(factor) for factor in (2.0, 3.0, 4.0, 5.0)}
    for name, policy in {**policies, "exact": quedge.Exact()}.items():
        trace = quedge.simulate(quedge.Scenario(arrival_rate_mbps=2.5), policy, frames=1000)
        print(f"{name:<14}{trace.data_queue_mbit[500:].mean():12.2f}{trace.power_w[500:].mean():11.4f}")


if __name__ == "__main__":
    main()
