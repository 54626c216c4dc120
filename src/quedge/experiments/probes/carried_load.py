"""The load that a policy carries when it is offered more than can be carried, beside the bound for every policy."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

from quedge.experiments.job import AccessBound, Findings, Job
from quedge.region.capacity import Capacity, capacity
from quedge.region.sampling import Precision
from quedge.simulation.processes import ChannelProcess, Recorded
from quedge.simulation.trace import Trace
from quedge.simulation.world import draw_world

_CHANCE = 0.05  # relative deviation of a single channel's bound, roughly


@dataclass(frozen=True)
class CarriedLoad:
    """The load that a policy carries, and its share of the capacity.

    The channel of the run's second half is bounded first, as a recording: no policy carries more than a multiple θ of
    the arrival rates λ on just these frames, by prices q of data and y of energy. Then the policy runs on the channel
    with a little more than θ λ. What it carries is valued at the same prices,

        Σ q r + Σ y (γ − e),

    with its mean rates r and powers e over the second half: power above the budget is charged, and power that is left
    counts for what it could carry. This is at most θ, whatever the policy does, and has no bias towards short runs: the
    offered load and its fluctuations do not enter.

    It finds, as mean rates per device, `carried_mbps` and the bound `capacity_mbps`, and `capacity_share`, their ratio.
    Of an `AccessBound` it finds the bounds themselves, on channels of its own, the lower one as what is carried.

    Attributes:
        overload: by how much more than the bound is offered, relative to it.
        tolerance: of the bounds, see `region.capacity`.
        samples: most channels for an `AccessBound`, else as many as the job has frames.
    """

    exclusive: ClassVar[bool] = False

    overload: float = 0.05
    tolerance: float = 1e-3
    samples: int = 4_000

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        if isinstance(job.policy, AccessBound):
            precision = job_precision(job.channel, job.frames, self.samples, self.tolerance, job.seed)
            found = capacity(job.scenario, channel=job.channel, access=job.policy.access, precision=precision)
            return _findings(found.lower.value, found)
        world = draw_world(job.scenario, job.frames, job.seed, job.channel, job.arrivals)
        half = job.frames // 2
        recording = Recorded(world.channel_gain[half:])
        precision = job_precision(recording, half, half, self.tolerance)
        found = capacity(job.scenario, channel=recording, precision=precision)
        offered = (1.0 + self.overload) * found.upper.value * job.scenario.per_device("arrival_rate_mbps")
        overloaded = dataclasses.replace(job.scenario, arrival_rate_mbps=tuple(offered))
        return _findings(carried(dataclasses.replace(job, scenario=overloaded).simulate(), half, found), found)


def job_precision(channel: ChannelProcess, frames: int, most: int, tolerance: float, seed: int = 0) -> Precision:
    """How precisely a job's capacity is found: on as many channels as it has frames, within bounds.

    On few channels chance moves the bounds by more than a fine tolerance would bring. Of a recording all frames count.
    """
    samples = max(min(frames, most), 2)
    drawn = None if isinstance(channel, Recorded) else samples
    return Precision(max(tolerance, _CHANCE / math.sqrt(samples)), drawn, seed)


def carried(trace: Trace, first_frame: int, bound: Capacity) -> float:
    """What a run carries from a frame on, at the prices of a bound: a multiple of the bound's direction."""
    rate = trace.rate_mbps[first_frame:].mean(axis=0)
    unspent = trace.scenario.per_device("power_budget_w") - trace.power_w[first_frame:].mean(axis=0)
    return float(bound.rate_price @ rate + bound.power_price @ unspent)


def _findings(factor: float, bound: Capacity) -> Findings:
    upper = bound.upper.value
    return {
        "carried_mbps": factor * bound.mean_rate_mbps,
        "capacity_mbps": upper * bound.mean_rate_mbps,
        "capacity_share": factor / upper,
    }
