"""`quedge train`: let an agent learn in a scenario, and keep it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from quedge.cli import completing
from quedge.cli.options import (
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
)
from quedge.cli.progress import compile_run, print_comparison, progress_bars
from quedge.cli.run_files import summary_object
from quedge.files.agent import check_storage, course_of, read_agent, save_agent
from quedge.files.atomic import check_folder_takes_files
from quedge.files.exported import SUFFIX
from quedge.files.policies import checked_name
from quedge.files.scenario import read_scenario
from quedge.policy.learners import LEARNERS, learner_of, settings_of
from quedge.simulation.measures import summarise
from quedge.simulation.trace import Trace, joined
from quedge.simulation.training import begin_training, train, world_digest
from quedge.simulation.world import draw_world

_FRAMES = 10_000
_WARMUP = 0.5


def train_agent(
    out: Annotated[
        Path,
        typer.Option(
            parser=place_of, metavar="FILE", help="Where the agent is kept: .npz, or .pt for PyTorch's format."
        ),
    ],
    scenario: ScenarioFile = None,
    policy: Annotated[
        str, typer.Option(help=f"Which agent: {', '.join(LEARNERS)}.", autocompletion=completing.learners)
    ] = "equivariant",
    frames: Annotated[
        int | None,
        typer.Option(parser=frames_of, metavar="N", help=f"Frames to learn from; {_FRAMES}, or what the traces hold."),
    ] = None,
    seed: Seed = 0,
    settings: Settings = None,
    learner: LearnerSettings = None,
    channel_trace: ChannelTrace = None,
    arrival_trace: ArrivalTrace = None,
    save_every: Annotated[
        int, typer.Option(parser=frames_of, metavar="N", help="Frames after which the file is written anew.")
    ] = 1000,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training that FILE holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, nothing else.")] = False,
) -> None:
    """Train an agent; `quedge run --agent FILE` runs it.

    A training that was cut goes on with the same command and --resume, and the agent ends as if it had not been cut.
    """
    with refusing():
        agent = learner_of(checked_name(policy, tuple(LEARNERS)), settings_of(learner or ()))
        traces = read_traces(channel_trace, arrival_trace)
        given = read_scenario(scenario, settings or (), traces.devices).scenario
        count = frames or traces.frames or _FRAMES
        world = draw_world(given, count, seed, traces.channel, traces.arrivals)
        course = course_of(policy, agent, given, seed, count, world_digest(world))
        check_folder_takes_files(out.parent)
        if out.is_dir():
            raise ValueError(f"--out: {out}: is a folder; it must be a file name")
        if out.suffix == SUFFIX:
            raise ValueError(f"--out: {out}: is not allowed; `quedge export` makes {SUFFIX} files of an agent's file")
        with refusing("--out"):
            check_storage(out)
        if resume:
            file = read_agent(out)
            difference = file.course.difference(course)
            if difference is not None:
                raise ValueError(f"--resume: {out}: was trained with {difference}; give the same command again")
            training = file.resume()
        elif out.exists():
            raise ValueError(f"--out: {out}: exists already; --resume goes on with it")
        else:
            training = begin_training(agent, given, seed)
    if training.frames == count:
        print(f"quedge: {out} has all of its {count} frames; there is nothing left to learn from", file=sys.stderr)
        return
    compile_run([agent])
    first, kept = training.frames, training.frames
    parts: list[Trace] = []
    try:
        with refusing(), progress_bars(count) as progress:  # a scenario may be so extreme that a decision is none
            for step, trace in train(given, training, world, seed, save_every, lambda done: progress(policy, done)):
                out.parent.mkdir(parents=True, exist_ok=True)
                save_agent(out, course, step)
                kept = step.frames
                parts.append(trace)
    except BaseException:
        told = f"{out} holds the agent after {kept} frames; --resume goes on with it" if kept else "no agent was kept"
        print(f"quedge: {told}", file=sys.stderr)
        raise
    summary = summarise(joined(parts), _WARMUP)
    if as_json:
        print(json.dumps({**summary_object(policy, summary), "first_frame": first}, allow_nan=False))
        return
    print_comparison({"default" if scenario is None else scenario.stem: {policy: summary}}, _WARMUP, first)
    print(f"Written to {out}.")
