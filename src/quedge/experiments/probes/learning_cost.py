"""What a policy cost to learn, and what a run of it brings."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import ClassVar

from quedge.experiments.findings import Findings
from quedge.experiments.job import Job
from quedge.experiments.probes.simulation import Simulation
from quedge.experiments.trainer import Trainer
from quedge.policy.policy import Learner


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
        learns = isinstance(job.policy, Learner)
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
