"""All measures of a run, the cost of learning, and the load that the policy carries."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import ClassVar

from quedge.experiments.job import Findings, Job, PolicyTrainer
from quedge.experiments.probes.carried_load import CarriedLoad
from quedge.experiments.probes.simulation import Simulation
from quedge.policy.policy import is_learner


@dataclass(frozen=True)
class LearningCost:
    """All measures of one run, and the cost of learning.

    A `PolicyTrainer` trains first, in worlds of its own, and its policy learns no more; a learner learns during the
    run. It finds what `Simulation` finds, and

    - `experience_frames`: frames of experience;
    - `learning_cpu_s`: processor time of the training (s); of a learner, of the whole run, decisions included.

    Both are 0 for policies that do not learn.

    Attributes:
        simulation: measures the run.
        carried: finds the load that the policy carries, of a training what it trained, of a learner a fresh agent;
            None where that is not asked for.
    """

    exclusive: ClassVar[bool] = False

    simulation: Simulation = Simulation()
    carried: CarriedLoad | None = None

    def measure(self, job: Job) -> Findings:
        """See `Probe.measure`."""
        experience, cpu_s = 0, 0.0
        if isinstance(job.policy, PolicyTrainer):
            policy, experience, cpu_s = job.policy.train(job.scenario, job.frames, job.seed, job.channel, job.arrivals)
            job = dataclasses.replace(job, policy=policy)
        learns = is_learner(job.policy) and getattr(job.policy, "learns", True)
        if learns:
            dataclasses.replace(job, frames=2).simulate()  # compiles, which is no part of the learning
        began = time.process_time()
        trace = job.simulate()
        if learns:
            experience, cpu_s = job.frames, time.process_time() - began
        cost = {"experience_frames": float(experience), "learning_cpu_s": cpu_s}
        load = {} if self.carried is None else self.carried.measure(job)
        return {**self.simulation.measured(trace), **cost, **load}
