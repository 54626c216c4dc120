"""Arrivals of one's own: bursts. A device is silent or busy for several frames, at the scenario's mean rate.

`python examples/own_arrivals.py`, or from this folder `quedge run --arrivals own_arrivals:OnOff`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import quedge


@dataclass(frozen=True)
class OnOff:
    """Data comes in bursts of geometric length, each device for itself.

    Attributes:
        busy_share: share of the frames in which data comes.
        burst_frames: mean length of a burst (frames).
    """

    busy_share: float = 0.25
    burst_frames: float = 8.0

    def sample(self, scenario: quedge.Scenario, frames: int, rng: np.random.Generator) -> np.ndarray:
        """See `quedge.ArrivalProcess.sample`."""
        ends = 1.0 / self.burst_frames
        begins = ends * self.busy_share / (1.0 - self.busy_share)
        busy = np.empty((frames, scenario.devices), dtype=bool)
        busy[0] = rng.random(scenario.devices) < self.busy_share
        for t in range(1, frames):
            busy[t] = rng.random(scenario.devices) < np.where(busy[t - 1], 1.0 - ends, begins)
        mean_mbit = scenario.per_device("arrival_rate_mbps") * scenario.frame_s
        return busy * mean_mbit / self.busy_share


def main() -> None:
    """What bursts cost at the same mean rate."""
    print("arrivals      mean (Mbit)  queue (Mbit)  power (W)")
    scenario = quedge.Scenario(arrival_rate_mbps=2.5)
    for name, arrivals in {"exponential": quedge.ExponentialArrivals(), "bursts": OnOff()}.items():
        trace = quedge.simulate(scenario, quedge.Exact(), frames=2000, arrivals=arrivals)
        means = [values[500:].mean() for values in (trace.arrival_mbit, trace.data_queue_mbit, trace.power_w)]
        print(f"{name:<12}{means[0]:13.2f}{means[1]:14.2f}{means[2]:11.4f}")


if __name__ == "__main__":
    main()
