"""`quedge sweep`: a scenario at the values of some of its keys, under policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quedge.experiments.experiment import FULL, Size
from quedge.experiments.schemes import Scheme
from quedge.experiments.sweep import sweep_experiment
from quedge.interfaces.cli.engine_options import OutFolder, RayOption, Seeds, WorkersOption
from quedge.interfaces.cli.numbers import frames_of, share_of
from quedge.interfaces.cli.options import AgentFile, ArrivalTrace, ChannelTrace, LydrooSettings, ScenarioFile, Settings
from quedge.interfaces.cli.refusing import refusing
from quedge.interfaces.cli.reproduce import run_experiments
from quedge.interfaces.cli.traces import read_traces
from quedge.interfaces.policies import POLICIES, policies_by_name
from quedge.interfaces.scenario_file import read_scenario
from quedge.interfaces.variations import variations_of


def sweep(
    scenario: ScenarioFile = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="KEY=V1,V2,...", help="A scenario's key and its values. Can be given again."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help=f"Who decides: {', '.join(POLICIES)}. Can be given again; exact without, or the agent's."),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(parser=frames_of, metavar="N", help=f"Frames of a run; {FULL.frames:,}, or what the traces hold."),
    ] = None,
    seeds: Seeds = None,
    settings: Settings = None,
    lydroo: LydrooSettings = None,
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
    with refusing():
        policies = policies_by_name(policy or [], lydroo or (), agent)
        traces = read_traces(channel_trace, arrival_trace)
        given = read_scenario(scenario, settings or (), traces.devices).scenario
        experiment = sweep_experiment(
            "the paper's scenario" if scenario is None else scenario.stem,
            given,
            variations_of(vary or [], given),
            [Scheme(name, each) for name, each in policies.items()],
            traces.channel,
            traces.arrivals,
            warmup,
        )
    count = frames or traces.frames or FULL.frames
    run_experiments([experiment], Size(count, seeds or FULL.seeds), out, workers, ray)
