"""Simulate a cell and measure the run: as a whole, over time, for a search, and with what a policy cost to learn."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.job import Findings, Job, Series, Trainer
from quedge.experiments.probes.drift import drift_of, means_of_stretches
from quedge.model.frame import Status
from quedge.policy.policy import is_learner
from quedge.simulation.measures import delay_percentile, first_settled_frame, frame_optima, objective_ratios, summarise
from quedge.simulation.trace import Trace

QUEUES = ("data_queue_mbit", "energy_queue")
"""Measures that may have settled or not."""


@dataclass(frozen=True)
class Simulation:
    """Measures of one run.

    It finds every field of `Summary`; the quartiles of the times of decisions, `decision_us_p25` and `decision_us_p75`;
    the number of frames in which a solver failed, `fallbacks`; means over consecutive stretches of frames, named
    `..._over_time`, of the queues, the power, the reward (objective (17)), the weighted rate, the offloading ratio and
    the objective over its optimum, at the last frame of each stretch; and of both queues `..._drift` and
    `..._drift_margin`, see `Drift`, over the frames that the means are of, unless these are too few.

    Attributes:
        warmup: share of the frames that means leave out at the start.
        points: number of stretches.
    """

    alone: ClassVar[bool] = False

    warmup: float = 0.5
    points: int = 100

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        return self.measured(job.simulate())

    def measured(self, trace: Trace) -> Findings:
        """What is found in a run."""
        optimum = frame_optima(trace)
        summary = dataclasses.asdict(summarise(trace, self.warmup, optimum))
        courses = over_time(trace) | {"objective_ratio": objective_ratios(trace, optimum)}
        settled = first_settled_frame(trace.frames, self.warmup)
        found: dict[str, float | Series] = {name: float(value) for name, value in summary.items()}
        found["fallbacks"] = float(trace.status.count(Status.FALLBACK))
        for quartile in (25, 75):
            found[f"decision_us_p{quartile}"] = float(np.percentile(trace.decision_us[settled:], quartile))
        for queue in QUEUES:
            drift = drift_of(courses[queue][settled:])
            if drift is not None:
                found[f"{queue}_drift"], found[f"{queue}_drift_margin"] = drift
        return found | {f"{name}_over_time": means_of_stretches(each, self.points) for name, each in courses.items()}


def over_time(trace: Trace) -> dict[str, NDArray[np.float64]]:
    """What a run is watched by, frame by frame; means over the devices, but for reward and rate."""
    return {
        "data_queue_mbit": trace.data_queue_mbit.mean(axis=1),
        "energy_queue": trace.energy_queue.mean(axis=1),
        "power_w": trace.power_w.mean(axis=1),
        "reward": trace.objective,
        "weighted_rate_mbps": trace.rate_mbps @ trace.scenario.per_device("weight"),
        "offload_ratio": trace.offload.mean(axis=1),
    }


@dataclass(frozen=True)
class QueueAndPower:
    """Queue, delay and power of one run, without the optimum beside it: a fraction of the time of `Simulation`.

    It finds `data_queue_mbit`, `delay_p95_frames`, `power_w` and `power_max_device_w`, as `Summary` has them.

    Attributes:
        warmup: share of the frames that means leave out at the start.
    """

    alone: ClassVar[bool] = False

    warmup: float = 0.5

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        trace = job.simulate()
        settled = first_settled_frame(job.frames, self.warmup)
        return {
            "data_queue_mbit": float(trace.data_queue_mbit[settled:].mean()),
            "delay_p95_frames": delay_percentile(trace, 95.0, settled),
            "power_w": float(trace.power_w[settled:].mean()),
            "power_max_device_w": float(trace.power_w[settled:].mean(axis=0).max()),
        }


@dataclass(frozen=True)
class LearningCost:
    """Measures of one run, and what was learned from.

    What is trained is trained first, in worlds of its own, and then learns no more; a learner learns as it decides. It
    finds what `Simulation` finds, and

    - `experience_frames`: frames of experience;
    - `learning_cpu_s`: processor time of the training (s); of a learner, that of the whole run, its decisions included.

    Both are 0 where nothing is learned.

    Attributes:
        simulation: how the run is measured.
    """

    alone: ClassVar[bool] = False

    simulation: Simulation = Simulation()

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        experience, cpu_s = 0, 0.0
        if isinstance(job.policy, Trainer):
            policy, experience, cpu_s = job.policy.train(job.scenario, job.frames, job.seed, job.channel, job.arrivals)
            job = dataclasses.replace(job, policy=policy)
        learns = is_learner(job.policy)
        if learns:
            dataclasses.replace(job, frames=2).simulate()  # compiles, which is no part of the learning
        began = time.process_time()
        trace = job.simulate()
        if learns:
            experience, cpu_s = job.frames, time.process_time() - began
        return {
            **self.simulation.measured(trace),
            "experience_frames": float(experience),
            "learning_cpu_s": cpu_s,
        }
