"""V and ν for a power budget: the shortest queue, or delay, whose mean power stays within it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from quedge.experiments.engine.execution import Execution
from quedge.experiments.engine.workers import Answer, Workers
from quedge.experiments.findings import Findings
from quedge.experiments.job import Job
from quedge.experiments.needs import check_extras
from quedge.experiments.probes.queue_and_power import QueueAndPower
from quedge.experiments.reading.estimates import Estimate, estimate
from quedge.experiments.schemes import Scheme
from quedge.model.extras import check_installed
from quedge.model.scenario import PARAMETERS, Scenario

GOALS = {"data_queue": "data_queue_mbit", "delay_p95": "delay_p95_frames"}
"""What can be made small, and the measure that it is."""

_FIRST_TRIAL_SEED = 1_000  # the fresh seeds are 0, 1, 2 ..., those of every other table, so that numbers compare
_AT_A_TIME = 4  # trials that are proposed together, whatever the number of workers: the search stays the same
_SHARE_OF_ESTIMATOR = 0.6  # of the trials
_FIRST_STEP = 0.4  # in the logarithm of V or of ν, from the best setting to its neighbours


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


class Setting(NamedTuple):
    """V and ν, and how they did under fresh seeds.

    Attributes:
        v: drift-plus-penalty weight V (Mbit).
        nu: scaling ν of the virtual energy queue.
        data_queue_mbit: mean data queue (Mbit).
        delay_p95_frames: 95th percentile of the delay (frames).
        power_w: mean power of a device (W).
        power_max_device_w: the largest mean power of a device (W).
        keeps_budget: whether the mean power stays within the mean budget, but for the tolerance.
    """

    v: float
    nu: float
    data_queue_mbit: Estimate
    delay_p95_frames: Estimate
    power_w: Estimate
    power_max_device_w: Estimate
    keeps_budget: bool


class Tuned(NamedTuple):
    """What a search has brought.

    Attributes:
        best: the setting to take; it keeps the budget, unless no setting that was tried does.
        baseline: the scenario's own.
        budget_w: the mean power that was allowed (W).
        tried: number of settings that were tried.
        runs: number of runs, all together.
    """

    best: Setting
    baseline: Setting
    budget_w: float
    tried: int
    runs: int


class TuningError(Exception):
    """Runs of a search failed; the message says why."""


def tune(
    scenario: Scenario,
    scheme: Scheme,
    tuning: Tuning,
    workers: Workers,
    progress: Callable[[int, int], None] | None = None,
) -> Tuned:
    """Search V and ν.

    Args:
        scenario: the cell; its own V and ν are what the search has to beat.
        scheme: who decides.
        tuning: how the search goes.
        workers: who runs the trials.
        progress: called now and then with the number of runs done and of all runs.

    Raises:
        MissingExtraError: Optuna, or a library that the policy needs, is not installed.
        TuningError: a run failed.
    """
    check_installed("optuna", "the search for V and ν", "Optuna", "tune")
    trying = _Trying(scenario, scheme, tuning, progress)
    check_extras([trying.job(scenario.v, scenario.nu, 0)])
    with Execution(workers) as execution:
        tried = _search(trying, execution)
        own = (scenario.v, scenario.nu)
        fit = sorted((each for each in tried if each.excess <= tuning.tolerance), key=lambda each: each.goal)
        if not fit:  # then those that miss it by the least
            fit = sorted(tried, key=lambda each: each.excess)
        finalists = list(dict.fromkeys([(each.v, each.nu) for each in fit[: tuning.finalists]] + [own]))
        found = trying.run(execution, finalists, range(tuning.fresh_seeds))
    allowed_w = trying.budget_w * (1.0 + tuning.tolerance)
    settings = {pair: _setting(*pair, found[pair], allowed_w) for pair in finalists}
    within = [setting for setting in settings.values() if setting.keeps_budget]
    best = (
        min(within, key=lambda setting: getattr(setting, GOALS[tuning.goal]).mean)
        if within
        else min(settings.values(), key=lambda setting: setting.power_w.mean)
    )
    return Tuned(best, settings[own], trying.budget_w, len(tried), trying.done)


class Trial(NamedTuple):
    """A setting that was tried.

    Attributes:
        v: V (Mbit).
        nu: ν.
        goal: what is to be small, mean over the seeds of trials.
        excess: what the mean power has in excess of the budget, relative.
    """

    v: float
    nu: float
    goal: float
    excess: float


class _Trying:
    """Runs settings under seeds."""

    def __init__(
        self, scenario: Scenario, scheme: Scheme, tuning: Tuning, progress: Callable[[int, int], None] | None
    ) -> None:
        self.scenario = scenario
        self.tuning = tuning
        self.budget_w = float(scenario.per_device("power_budget_w").mean())
        self.done = 0
        self._scheme = scheme
        self._progress = progress

    def job(self, v: float, nu: float, seed: int) -> Job:
        scenario = dataclasses.replace(self.scenario, v=v, nu=nu)
        return Job(scenario, self._scheme.policy, seed, self.tuning.frames, QueueAndPower())

    def run(
        self, execution: Execution, settings: Sequence[tuple[float, float]], seeds: Sequence[int]
    ) -> dict[tuple[float, float], list[Findings]]:
        """The findings of each setting, seed by seed."""
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


def _search(trying: _Trying, execution: Execution) -> list[Trial]:
    """Try settings, a batch at a time.

    Some are proposed by a tree-structured Parzen estimator, which finds the valley; the others are the neighbours of
    the best one, ever closer. All meet the same seeds, so what is compared is a smooth function.
    """
    import optuna
    from optuna.distributions import BaseDistribution, FloatDistribution

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tuning, scenario = trying.tuning, trying.scenario
    ranges: dict[str, BaseDistribution] = {
        name: FloatDistribution(*ends, log=True) for name, ends in search_ranges(scenario).items()
    }
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=tuning.seed, n_startup_trials=12))
    own = {name: getattr(scenario, name) for name in ranges}
    if all(low <= own[name] <= high for name, (low, high) in search_ranges(scenario).items()):
        study.enqueue_trial(own)
    tried: list[Trial] = []
    step, best = _FIRST_STEP, None
    while len(tried) < tuning.trials:
        count = min(_AT_A_TIME, tuning.trials - len(tried))
        fit = [each for each in tried if each.excess <= tuning.tolerance]
        if fit and len(tried) >= _SHARE_OF_ESTIMATOR * tuning.trials:
            before, best = best, min(fit, key=lambda each: each.goal)
            step = 0.5 * step if best is before else step
            for pair in _around((best.v, best.nu), step)[:count]:
                study.enqueue_trial(dict(zip(ranges, _clipped(pair, scenario), strict=True)))
        asked = [study.ask(ranges) for _ in range(count)]
        pairs = [(float(trial.params["v"]), float(trial.params["nu"])) for trial in asked]
        found = trying.run(execution, pairs, range(_FIRST_TRIAL_SEED, _FIRST_TRIAL_SEED + tuning.seeds))
        for trial, pair in zip(asked, pairs, strict=True):
            goal = _mean(found[pair], GOALS[tuning.goal])
            excess = _mean(found[pair], "power_w") / trying.budget_w - 1.0
            trial.set_constraint("power", excess - tuning.tolerance)
            study.tell(trial, math.log(max(goal, 1e-12)))
            tried.append(Trial(*pair, goal, excess))
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

    V is measured in data and ν goes with its root: at the paper's arrivals, 3 Mbit a frame, V is searched from 0.1 to
    1,000 and ν from 0.5 to 600; where less arrives in a frame, as in shorter ones, both are as much smaller.
    """
    arrivals_mbit = float(scenario.per_device("arrival_rate_mbps").mean()) * scenario.frame_s
    scale = max(arrivals_mbit / 3.0, 1e-9)
    ranges = {"v": (0.1 * scale, 1_000.0 * scale), "nu": (0.5 * math.sqrt(scale), 600.0 * math.sqrt(scale))}
    return {
        name: (max(low, PARAMETERS[name].low), min(high, PARAMETERS[name].high)) for name, (low, high) in ranges.items()
    }


def _setting(v: float, nu: float, found: Sequence[Findings], allowed_w: float) -> Setting:
    measures: dict[str, Any] = {
        name: estimate([float(each[name]) for each in found])  # type: ignore[arg-type]  # none of them is a series
        for name in ("data_queue_mbit", "delay_p95_frames", "power_w", "power_max_device_w")
    }
    return Setting(v, nu, **measures, keeps_budget=measures["power_w"].mean <= allowed_w)


def _mean(found: Sequence[Findings], measure: str) -> float:
    return estimate([float(each[measure]) for each in found]).mean  # type: ignore[arg-type]  # no series
