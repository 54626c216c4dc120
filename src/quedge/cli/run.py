"""`quedge run`: simulate a scenario under policies and report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from quedge.cli import completing
from quedge.cli.options import (
    AgentFile,
    ArrivalTrace,
    ChannelTrace,
    LearnerSettings,
    ScenarioFile,
    Seed,
    Settings,
    frames_of,
    place_of,
    read_traces,
    refusing,
    share_of,
)
from quedge.cli.progress import compile_run, print_comparison, progress_bars
from quedge.cli.run_files import check_folder, summary_object, write_run
from quedge.files.policies import ALLOWED, check_devices, own_part, policies_by_name
from quedge.files.scenario import read_scenario
from quedge.files.traces import FORMATS
from quedge.simulation.measures import Summary
from quedge.simulation.run import ComparedRun, compare

_FRAMES = 10_000


def run(
    scenario: ScenarioFile = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Who decides: {ALLOWED}. Can be given again; exact without, or the agent's.",
            autocompletion=completing.policies,
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(parser=frames_of, metavar="N", help=f"Frames to run; {_FRAMES}, or what the traces hold."),
    ] = None,
    seed: Seed = 0,
    learner: LearnerSettings = None,
    agent: AgentFile = None,
    settings: Settings = None,
    channel_trace: ChannelTrace = None,
    arrival_trace: ArrivalTrace = None,
    channel: Annotated[
        str | None, typer.Option(metavar="MODULE:ATTRIBUTE", help="Channel gains from a process of one's own.")
    ] = None,
    arrivals: Annotated[
        str | None, typer.Option(metavar="MODULE:ATTRIBUTE", help="Arrivals from a process of one's own.")
    ] = None,
    warmup: Annotated[
        float,
        typer.Option(parser=share_of, metavar="SHARE", help="Share of the frames that means leave out at the start."),
    ] = 0.5,
    out: Annotated[
        Path | None,
        typer.Option(parser=place_of, metavar="DIR", help="Folder for summary, traces, scenario and figure."),
    ] = None,
    traces_format: Annotated[
        str | None,
        typer.Option(
            "--traces",
            metavar="FORMAT",
            autocompletion=completing.formats,
            help=f"How traces are kept: {', '.join(FORMATS)}; csv without.",
        ),
    ] = None,
    no_figure: Annotated[bool, typer.Option("--no-figure", help="Leave the figure out; it needs Matplotlib.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a policy and line, nothing else.")] = False,
) -> None:
    """Simulate a scenario, every policy in the same world, and compare them."""
    with refusing():
        policies = policies_by_name(policy or [], learner or (), agent)
        traces = read_traces(channel_trace, arrival_trace)
        own_channel = _process("--channel", channel, channel_trace)
        own_arrivals = _process("--arrivals", arrivals, arrival_trace)
        given = read_scenario(scenario, settings or (), traces.devices)
        check_devices(policies, given.scenario.devices)
        count = frames or traces.frames or _FRAMES
        if out is not None:
            check_folder(out, list(policies), traces_format or "csv", not no_figure)
        elif traces_format is not None or no_figure:
            option = "--no-figure" if traces_format is None else f"--traces {traces_format}"
            raise ValueError(f"{option}: is not allowed without --out")
    kept: list[ComparedRun] = []
    summaries: dict[str, Summary] = {}
    with progress_bars(count) as progress:
        with refusing():
            outcomes = compare(
                given.scenario, policies, count, seed,
                channel=own_channel or traces.channel, arrivals=own_arrivals or traces.arrivals,
                warmup=warmup, progress=progress,
            )  # fmt: skip
        compile_run(policies.values())
        with refusing():  # settings may be so extreme that a policy's decision is none
            for outcome in outcomes:
                summaries[outcome.name] = outcome.summary
                if out is not None:
                    kept.append(outcome)
    # Nothing is told before every policy has run: what stands on standard output is a whole comparison.
    if as_json:
        for name, summary in summaries.items():
            print(json.dumps(summary_object(name, summary), allow_nan=False))
    if out is not None:
        write_run(out, kept, traces_format or "csv", not no_figure)
    if not as_json:
        print_comparison({"default" if scenario is None else scenario.stem: summaries}, warmup)
        if out is not None:
            figure = "" if no_figure else ", figure.png"
            print(f"Written to {out}: summary.json, scenario.toml{figure} and a trace a policy.")


def _process(option: str, place: str | None, trace: Path | None) -> Any:
    """A channel or arrivals of the user's own; None without.

    Raises:
        ValueError: there is none at that place, or a recording says the same.
    """
    if place is None:
        return None
    if trace is not None:
        raise ValueError(f"{option}: {place[:60]!r} is not allowed beside {option.rstrip('s')}-trace")
    return own_part(option, place, "sample")
