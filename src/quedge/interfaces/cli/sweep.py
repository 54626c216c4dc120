"""`quedge sweep`: a scenario at the values of some of its keys, under policies."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from quedge.experiments.experiment import FULL, Size
from quedge.experiments.needs import check_shown
from quedge.experiments.schemes import Scheme
from quedge.experiments.sweep import sweep_experiment
from quedge.interfaces.cli import completing
from quedge.interfaces.cli.engine_options import OutFolder, RayOption, Seeds, WorkersOption
from quedge.interfaces.cli.numbers import frames_of, share_of
from quedge.interfaces.cli.options import AgentFile, ArrivalTrace, ChannelTrace, LearnerSettings, ScenarioFile, Settings
from quedge.interfaces.cli.refusing import refusing
from quedge.interfaces.cli.reproduce import run_experiments
from quedge.interfaces.cli.traces import Traces, read_traces
from quedge.interfaces.policies import ALLOWED, policies_by_name
from quedge.interfaces.scenario_file import read_scenario
from quedge.interfaces.variations import check_combinations, first_values, variations_of
from quedge.model.scenario import PARAMETERS


def sweep(
    scenario: ScenarioFile = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="KEY=V1,V2,...", help="A scenario's key and its values. Can be given again."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Who decides: {ALLOWED}. Can be given again; exact without, or the agent's.",
            autocompletion=completing.policies,
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(parser=frames_of, metavar="N", help=f"Frames of a run; {FULL.frames:,}, or what the traces hold."),
    ] = None,
    seeds: Seeds = None,
    settings: Settings = None,
    learner: LearnerSettings = None,
    agent: AgentFile = None,
    channel_trace: ChannelTrace = None,
    arrival_trace: ArrivalTrace = None,
    warmup: Annotated[
        float,
        typer.Option(parser=share_of, metavar="SHARE", help="Share of the frames that means leave out at the start."),
    ] = 0.5,
    workers: WorkersOption = None,
    ray: RayOption = None,
    out: OutFolder = Path("results/sweep"),
) -> None:
    """Run a scenario at all combinations of some keys' values: a table, a figure, every number, and report.html.

    What has run before is not run again: a wider sweep into the same folder runs only what is new.
    """
    check_shown("quedge sweep")
    with refusing():
        policies = policies_by_name(policy or [], learner or (), agent)
        traces = read_traces(channel_trace, arrival_trace)
        given = read_scenario(scenario, settings or (), traces.devices, first_values(vary or [])).scenario
        varied = variations_of(vary or [], given)
        check_combinations(varied, given)
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
