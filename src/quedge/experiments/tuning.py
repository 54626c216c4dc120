"""V and ν for a power budget: trials under common seeds, and a check of the best under fresh ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from quedge.errors import check_installed, not_allowed, one_of
from quedge.experiments.catalogue import check_extras
from quedge.experiments.engine.execution import Execution
from quedge.experiments.engine.workers import JobResult, Workers
from quedge.experiments.job import Findings, Job
from quedge.experiments.probes.simulation import QueueAndPower
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.policy.registry import Scheme
from quedge.simulation.estimates import Estimate, estimate
from quedge.simulation.processes import ArrivalProcess, ChannelProcess, ExponentialArrivals, RicianFading

_FIRST_SEED = 1_000  # of trials; the fresh seeds are 0, 1, 2 ..., those of every other table, so that numbers compare
_BATCH = 4  # trials proposed together, whatever the number of workers, so that the search stays the same
_ESTIMATOR_SHARE = 0.6  # of the trials
_FIRST_STEP = 0.4  # in the logarithm of V or of ν, from the best setting to its neighbours

GOALS = {
    "data_queue": "data_queue_mbit",
    "delay_p95": "delay_p95_frames",
    "deadline_violation": "deadline_violation_ratio",
}
"""What can be minimised, and the measure that it is."""


@dataclass(frozen=True)
class Tuning:
    """Settings of the search.

    All trials run under the same few seeds, 1000, 1001 ..., so that they differ by V and ν alone. The best of those
    that kept the budget then run under fresh seeds, 0, 1, 2 ..., as in every other table, beside the scenario's own
    setting.

    In a run of finite length the mean power can exceed its budget by what the energy queue has grown since the warm-up,
    over ν and the frames; that goes to zero as runs get longer, and settings for which it does not are left out.

    Attributes:
        goal: a key of `GOALS`.
        frames: number of frames of a run.
        trials: number of settings to try, the scenario's own among them.
        seeds: number of seeds of a trial.
        finalists: number of settings to run under fresh seeds.
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
            raise not_allowed("goal", self.goal, one_of(GOALS))


class TuningError(Exception):
    """Runs of a search failed; the message says why."""


class _Trials:
    """Runs settings of one scenario and policy, and counts the runs."""

    def __init__(self, own: Job, tuning: Tuning, progress: Callable[[int, int], None] | None) -> None:
        """Nothing has run yet; `own` is the job of the scenario's own setting, the others are as in `tune`."""
        self.scenario = own.scenario
        self.tuning = tuning
        self.budget_w = own.scenario.mean_power_budget_w
        self.done = 0
        self._own = own
        self._progress = progress

    def job(self, v: float, nu: float, seed: int) -> Job:
        """The job of one setting and seed."""
        return dataclasses.replace(self._own, scenario=dataclasses.replace(self.scenario, v=v, nu=nu), seed=seed)

    def run(
        self, execution: Execution, settings: Sequence[tuple[float, float]], seeds: Sequence[int]
    ) -> dict[tuple[float, float], list[Findings]]:
        """The findings of each setting, seed by seed; a TuningError where a run failed."""
        jobs = {f"{place}/{seed}": self.job(*pair, seed) for place, pair in enumerate(settings) for seed in seeds}
        findings: dict[str, Findings] = {}
        planned = self.tuning.trials * self.tuning.seeds + (self.tuning.finalists + 1) * self.tuning.fresh_seeds

        def keep(name: str, result: JobResult) -> None:
            if result.findings is None:
                raise TuningError(f"v = {jobs[name].scenario.v:g}, nu = {jobs[name].scenario.nu:g}: {result.reason}")
            findings[name] = result.findings
            self.done += 1
            if self._progress is not None:
                self._progress(self.done, max(planned, self.done))

        execution.run(jobs, keep)
        return {pair: [findings[f"{place}/{seed}"] for seed in seeds] for place, pair in enumerate(settings)}


def _mean_of(found: Sequence[Findings], measure: str) -> float:
    """The mean of a measure over the seeds."""
    return estimate(_numbers_of(found, measure)).mean


def _numbers_of(found: Sequence[Findings], measure: str) -> list[float]:
    """A measure, seed by seed."""
    return [value for each in found if isinstance(value := each[measure], float)]


class _Trial(NamedTuple):
    """A setting that was tried under the seeds of trials.

    Attributes:
        v: V (Mbit).
        nu: ν.
        goal: the measure to minimise, mean over the seeds.
        excess: mean power over the budget, less 1.
    """

    v: float
    nu: float
    goal: float
    excess: float


def _search(trials: _Trials, execution: Execution) -> list[_Trial]:
    """Try settings, batch by batch.

    A tree-structured Parzen estimator proposes the first ones, which find the valley; the others are ever closer
    neighbours of the best one. All meet the same seeds, so that the function is smooth.
    """
    import optuna
    from optuna.distributions import BaseDistribution, FloatDistribution

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tuning, scenario = trials.tuning, trials.scenario
    ranges: dict[str, BaseDistribution] = {
        name: FloatDistribution(*ends, log=True) for name, ends in search_ranges(scenario).items()
    }
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=tuning.seed, n_startup_trials=12))
    own = {name: getattr(scenario, name) for name in ranges}
    if all(low <= own[name] <= high for name, (low, high) in search_ranges(scenario).items()):
        study.enqueue_trial(own)
    tried: list[_Trial] = []
    step, best = _FIRST_STEP, None
    while len(tried) < tuning.trials:
        count = min(_BATCH, tuning.trials - len(tried))
        fit = [each for each in tried if each.excess <= tuning.tolerance]
        if fit and len(tried) >= _ESTIMATOR_SHARE * tuning.trials:
            before, best = best, min(fit, key=lambda each: each.goal)
            step = 0.5 * step if best is before else step
            for pair in _around((best.v, best.nu), step)[:count]:
                study.enqueue_trial(dict(zip(ranges, _clipped(pair, scenario), strict=True)))
        asked = [study.ask(ranges) for _ in range(count)]
        pairs = [(float(trial.params["v"]), float(trial.params["nu"])) for trial in asked]
        found = trials.run(execution, pairs, range(_FIRST_SEED, _FIRST_SEED + tuning.seeds))
        for trial, pair in zip(asked, pairs, strict=True):
            goal = _mean_of(found[pair], GOALS[tuning.goal])
            excess = _mean_of(found[pair], "power_w") / trials.budget_w - 1.0
            trial.set_constraint("power", excess - tuning.tolerance)
            study.tell(trial, math.log(max(goal, 1e-12)))
            tried.append(_Trial(*pair, goal, excess))
    return tried


def _around(pair: tuple[float, float], step: float) -> list[tuple[float, float]]:
    """The neighbours of a setting, a step in the logarithm of V or of ν away."""
    (v, nu), factor = pair, math.exp(step)
    return [(v * factor, nu), (v, nu / factor), (v / factor, nu), (v, nu * factor)]


def _clipped(pair: tuple[float, float], scenario: Scenario) -> tuple[float, ...]:
    ends = search_ranges(scenario).values()
    return tuple(min(max(value, low), high) for value, (low, high) in zip(pair, ends, strict=True))


def search_ranges(scenario: Scenario) -> dict[str, tuple[float, float]]:
    """Lowest and highest V and ν of a search.

    V is measured in data and ν goes with its root: at the paper's arrivals, 3 Mbit/s, V is searched from 0.1 to 1,000
    and ν from 0.5 to 600; where less arrives, both are as much smaller. The frame's length is in what they mean.
    """
    arrivals_mbps = float(scenario.per_device("arrival_rate_mbps").mean())
    scale = max(arrivals_mbps / 3.0, 1e-9)
    ranges = {"v": (0.1 * scale, 1_000.0 * scale), "nu": (0.5 * math.sqrt(scale), 600.0 * math.sqrt(scale))}
    return {
        name: (max(low, PARAMETERS[name].low), min(high, PARAMETERS[name].high)) for name, (low, high) in ranges.items()
    }


class Setting(NamedTuple):
    """V and ν, and how they did under fresh seeds.

    Attributes:
        v: drift-plus-penalty weight V (Mbit).
        nu: scaling ν of the virtual energy queue.
        data_queue_mbit: mean data queue (Mbit).
        delay_p95_frames: 95th percentile of the delay (frames).
        deadline_violation_ratio: share of the bits that wait longer than the deadline.
        power_w: mean power of a device (W).
        power_max_device_w: the largest mean power of a device (W).
        keeps_budget: whether the mean power stays within the mean budget, but for the tolerance.
    """

    v: float
    nu: float
    data_queue_mbit: Estimate
    delay_p95_frames: Estimate
    deadline_violation_ratio: Estimate
    power_w: Estimate
    power_max_device_w: Estimate
    keeps_budget: bool


class Tuned(NamedTuple):
    """The result of a search.

    Attributes:
        best: the best setting that keeps the budget; if none does, the one with the least power.
        baseline: the scenario's own.
        budget_w: the allowed mean power (W).
        tried: number of settings that were tried.
        runs: number of runs in all.
    """

    best: Setting
    baseline: Setting
    budget_w: float
    tried: int
    runs: int


def tune(
    scenario: Scenario,
    scheme: Scheme,
    tuning: Tuning,
    workers: Workers,
    progress: Callable[[int, int], None] | None = None,
    channel: ChannelProcess | None = None,
    arrivals: ArrivalProcess | None = None,
) -> Tuned:
    """Search V and ν; the scenario's own are the baseline. `progress` is told the runs done, and of how many.

    Raises:
        ValueError: violations of a deadline are to be minimised, and the scenario has none.
        MissingExtraError: Optuna, or a library that the policy needs, is not installed.
        TuningError: a run failed.
    """
    check_installed("optuna", "the search for V and ν", "Optuna", "tune")
    if tuning.goal == "deadline_violation" and scenario.deadline_s is None:
        raise not_allowed("goal", tuning.goal, "a goal that needs no deadline, or the scenario must have deadline_s")
    world = channel or RicianFading(), arrivals or ExponentialArrivals()
    own_job = Job(scenario, scheme.policy, 0, tuning.frames, QueueAndPower(), *world)
    check_extras([own_job])
    trials = _Trials(own_job, tuning, progress)
    with Execution(workers) as execution:
        tried = _search(trials, execution)
        own = (scenario.v, scenario.nu)
        fit = sorted((each for each in tried if each.excess <= tuning.tolerance), key=lambda each: each.goal)
        if not fit:  # those closest to the budget
            fit = sorted(tried, key=lambda each: each.excess)
        finalists = list(dict.fromkeys([(each.v, each.nu) for each in fit[: tuning.finalists]] + [own]))
        found = trials.run(execution, finalists, range(tuning.fresh_seeds))
    allowed_w = trials.budget_w * (1.0 + tuning.tolerance)
    settings = {pair: _setting(*pair, found[pair], allowed_w) for pair in finalists}
    within = [setting for setting in settings.values() if setting.keeps_budget]
    best = (
        min(within, key=lambda setting: (getattr(setting, GOALS[tuning.goal]).mean, setting.data_queue_mbit.mean))
        if within
        else min(settings.values(), key=lambda setting: setting.power_w.mean)
    )
    return Tuned(best, settings[own], trials.budget_w, len(tried), trials.done)


def _setting(v: float, nu: float, found: Sequence[Findings], allowed_w: float) -> Setting:
    measures: dict[str, Any] = {name: estimate(_numbers_of(found, name)) for name in Setting._fields[2:-1]}
    return Setting(v, nu, **measures, keeps_budget=measures["power_w"].mean <= allowed_w)
