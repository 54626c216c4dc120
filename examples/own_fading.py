"""A fading process of one's own: two states, good and blocked, that last (Gilbert and Elliott).

`python examples/own_fading.py`, or from this folder `quedge run --channel own_fading:GilbertElliott`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import quedge


@dataclass(frozen=True)
class GilbertElliott:
    """Rician fading that an obstacle now and then weakens, for several frames in a row, each device for itself.

    Attributes:
        block: chance that a good channel is blocked in the next frame.
        clear: chance that a blocked one is good in the next frame.
        loss_db: what the obstacle takes (dB).
    """

    block: float = 0.05
    clear: float = 0.2
    loss_db: float = 20.0

    def sample(self, scenario: quedge.Scenario, frames: int, rng: np.random.Generator) -> np.ndarray:
        """See `quedge.ChannelProcess.sample`."""
        blocked = np.zeros((frames, scenario.devices), dtype=bool)
        for t in range(1, frames):
            chance = np.where(blocked[t - 1], 1.0 - self.clear, self.block)
            blocked[t] = rng.random(scenario.devices) < chance
        clear_gain = quedge.RicianFading().sample(scenario, frames, rng)
        return np.where(blocked, clear_gain * 10.0 ** (-self.loss_db / 10.0), clear_gain)


def main() -> None:
    """What blocking costs, and how often devices offload in it."""
    print("channel   offloading ratio  queue (Mbit)  power (W)")
    for name, channel in {"Rician": quedge.RicianFading(), "blocked": GilbertElliott()}.items():
        trace = quedge.simulate(quedge.Scenario(arrival_rate_mbps=2.5), quedge.Exact(), frames=1000, channel=channel)
        means = [values[500:].mean() for values in (trace.offload, trace.data_queue_mbit, trace.power_w)]
        print(f"{name:<10}{means[0]:16.3f}{means[1]:14.2f}{means[2]:11.4f}")


if __name__ == "__main__":
    main()
