"""`quedge train`: train an agent in a scenario, and keep it in a file."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from quedge.cli import options
from quedge.cli.compiling import Compiling
from quedge.cli.folder import summary_object
from quedge.cli.options import complete_learners, frames_option, parse_path, value_option
from quedge.cli.progress import print_comparison, progress_bars
from quedge.cli.traces import ArrivalTrace, ChannelTrace, LayoutOption, read_traces
from quedge.cli.usage import refusing
from quedge.errors import not_allowed, one_of
from quedge.files.agent import TrainingConfig, check_suffix, read_agent, save_agent, training_config
from quedge.files.atomic import check_folder_takes_files
from quedge.files.exported import SUFFIX as ONNX_SUFFIX
from quedge.files.scenario import read_scenario
from quedge.files.tensorboard import TensorBoard
from quedge.policy.learners import LEARNERS, learner_of, settings_of
from quedge.simulation.measures import summarise
from quedge.simulation.trace import Trace, joined
from quedge.simulation.training import Training, begin_training, train, world_digest
from quedge.simulation.world import draw_world

_FRAMES = 10_000
_WARMUP = 0.5


def train_agent(
    out: Annotated[Path, value_option(parse_path, "FILE", "File for the trained agent (.npz).")],
    scenario: options.ScenarioFile = None,
    policy: Annotated[
        str, typer.Option(help=f"The learning policy: {', '.join(LEARNERS)}.", autocompletion=complete_learners)
    ] = "equivariant",
    frames: Annotated[
        int | None, frames_option(f"Frames to learn from; without it, {_FRAMES:,}, or as many as the traces hold.")
    ] = None,
    seed: options.Seed = 0,
    settings: options.Settings = None,
    learner: options.LearnerSettings = None,
    channel_trace: ChannelTrace = None,
    arrival_trace: ArrivalTrace = None,
    layout: LayoutOption = None,
    save_every: Annotated[int, frames_option("Write the file after every N frames.")] = 1000,
    tensorboard: Annotated[
        Path | None,
        value_option(parse_path, "DIR", "Folder for TensorBoard: queue, power, loss and K, every --save-every frames."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training that FILE holds.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Train an agent; `quedge run --agent FILE` runs it.

    The same command with --resume continues an interrupted training; the agent ends as if it had not been interrupted.
    """
    with refusing():
        if policy not in LEARNERS:
            raise not_allowed("--policy", policy, one_of(LEARNERS))
        agent = learner_of(policy, settings_of(learner or ()))
        traces = read_traces(channel_trace, arrival_trace, layout)
        given = read_scenario(scenario, settings or (), traces.devices).scenario
        count = frames or traces.frames or _FRAMES
        world = draw_world(given, count, seed, traces.channel, traces.arrivals)
        config = training_config(policy, agent, given, seed, count, world_digest(world))
        training = _training(out, config, resume) or begin_training(agent, given, seed)
        hook = None if tensorboard is None else TensorBoard(tensorboard)
    if training.frames == count:
        print(f"quedge: {out} has all of its {count} frames; there is nothing left to learn from", file=sys.stderr)
        return
    with progress_bars() as progress, Compiling([agent], 2, progress) as compiling:
        compiling.take(0)
    first = training.frames
    parts: list[Trace] = []
    try:
        with refusing(), progress_bars(count) as progress:  # a scenario may be so extreme that a decision is none
            report = functools.partial(progress, policy)
            for step, trace in train(given, training, world, seed, save_every, report, hook):
                out.parent.mkdir(parents=True, exist_ok=True)
                save_agent(out, config, step)
                parts.append(trace)
    except BaseException:
        kept = _frames_kept(out)
        told = f"{out} holds the agent after {kept} frames; --resume goes on with it" if kept else "no agent was kept"
        print(f"quedge: {told}", file=sys.stderr)
        raise
    finally:
        if hook is not None:
            hook.close()
    summary = summarise(joined(parts), _WARMUP)
    if as_json:
        print(json.dumps({**summary_object(policy, summary), "first_frame": first}, allow_nan=False))
        return
    summaries = {"default" if scenario is None else scenario.stem: {policy: summary}}
    print_comparison(summaries, _WARMUP, first, given.deadline_s is not None)
    print(f"Written to {out}.")


def _frames_kept(out: Path) -> int:
    """The frames of the agent that a file holds, which may have been written just before an interruption; 0 without."""
    try:
        return read_agent(out).state.frames
    except ValueError:
        return 0


def _training(out: Path, config: TrainingConfig, resume: bool) -> Training | None:
    """The training that a file holds, to be resumed; None for a new one, whose file can be written.

    Raises:
        ValueError: the file cannot be written or resumed; the message names the option and the file.
    """
    check_folder_takes_files(out.parent)
    if out.is_dir():
        raise ValueError(f"--out: {out}: is a folder; it must be a file name")
    if out.suffix == ONNX_SUFFIX:
        raise ValueError(f"--out: {out}: is not allowed; `quedge export` makes {ONNX_SUFFIX} files of an agent's file")
    with refusing("--out"):
        check_suffix(out)
    if not resume:
        if out.exists():
            raise ValueError(f"--out: {out}: exists already; --resume goes on with it")
        return None
    file = read_agent(out)
    difference = file.config.difference(config)
    if difference is not None:
        raise ValueError(f"--resume: {out}: was trained with {difference}; give the same command again")
    return file.resume()
