"""`quedge run`: simulate a scenario under policies, compare them, and keep the run in a folder."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from quedge.cli import options
from quedge.cli.options import complete_formats, frames_option, parse_path, read_traces, value_option
from quedge.cli.priced import priced_policies
from quedge.cli.progress import compile_run, print_comparison, progress_bars
from quedge.cli.usage import refusing
from quedge.errors import check_installed
from quedge.files.atomic import check_folder_takes_files, folder_if_filled, whole_file
from quedge.files.policies import check_devices, load_plugin, policies_by_name
from quedge.files.scenario import read_scenario, write_scenario
from quedge.files.traces import FORMATS, TraceWriter, check_format
from quedge.model.scenario import Scenario
from quedge.policy.policy import Learner, Policy
from quedge.simulation.measures import Measuring, Outline, Summary
from quedge.simulation.run import run_in_parts
from quedge.simulation.world import WorldInParts

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
        world = WorldInParts(
            given.scenario, count, seed, own_channel or traces.channel, own_arrivals or traces.arrivals
        )
    compile_run(policies.values(), count)
    with ExitStack() as files:
        if out is not None:
            files.enter_context(folder_if_filled(out))
        runs: dict[str, Measuring] = {}
        with (
            refusing(),
            progress_bars(count) as progress,
        ):  # settings may be so extreme that a policy's decision is none
            for name, each in policies.items():
                writer = None if out is None else files.enter_context(_trace_file(out, name, traces_format or "csv"))
                runs[name] = _measured(name, each, world, warmup, writer, functools.partial(progress, name))
            summaries = {name: measuring.summary() for name, measuring in runs.items()}
        if out is not None:
            (out / _SUMMARY).unlink(missing_ok=True)  # where one stands, all that stands beside it belongs to it
    # Nothing is told before every policy has run: what stands on standard output is a whole comparison.
    if as_json:
        for name, summary in summaries.items():
            print(json.dumps(summary_object(name, summary), allow_nan=False))
    if out is not None:
        outlines = None if no_figure else {name: measuring.outline() for name, measuring in runs.items()}
        write_run(out, given.scenario, summaries, outlines)
    if not as_json:
        has_deadline = given.scenario.deadline_s is not None
        parts = {"default" if scenario is None else scenario.stem: summaries}
        print_comparison(parts, warmup, has_deadline=has_deadline)
        if out is not None:
            figure = "" if no_figure else f", {_FIGURE}, {_DELAYS}"
            print(f"Written to {out}: summary.json, scenario.toml{figure} and one trace per policy.")


def _measured(
    name: str,
    policy: Policy | Learner,
    world: WorldInParts,
    warmup: float,
    writer: TraceWriter | None,
    progress: Callable[[int], None],
) -> Measuring:
    """Run a policy, measure its parts and write them; a ValueError about a decision names the policy."""
    measuring = Measuring(world.scenario, world.frames, warmup)
    try:
        for part in run_in_parts(policy, world, progress):
            measuring.add(part)
            if writer is not None:
                writer.add(part)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return measuring


@contextmanager
def _trace_file(folder: Path, policy: str, kind: str) -> Iterator[TraceWriter]:
    """A policy's trace in a folder, there as a whole once all goes well."""
    with whole_file(folder / _trace_name(policy, kind)) as file, FORMATS[kind](file) as writer:
        yield writer


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
    folder: Path, scenario: Scenario, summaries: Mapping[str, Summary], outlines: Mapping[str, Outline] | None
) -> None:
    """Write the files of the policies' runs of one scenario, beside their traces, each as a whole or not at all.

    `summary.json` holds a list with one object per policy, `scenario.toml` the scenario and, with outlines,
    `figure.png` queues, power and offloading over time, and `delay.png` how long bits wait. `trace-<policy>.csv` (or
    .npz, or .parquet) stands there already. A trace can be played back as a recording of channel gains and arrivals.
    """
    # The summary goes first and comes last: where one stands, all that stands beside it belongs to it.
    for name in (_SUMMARY, _FIGURE, _DELAYS):
        (folder / name).unlink(missing_ok=True)
    write_scenario(scenario, folder / _SCENARIO)
    if outlines is not None:
        from quedge.experiments.figures import Runs, draw_delays, draw_runs

        with whole_file(folder / _FIGURE) as file:
            draw_runs([Runs("", outlines)], file)
        with whole_file(folder / _DELAYS) as file:
            draw_delays(outlines, file)
    objects = [summary_object(name, summary) for name, summary in summaries.items()]
    with whole_file(folder / _SUMMARY) as file:
        file.write((json.dumps(objects, indent=2, allow_nan=False) + "\n").encode())


def _trace_name(policy: str, kind: str) -> str:
    return f"trace-{policy.replace(':', '-')}.{kind}"  # of a policy of one's own, module:attribute
