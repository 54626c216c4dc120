"""Which settings are tried."""

from __future__ import annotations

import math
from typing import NamedTuple

from quedge.experiments.engine.execution import Execution
from quedge.experiments.tuning.trials import GOALS, Trials, mean_of
from quedge.model.scenario import PARAMETERS, Scenario

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
