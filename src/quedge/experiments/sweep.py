"""An experiment of a user's own: a scenario at several values of some of its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.presentation import (
    BUDGET,
    DELAY_P95,
    DELIVERED_RATIO,
    LATE_RATIO,
    MEAN_DELAY,
    OBJECTIVE_RATIO,
    OFFLOAD_RATIO,
    OUTAGE_RATIO,
    POLICY,
    POWER,
    QUEUE,
    Sweep,
    Table,
)
from quedge.experiments.probes.simulation import Simulation
from quedge.experiments.symbols import heading_of, symbol_of
from quedge.model.scenario import Scenario
from quedge.policy.registry import Scheme
from quedge.simulation.processes import ExponentialArrivals, Recorded, RicianFading

_MAX_LINES = 10


def sweep_experiment(
    title: str,
    scenario: Scenario,
    varied: Mapping[str, Sequence[Any]],
    schemes: Sequence[Scheme],
    channel: Recorded | None = None,
    arrivals: Recorded | None = None,
    warmup: float = 0.5,
) -> Experiment:
    """A scenario at all combinations of the values of some keys, under some policies.

    The figure has the key with the most values, all numbers, on its horizontal axis, and one line per policy and
    combination of the other keys' values. Without such a key, or with more than ten lines, there is only the table.

    Args:
        title: the scenario's name.
        scenario: the scenario, with the keys that do not vary.
        varied: values by key.
        schemes: the policies.
        channel: recorded channel gains; Rician fading by default.
        arrivals: recorded arrivals; exponential by default.
        warmup: share of the frames at the start that means leave out.
    """
    columns = [QUEUE, MEAN_DELAY, DELAY_P95, POWER, OFFLOAD_RATIO, OBJECTIVE_RATIO]
    if scenario.deadline_s is not None or "deadline_s" in varied:
        columns.insert(3, LATE_RATIO)
    unlike_assumed = scenario.residual_sic_share > 0.0 or scenario.per_device("estimate_error").any()
    if unlike_assumed or not {"residual_sic_share", "estimate_error"}.isdisjoint(varied):
        columns += [DELIVERED_RATIO, OUTAGE_RATIO]
    return Experiment(
        name="sweep",
        title=f"Sweep of {title} over {' and '.join(map(symbol_of, varied))}",
        caption=f"Means over the frames after the first {warmup:.0%}.",
        grids=[
            Grid(
                schemes,
                vary(**varied),
                scenario,
                channel=RicianFading() if channel is None else channel,
                arrivals=ExponentialArrivals() if arrivals is None else arrivals,
            )
        ],
        figure=_figure(scenario, varied, schemes),
        table=Table([(key, heading_of(key)) for key in varied], columns),
        probe=Simulation(warmup),
        chapter="Sweeps",
        full=None,
    )


def _figure(scenario: Scenario, varied: Mapping[str, Sequence[Any]], schemes: Sequence[Scheme]) -> Sweep | None:
    numeric = {key for key, values in varied.items() if all(isinstance(value, (int, float)) for value in values)}
    x = max(varied, key=lambda key: (key in numeric, len(varied[key])))
    others = [key for key in varied if key != x]
    lines = len(schemes)
    for key in others:
        lines *= len(varied[key])
    if lines > _MAX_LINES or x not in numeric:
        return None
    level = None if "power_budget_w" in varied else BUDGET._replace(value=scenario.mean_power_budget_w)
    power = POWER._replace(level=level)
    keys = (POLICY, *others) if len(schemes) > 1 or not others else tuple(others)
    return Sweep(x, [QUEUE, power, OFFLOAD_RATIO], keys)
