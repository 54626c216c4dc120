"""`quedge run`: simulate a scenario under policies, compare them, and keep the run in a folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from quedge.cli import options
from quedge.cli.options import complete_formats, frames_option, parse_path, read_traces, value_option
from quedge.cli.priced import priced_policies
from quedge.cli.progress import compile_run, print_comparison, progress_bars
from quedge.cli.usage import refusing
from quedge.errors import check_installed
from quedge.files.atomic import check_folder_takes_files, whole_file
from quedge.files.policies import check_devices, load_plugin, policies_by_name
from quedge.files.scenario import read_scenario, write_scenario
from quedge.files.traces import FORMATS, check_format, write_trace
from quedge.simulation.measures import Summary
from quedge.simulation.run import ComparedRun, compare

_FRAMES = 10_000
_SUMMARY, _SCENARIO, _FIGURE, _DELAYS = "summary.json", "scenario.toml", "figure.png", "delay.png"


def run(
    scenario: options.ScenarioFile = None,
    policy: options.Policies = None,
    frames: Annotated[
        int | None, frames_option(f"Frames to run; without it, {_FRAMES:,}, or as many as the traces hold.")
    ] = None,
    seed: options.Seed = 0,
    learner: options.LearnerSettings = None,
    agent: options.AgentFile = None,
    settings: options.Settings = None,
    channel_trace: options.ChannelTrace = None,
    arrival_trace: options.ArrivalTrace = None,
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
        traces = read_traces(channel_trace, arrival_trace)
        own_channel = _process("--channel", channel, channel_trace)
        own_arrivals = _process("--arrivals", arrivals, arrival_trace)
        given = read_scenario(scenario, settings or (), traces.devices)
        priced = priced_policies(policy or [], given.scenario, own_channel or traces.channel)
        policies = policies_by_name(policy or [], learner or (), agent, priced)
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
        compile_run(policies.values(), count)
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
        write_run(out, kept, traces_format or "csv", not no_figure, warmup)
    if not as_json:
        has_deadline = given.scenario.deadline_s is not None
        parts = {"default" if scenario is None else scenario.stem: summaries}
        print_comparison(parts, warmup, has_deadline=has_deadline)
        if out is not None:
            figure = "" if no_figure else f", {_FIGURE}, {_DELAYS}"
            print(f"Written to {out}: summary.json, scenario.toml{figure} and one trace per policy.")


def _process(option: str, place: str | None, trace: Path | None) -> Any:
    """A user's own process of channel gains or arrivals; None without, a ValueError beside a recording of the same."""
    if place is None:
        return None
    if trace is not None:
        raise ValueError(f"{option}: {place[:60]!r} is not allowed beside {option.rstrip('s')}-trace")
    return load_plugin(option, place, "sample")


def summary_object(name: str, summary: Summary) -> dict[str, Any]:
    """A policy's summary as a JSON object, the policy's name first."""
    return {"policy": name, **dataclasses.asdict(summary)}


def check_drawing(what: str) -> None:
    """Refuse to draw without Matplotlib, by a MissingExtraError; `what` says which option goes without the figure."""
    check_installed("matplotlib", what, "Matplotlib", "plot")


def check_folder(folder: Path, names: Sequence[str], traces: str = "csv", figure: bool = True) -> None:
    """Refuse what `write_run` could not write for these policies, before a long run rather than after it.

    Raises:
        ValueError: the format is unknown, the folder is a file, it cannot be made or written to, a folder stands where
            a file must go, or it holds another run's trace that would stay among this run's files.
        MissingExtraError: what writes the traces or draws the figure is not installed.
    """
    check_format(traces)
    if figure:
        check_drawing(f"{_FIGURE} (--no-figure does without)")
    check_folder_takes_files(folder)
    files = [_trace_name(name, traces) for name in names]
    for name in (_SUMMARY, _SCENARIO, _FIGURE, _DELAYS, *files):
        if (folder / name).is_dir():
            raise ValueError(f"{folder / name}: is a folder; a file must go there")
    stale = {path.name for kind in FORMATS for path in folder.glob(f"trace-*.{kind}")} - set(files)
    if stale:
        raise ValueError(f"{folder / min(stale)}: belongs to another run; choose another folder or remove it")


def write_run(
    folder: Path, outcomes: Sequence[ComparedRun], traces: str = "csv", figure: bool = True, warmup: float = 0.5
) -> None:
    """Write the files of the policies' runs of one scenario into a folder, each as a whole or not at all.

    `summary.json` holds a list with one object per policy, `trace-<policy>.csv` (or .npz, or .parquet) what happened in
    every frame, `scenario.toml` the scenario, `figure.png` queues, power and offloading over time, and `delay.png` how
    long bits wait, after the share `warmup` of the frames. A trace can be played back as a recording of channel gains
    and arrivals.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The summary goes first and comes last: where one stands, all that stands beside it belongs to it.
    for name in (_SUMMARY, _FIGURE, _DELAYS):
        (folder / name).unlink(missing_ok=True)
    for outcome in outcomes:
        with whole_file(folder / _trace_name(outcome.name, traces)) as file:
            write_trace(outcome.trace, file, traces)
    write_scenario(outcomes[0].trace.scenario, folder / _SCENARIO)
    if figure:
        from quedge.experiments.figures import Runs, draw_delays, draw_runs

        runs = {outcome.name: outcome.trace for outcome in outcomes}
        with whole_file(folder / _FIGURE) as file:
            draw_runs([Runs("", runs)], file)
        with whole_file(folder / _DELAYS) as file:
            draw_delays(runs, file, warmup)
    objects = [summary_object(outcome.name, outcome.summary) for outcome in outcomes]
    with whole_file(folder / _SUMMARY) as file:
        file.write((json.dumps(objects, indent=2, allow_nan=False) + "\n").encode())


def _trace_name(policy: str, kind: str) -> str:
    return f"trace-{policy.replace(':', '-')}.{kind}"  # of a policy of one's own, module:attribute
