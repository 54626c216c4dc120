"""V and ν for a power budget: trials under common seeds, and a check of the best under fresh ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from quedge.errors import check_installed
from quedge.experiments.catalogue import check_extras
from quedge.experiments.engine.execution import Execution
from quedge.experiments.engine.workers import Workers
from quedge.experiments.job import Findings
from quedge.experiments.reading.estimates import Estimate, estimate
from quedge.experiments.tuning.trials import GOALS, Trials, Tuning, mean_of, numbers_of
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.policy.registry import Scheme

_FIRST_SEED = 1_000  # of trials; the fresh seeds are 0, 1, 2 ..., those of every other table, so that numbers compare
_AT_A_TIME = 4  # trials that are proposed together, whatever the number of workers: the search stays the same
_SHARE_OF_ESTIMATOR = 0.6  # of the trials
_FIRST_STEP = 0.4  # in the logarithm of V or of ν, from the best setting to its neighbours


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


def search(trials: Trials, execution: Execution) -> list[Trial]:
    """Try settings, a batch at a time.

    Some are proposed by a tree-structured Parzen estimator, which finds the valley; the others are the neighbours of
    the best one, ever closer. All meet the same seeds, so what is compared is a smooth function.
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
        found = trials.run(execution, pairs, range(_FIRST_SEED, _FIRST_SEED + tuning.seeds))
        for trial, pair in zip(asked, pairs, strict=True):
            goal = mean_of(found[pair], GOALS[tuning.goal])
            excess = mean_of(found[pair], "power_w") / trials.budget_w - 1.0
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
    trials = Trials(scenario, scheme, tuning, progress)
    check_extras([trials.job(scenario.v, scenario.nu, 0)])
    with Execution(workers) as execution:
        tried = search(trials, execution)
        own = (scenario.v, scenario.nu)
        fit = sorted((each for each in tried if each.excess <= tuning.tolerance), key=lambda each: each.goal)
        if not fit:  # then those that miss it by the least
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
    measures: dict[str, Any] = {
        name: estimate(numbers_of(found, name))
        for name in ("data_queue_mbit", "delay_p95_frames", "power_w", "power_max_device_w")
    }
    return Setting(v, nu, **measures, keeps_budget=measures["power_w"].mean <= allowed_w)
