"""Settings of V and ν, run under seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quedge.experiments.engine.execution import Execution
from quedge.experiments.engine.workers import Answer
from quedge.experiments.job import Findings, Job
from quedge.experiments.probes.simulation import QueueAndPower
from quedge.experiments.reading.estimates import estimate
from quedge.model.scenario import Scenario
from quedge.policy.registry import Scheme

GOALS = {"data_queue": "data_queue_mbit", "delay_p95": "delay_p95_frames"}
"""What can be made small, and the measure that it is."""


@dataclass(frozen=True)
class Tuning:
    """How the search goes.

    Trials are run under the same few seeds, 1000, 1001 ..., so that they differ by V and ν alone. The best of those
    that kept the budget are then run under fresh seeds, 0, 1, 2 ... as in every other table, beside the scenario's own
    setting.

    In a run of finite length the mean power can exceed its budget by what the energy queue has grown since the warm-up,
    over ν and the frames; that goes to zero as runs get longer, and settings for which it does not are left out.

    Attributes:
        goal: a key of `GOALS`.
        frames: number of frames of a run.
        trials: number of settings that are tried, the scenario's own among them.
        seeds: number of seeds of a trial.
        finalists: number of settings that are run under fresh seeds.
        fresh_seeds: number of fresh seeds.
        tolerance: share of the budget by which the mean power may exceed it.
        seed: seed of the search itself.
    """

    goal: str = "data_queue"
    frames: int = 10_000
    trials: int = 52
    seeds: int = 2
    finalists: int = 6
    fresh_seeds: int = 5
    tolerance: float = 2e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.goal not in GOALS:
            raise ValueError(f"goal: {self.goal!r} is not allowed; it must be one of {', '.join(GOALS)}")


class TuningError(Exception):
    """Runs of a search failed; the message says why."""


class Trials:
    """Runs settings of one scenario and policy, and counts the runs."""

    def __init__(
        self, scenario: Scenario, scheme: Scheme, tuning: Tuning, progress: Callable[[int, int], None] | None
    ) -> None:
        """Nothing has run yet; arguments as in `tune`."""
        self.scenario = scenario
        self.tuning = tuning
        self.budget_w = float(scenario.per_device("power_budget_w").mean())
        self.done = 0
        self._scheme = scheme
        self._progress = progress

    def job(self, v: float, nu: float, seed: int) -> Job:
        """The cell of one setting and seed."""
        scenario = dataclasses.replace(self.scenario, v=v, nu=nu)
        return Job(scenario, self._scheme.policy, seed, self.tuning.frames, QueueAndPower())

    def run(
        self, execution: Execution, settings: Sequence[tuple[float, float]], seeds: Sequence[int]
    ) -> dict[tuple[float, float], list[Findings]]:
        """The findings of each setting, seed by seed.

        Raises:
            TuningError: a run failed.
        """
        jobs = {f"{place}/{seed}": self.job(*pair, seed) for place, pair in enumerate(settings) for seed in seeds}
        findings: dict[str, Findings] = {}
        planned = self.tuning.trials * self.tuning.seeds + (self.tuning.finalists + 1) * self.tuning.fresh_seeds

        def keep(name: str, answer: Answer) -> None:
            if answer.findings is None:
                raise TuningError(f"v = {jobs[name].scenario.v:g}, nu = {jobs[name].scenario.nu:g}: {answer.reason}")
            findings[name] = answer.findings
            self.done += 1
            if self._progress is not None:
                self._progress(self.done, max(planned, self.done))

        execution.run(jobs, keep)
        return {pair: [findings[f"{place}/{seed}"] for seed in seeds] for place, pair in enumerate(settings)}


def mean_of(found: Sequence[Findings], measure: str) -> float:
    """The mean of a measure over the seeds."""
    return estimate(numbers_of(found, measure)).mean


def numbers_of(found: Sequence[Findings], measure: str) -> list[float]:
    """A measure, seed by seed."""
    return [value for each in found if isinstance(value := each[measure], float)]
