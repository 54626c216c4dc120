"""A power allocator of one's own: all offloaders transmit with the same share of their highest power.

`python examples/own_allocator.py`. It learns with the allocator as its critic: `quedge.Lydroo(allocator=EqualPower())`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import quedge
from quedge.model.uplink import predicted_outcome


@dataclass(frozen=True)
class EqualPower:
    """The best of a few common shares of the highest power; CPU frequencies as the greedy allocation has them.

    Attributes:
        shares: the shares that are tried.
    """

    shares: tuple[float, ...] = (0.05, 0.2, 0.5, 1.0)

    def allocate(self, frame: quedge.Frame, offload: np.ndarray) -> quedge.Decision:
        """See `quedge.Allocator.allocate`."""
        greedy = quedge.NomaGreedy().allocate(frame, offload)  # its frequencies do not depend on its powers
        return max((self._at(share, frame, greedy) for share in self.shares), key=lambda decision: decision.objective)

    def _at(self, share: float, frame: quedge.Frame, greedy: quedge.Decision) -> quedge.Decision:
        """What a share of the highest power brings, by eqs. (1)-(6) and (17)."""
        transmit = np.where(greedy.offload, share * frame.cell.max_transmit_power_w, 0.0)
        allocation = greedy.allocation._replace(transmit_power_w=transmit)
        return quedge.Decision(*allocation[:3], *predicted_outcome(frame, allocation))


def main() -> None:
    """Let the same agent learn with either allocator as its critic."""
    print("critic       objective  queue (Mbit)  power (W)")
    for name, critic in {"equal power": EqualPower(), "greedy": quedge.NomaGreedy()}.items():
        trace = quedge.simulate(quedge.Scenario(), quedge.Lydroo(allocator=critic), frames=1000)
        means = [values[500:].mean() for values in (trace.objective, trace.data_queue_mbit, trace.power_w)]
        print(f"{name:<12}{means[0]:10.0f}{means[1]:14.2f}{means[2]:11.4f}")


if __name__ == "__main__":
    main()
