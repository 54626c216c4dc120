"""`quedge sweep`: a scenario at all combinations of some keys' values, under policies."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from quedge.cli import options
from quedge.cli.options import frames_option
from quedge.cli.reproduce import run_experiments
from quedge.cli.traces import ArrivalTrace, ChannelTrace, LayoutOption, Traces, read_traces
from quedge.cli.usage import refusing
from quedge.errors import not_allowed
from quedge.experiments.catalogue import check_shown
from quedge.experiments.experiment import FULL, Size, vary
from quedge.experiments.sweep import sweep_experiment
from quedge.files.policies import check_served, policies_by_name
from quedge.files.scenario import NAME, Preset, checked_keys, read_scenario, toml_value, unknown_key
from quedge.model.scenario import PARAMETERS, Kind, Scenario
from quedge.policy.policy import Learner, Policy
from quedge.policy.registry import Scheme


def sweep(
    scenario: options.ScenarioFile = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="KEY=V1,V2,...", help="A scenario's key and its values. Can be given again."),
    ] = None,
    policy: options.Policies = None,
    frames: Annotated[
        int | None, frames_option(f"Frames per run; without it, {FULL.frames:,}, or as many as the traces hold.")
    ] = None,
    seeds: options.Seeds = None,
    settings: options.Settings = None,
    learner: options.LearnerSettings = None,
    agent: options.AgentFile = None,
    channel_trace: ChannelTrace = None,
    arrival_trace: ArrivalTrace = None,
    layout: LayoutOption = None,
    warmup: options.Warmup = 0.5,
    workers: options.WorkersOption = None,
    ray: options.RayOption = None,
    out: options.OutFolder = Path("results/sweep"),
) -> None:
    """Run a scenario at all combinations of some keys' values: a table, a figure, every number, and report.html.

    Results are kept: a wider sweep into the same folder runs only what is new.
    """
    check_shown("quedge sweep")
    with refusing():
        policies = policies_by_name(policy or [], learner or (), agent)
        traces = read_traces(channel_trace, arrival_trace, layout)
        given = read_scenario(scenario, settings or (), traces.devices, first_values(vary or [])).scenario
        varied = variations_of(vary or [], given)
        check_combinations(varied, given)
        _check_policies(policies, varied, given)
        _check_varied(varied, settings or [], traces)
        experiment = sweep_experiment(
            "the paper's scenario" if scenario is None else scenario.stem,
            given,
            varied,
            [Scheme(name, each) for name, each in policies.items()],
            traces.channel,
            traces.arrivals,
            warmup,
        )
    count = frames or traces.frames or FULL.frames
    run_experiments([experiment], Size(count, seeds or FULL.seeds), out, workers, ray)


def variations_of(texts: Sequence[str], scenario: Scenario) -> dict[str, list[Any]]:
    """Values by key, from `key=value,value,...` texts, each value as TOML has it and as the scenario allows it.

    Raises:
        ValueError: the message names the option, the key, the value and what is allowed.
    """
    varied: dict[str, list[Any]] = {}
    for option, key, values in _parsed(texts):
        varied[key] = [_checked(option, key, value, scenario) for value in values]
        if len({repr(value) for value in varied[key]}) < len(varied[key]):
            raise ValueError(f"{option}: {key}: a value stands there twice; once is allowed")
    return varied


def check_combinations(varied: Mapping[str, Sequence[Any]], scenario: Scenario) -> None:
    """Refuse values that are allowed one by one, but not together.

    Raises:
        ValueError: the message names the combination, and what is wrong with it.
    """
    for variant in vary(**varied):
        try:
            dataclasses.replace(scenario, **variant)
        except ValueError as error:
            together = ", ".join(f"{key} = {value}" for key, value in variant.items())
            raise ValueError(f"--vary: {together}: {error}") from None


def _check_policies(
    policies: Mapping[str, Policy | Learner], varied: Mapping[str, Sequence[Any]], scenario: Scenario
) -> None:
    """Refuse policies that some combination of values asks for more than they assign; a ValueError names both."""
    for variant in vary(**varied):
        check_served(policies, dataclasses.replace(scenario, **variant))


def first_values(texts: Sequence[str]) -> list[Preset]:
    """The first value of each key, as presets with which the varied scenario can be read.

    Raises:
        ValueError: as `variations_of`, but for values that a scenario refuses.
    """
    return [Preset(option, key, values[0]) for option, key, values in _parsed(texts)]


def _parsed(texts: Sequence[str]) -> Iterator[tuple[str, str, list[Any]]]:
    """Option, key and values of each text."""
    if not texts:
        raise ValueError("--vary: is missing; it must name a key and its values, such as --vary nu=20,60,100")
    seen = set()
    for text in texts:
        option = f"--vary {text[:60]}"
        key, equals, listed = (part.strip() for part in text.partition("="))
        if not equals or not key or not listed:
            raise ValueError(f"{option}: is not allowed; it must be key=value,value,...")
        if key not in PARAMETERS:
            raise ValueError(f"{option}: {unknown_key(key, listed)}")
        if key in seen:
            raise ValueError(f"{option}: {key}: is varied twice; once is allowed")
        seen.add(key)
        yield option, key, [checked_keys(option, {key: value})[key] for value in _values(option, key, listed)]


def _values(option: str, key: str, listed: str) -> list[Any]:
    names = [name.strip() for name in listed.split(",")]
    if PARAMETERS[key].kind is Kind.NAME and all(NAME.fullmatch(name) for name in names):
        return names  # a shell takes quotes away
    values = toml_value(f"[{listed}]")
    if not values:
        raise not_allowed(option, listed, "values with commas between them")
    return list(values)


def _checked(option: str, key: str, value: Any, scenario: Scenario) -> Any:
    """The value as a scenario keeps it."""
    try:
        return getattr(dataclasses.replace(scenario, **{key: value}), key)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _check_varied(varied: Collection[str], settings: Collection[str], traces: Traces) -> None:
    """Refuse to vary a key that has no effect, since something else says what it would.

    Raises:
        ValueError: naming the key, and what overrides it.
    """
    fixed = {setting.partition("=")[0].strip(): "--set" for setting in settings}
    if traces.arrivals is not None:
        fixed |= {name: "--arrival-trace" for name in PARAMETERS if PARAMETERS[name].group == "traffic"}
    if traces.channel is not None:
        fixed |= {name: "--channel-trace" for name in PARAMETERS if PARAMETERS[name].group == "channel"}
    if traces.devices is not None:
        fixed["devices"] = "a trace"
    for key in varied:
        if key in fixed:
            raise ValueError(f"--vary {key}: is not allowed, since {fixed[key]} says what it is")
