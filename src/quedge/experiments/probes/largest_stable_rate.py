"""The largest arrival rate under which a policy keeps its queues stable, by bisection."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quedge.experiments.findings import Findings
from quedge.experiments.job import Job
from quedge.simulation.trace import Trace

_MOST = 2.0**10  # the search goes no farther than this multiple of the job's rates, or its inverse


@dataclass(frozen=True)
class LargestStableRate:
    """Bisection on the arrival rate, all devices' rates in proportion.

    A run counts as stable if over its second half the mean data queue grows by no more than `growth` of what arrives
    (least squares), and the mean power exceeds its budget by no more than `growth`. A cell that is a little overloaded
    needs longer than any run to show it, so the rate is that of runs of the job's length.

    It finds `largest_stable_rate_mbps`, mean rate a device: the middle between the largest rate found stable and the
    smallest found unstable; and both of these, `stable_rate_mbps` and `unstable_rate_mbps`.

    Attributes:
        growth: share of the arrivals, and of the power budget.
        resolution: stop when the two rates are this close, relative to the larger one.
    """

    alone: ClassVar[bool] = False

    growth: float = 0.01
    resolution: float = 0.005

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        rate = float(job.scenario.per_device("arrival_rate_mbps").mean())
        if rate <= 0.0:
            raise ValueError("arrival_rate_mbps: 0 is not allowed; there must be arrivals to vary")
        low, high = self._bracket(job)
        while low > 0.0 and high - low > self.resolution * high:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self._stable(job, middle) else (low, middle)
        return {
            "largest_stable_rate_mbps": 0.5 * (low + high) * rate,
            "stable_rate_mbps": low * rate,
            "unstable_rate_mbps": high * rate,
        }

    def _bracket(self, job: Job) -> tuple[float, float]:
        """Multiples of the job's rates of which the first is stable and the second is not; 0 where none is stable."""
        if self._stable(job, 1.0):
            low, high = 1.0, 2.0
            while self._stable(job, high):
                low, high = high, 2.0 * high
                if high > _MOST:
                    raise ValueError(
                        "arrival_rate_mbps: a thousandfold rate is still stable: the run is too short to tell, or its "
                        "arrivals do not depend on the rate"
                    )
        else:
            low, high = 0.5, 1.0
            while low > 1.0 / _MOST and not self._stable(job, low):
                low, high = 0.5 * low, low
        return (low, high) if low > 1.0 / _MOST else (0.0, high)

    def _stable(self, job: Job, factor: float) -> bool:
        rates = tuple(factor * job.scenario.per_device("arrival_rate_mbps"))
        scenario = dataclasses.replace(job.scenario, arrival_rate_mbps=rates)
        trace = dataclasses.replace(job, scenario=scenario).simulate()
        budget = float(scenario.per_device("power_budget_w").mean())
        half = slice(trace.frames // 2, None)
        power = float(trace.power_w[half].mean())
        return growth_of_queues(trace) <= self.growth and power <= (1.0 + self.growth) * budget


def growth_of_queues(trace: Trace) -> float:
    """By which share of the mean arrivals the mean data queue grows a frame, over the second half of a run."""
    half = slice(trace.frames // 2, None)
    queue = trace.data_queue_mbit[half].mean(axis=1)
    frame = np.arange(queue.size) - (queue.size - 1) / 2.0
    spread = float(frame @ frame)
    slope = float(frame @ queue) / spread if spread > 0.0 else 0.0
    return slope / float(trace.arrival_mbit.mean())
