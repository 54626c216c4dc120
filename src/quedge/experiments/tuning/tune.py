"""The search as a whole: trials under common seeds, and a check of the best under fresh ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from quedge.experiments.engine.execution import Execution
from quedge.experiments.engine.workers import Workers
from quedge.experiments.findings import Findings
from quedge.experiments.needs import check_extras
from quedge.experiments.reading.estimates import Estimate, estimate
from quedge.experiments.schemes import Scheme
from quedge.experiments.tuning.search import search
from quedge.experiments.tuning.trials import GOALS, Trials, Tuning, numbers_of
from quedge.model.extras import check_installed
from quedge.model.scenario import Scenario


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
