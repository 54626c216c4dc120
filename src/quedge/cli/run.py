"""`quedge run`: simulate a scenario under policies, compare them, and keep the run in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from quedge.cli import options
from quedge.cli.compiling import Compiling, interpreted_if_few
from quedge.cli.folder import DELAYS, FIGURE, SUMMARY, check_folder, summary_object, write_run
from quedge.cli.options import complete_formats, frames_option, integer_option, parse_path, value_option
from quedge.cli.priced import priced_policies
from quedge.cli.progress import print_comparison, progress_bars
from quedge.cli.seeds import (
    Run,
    print_seeds,
    run_policies,
    run_seeds,
    seed_objects,
    summaries_and_outlines,
    write_seeds,
)
from quedge.cli.traces import ArrivalTrace, ChannelTrace, LayoutOption, read_traces
from quedge.cli.usage import refusing
from quedge.files.policies import check_devices, check_served, default_names, load_plugin, policies_by_name
from quedge.files.scenario import read_scenario
from quedge.files.traces import FORMATS
from quedge.simulation.world import WorldInParts

_FRAMES = 10_000


def run(
    scenario: options.ScenarioFile = None,
    policy: options.Policies = None,
    frames: Annotated[
        int | None, frames_option(f"Frames to run; without it, {_FRAMES:,}, or as many as the traces hold.")
    ] = None,
    seed: options.Seed = 0,
    seeds: Annotated[
        int | None, integer_option(2, 10_000, "Seeds to run, from --seed on: means with intervals, paired differences.")
    ] = None,
    workers: Annotated[
        int | None, integer_option(1, 1_000, "Seeds at a time, as threads; without it, one per processor.", "--workers")
    ] = None,
    learner: options.LearnerSettings = None,
    agent: options.AgentFile = None,
    settings: options.Settings = None,
    channel_trace: ChannelTrace = None,
    arrival_trace: ArrivalTrace = None,
    layout: LayoutOption = None,
    channel: Annotated[
        str | None, typer.Option(metavar="MODULE:ATTRIBUTE", help="Your own process of channel gains.")
    ] = None,
    arrivals: Annotated[
        str | None, typer.Option(metavar="MODULE:ATTRIBUTE", help="Your own process of arrivals.")
    ] = None,
    warmup: options.Warmup = 0.5,
    out: Annotated[
        Path | None, value_option(parse_path, "DIR", "Folder for summary, traces, scenario and figures.")
    ] = None,
    traces_format: Annotated[
        str | None,
        typer.Option(
            "--traces",
            metavar="FORMAT",
            autocompletion=complete_formats,
            help=f"Format of the traces: {', '.join(FORMATS)}; without it, csv.",
        ),
    ] = None,
    no_figure: Annotated[
        bool, typer.Option("--no-figure", help="Leave the figures out; they need Matplotlib.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per policy and line, nothing else.")] = False,
) -> None:
    """Simulate a scenario, every policy in the same world, and compare them."""
    with refusing():
        traces = read_traces(channel_trace, arrival_trace, layout)
        own_channel = _process("--channel", channel, channel_trace)
        own_arrivals = _process("--arrivals", arrivals, arrival_trace)
        given = read_scenario(scenario, settings or (), traces.devices)
        priced = priced_policies(policy or [], given.scenario, own_channel or traces.channel)
        named = policy or ([] if agent is not None else default_names(given.scenario))
        policies = policies_by_name(named, learner or (), agent, priced)
        check_devices(policies, given.scenario.devices)
        check_served(policies, given.scenario)
        if workers is not None and seeds is None:
            raise ValueError(f"--workers: {workers} is not allowed without --seeds")
        if out is None and (traces_format is not None or no_figure):
            option = "--no-figure" if traces_format is None else f"--traces {traces_format}"
            raise ValueError(f"{option}: is not allowed without --out")
        asked = Run(
            "default" if scenario is None else scenario.stem,
            given.scenario,
            policies,
            frames or traces.frames or _FRAMES,
            own_channel or traces.channel,
            own_arrivals or traces.arrivals,
            warmup,
            traces_format or "csv",
            figure=out is not None and not no_figure,
        )
        if out is not None:
            for place in [out] if seeds is None else [out / f"seed-{seed + k}" for k in range(seeds)]:
                check_folder(place, list(policies), asked.traces, not no_figure)
        world = asked.world(seed)
    if seeds is None:
        _run_one(asked, world, out, as_json)
    else:
        _run_many(asked, range(seed, seed + seeds), workers, out, as_json)


def _run_one(asked: Run, world: WorldInParts, out: Path | None, as_json: bool) -> None:
    decisions = asked.frames * asked.scenario.devices * len(asked.policies)
    with (
        interpreted_if_few(decisions),
        progress_bars(asked.frames) as progress,
        Compiling(asked.policies.values(), asked.frames, progress) as compiling,
        refusing(),  # settings may be so extreme that a decision is none
    ):
        summaries, outlines = summaries_and_outlines(run_policies(asked, world, out, progress, compiling))
    # Nothing is told before every policy has run: what stands on standard output is a whole comparison.
    if as_json:
        for name, summary in summaries.items():
            print(json.dumps(summary_object(name, summary), allow_nan=False))
    if out is not None:
        write_run(out, asked.scenario, summaries, outlines)
    if not as_json:
        print_comparison({asked.name: summaries}, asked.warmup, has_deadline=asked.scenario.deadline_s is not None)
        if out is not None:
            figures = f", {FIGURE}, {DELAYS}" if asked.figure else ""
            print(f"Written to {out}: {SUMMARY}, scenario.toml{figures} and one trace per policy.")


def _run_many(asked: Run, seeds: range, workers: int | None, out: Path | None, as_json: bool) -> None:
    with (
        progress_bars(asked.frames * len(seeds)) as progress,
        Compiling(asked.policies.values(), asked.frames, progress) as compiling,
    ):
        for place in range(len(asked.policies)):
            compiling.take(place)
    with progress_bars(asked.frames * len(seeds)) as progress, refusing():
        runs = run_seeds(asked, seeds, workers, out, progress)
    summaries = {name: {seed: measured[name].summary for seed, measured in runs.items()} for name in asked.policies}
    objects = seed_objects(summaries)
    if as_json:
        for each in objects:
            print(json.dumps(each, allow_nan=False))
    if out is not None:
        write_seeds(out, asked.scenario, runs, objects)
    if not as_json:
        print_seeds(asked, summaries)
        if out is not None:
            print(f"Written to {out}: {SUMMARY}, and a folder for the run of each seed.")


def _process(option: str, place: str | None, trace: Path | None) -> Any:
    """A user's own process of channel gains or arrivals; None without, a ValueError beside a recording of the same."""
    if place is None:
        return None
    if trace is not None:
        raise ValueError(f"{option}: {place[:60]!r} is not allowed beside {option.rstrip('s')}-trace")
    return load_plugin(option, place, "sample")
