"""Runs of policies in the same world, and in the worlds of several seeds side by side."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from quedge.cli.compiling import Compiling
from quedge.cli.folder import SUMMARY, trace_file, write_json, write_run
from quedge.cli.progress import empty_table, output_console, print_early, print_note
from quedge.files.atomic import folder_if_filled
from quedge.files.traces import TraceWriter
from quedge.model.scenario import Scenario
from quedge.policy.policy import Learner, Policy
from quedge.simulation.comparison import SHOWN, measures_by_seed
from quedge.simulation.estimates import Estimate, estimate, paired_difference, with_margin
from quedge.simulation.measures import Measuring, Outline, Summary, first_settled_frame
from quedge.simulation.processes import ArrivalProcess, ChannelProcess
from quedge.simulation.run import run_in_parts
from quedge.simulation.world import WorldInParts

Progress = Callable[[str, int], None]


class Run(NamedTuple):
    """What is to be run.

    Attributes:
        name: name of the scenario in tables.
        scenario: the cell.
        policies: by name.
        frames: number of frames.
        channel: where channel gains come from; Rician fading by default.
        arrivals: where arrivals come from; exponential by default.
        warmup: share of the frames at the start that means leave out.
        traces: format of the traces, where they are kept.
        figure: whether figures of it will be drawn.
    """

    name: str
    scenario: Scenario
    policies: Mapping[str, Policy | Learner]
    frames: int
    channel: ChannelProcess | None
    arrivals: ArrivalProcess | None
    warmup: float
    traces: str
    figure: bool = False

    def world(self, seed: int) -> WorldInParts:
        """The world of a seed; a ValueError names what is not allowed."""
        return WorldInParts(self.scenario, self.frames, seed, self.channel, self.arrivals)


class Measured(NamedTuple):
    """What is kept of a policy's run: its summary, and what figures show of it, where there will be any."""

    summary: Summary
    outline: Outline | None


def summaries_and_outlines(runs: Mapping[str, Measured]) -> tuple[dict[str, Summary], dict[str, Outline]]:
    """Summaries by policy; outlines by policy, of those that have one."""
    outlines = {name: each.outline for name, each in runs.items() if each.outline is not None}
    return {name: each.summary for name, each in runs.items()}, outlines


def run_policies(
    asked: Run, world: WorldInParts, folder: Path | None, progress: Progress, compiling: Compiling | None = None
) -> dict[str, Measured]:
    """Run the policies one after the other, and write their traces into a folder once all have run.

    With `compiling` each is compiled before it runs, and what it reached is told early if that took time.

    Raises:
        ValueError: a decision is not allowed; the message names the policy and the frame.
        OverflowError: a measure is not finite.
    """
    runs: dict[str, Measured] = {}
    with ExitStack() as files:
        if folder is not None:
            files.enter_context(folder_if_filled(folder))
        for place, (name, policy) in enumerate(asked.policies.items()):
            if compiling is not None:
                compiling.take(place)
            writer = None if folder is None else files.enter_context(trace_file(folder, name, asked.traces))
            try:
                runs[name] = _measured(policy, world, asked, writer, functools.partial(progress, name))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            if compiling is not None and compiling.has_started:
                print_early(name, runs[name].summary)
        if folder is not None:  # where a summary stands, all that stands beside it belongs to it
            (folder / SUMMARY).unlink(missing_ok=True)
    return runs


def _measured(
    policy: Policy | Learner,
    world: WorldInParts,
    asked: Run,
    writer: TraceWriter | None,
    progress: Callable[[int], None],
) -> Measured:
    """Run a policy, measure its parts and write them."""
    measuring = Measuring(asked.scenario, asked.frames, asked.warmup, asked.figure)
    for part in run_in_parts(policy, world, progress):
        measuring.add(part)
        if writer is not None:
            writer.add(part)
    return Measured(measuring.summary(), measuring.outline())


def run_seeds(
    asked: Run, seeds: range, workers: int | None, folder: Path | None, progress: Progress
) -> dict[int, dict[str, Measured]]:
    """`run_policies` in the world of each seed, as threads; by seed.

    Compiled code of several seeds runs at the same time, Python's does not. The traces of a seed go into `seed-N`.

    Args:
        asked: what is to be run.
        seeds: the seeds.
        workers: threads at a time; None for one per processor.
        folder: where traces are written.
        progress: called with a policy's name and the number of its frames done, of all seeds.

    Raises:
        ValueError: as in `run_policies`; an error or an interruption stops all threads.
    """
    total = _Total(progress)

    def run(seed: int) -> dict[str, Measured]:
        own = None if folder is None else folder / f"seed-{seed}"
        return run_policies(asked, asked.world(seed), own, functools.partial(total.add, seed))

    threads = min(workers or len(os.sched_getaffinity(0)), len(seeds))
    with folder_if_filled(folder) if folder else nullcontext(), ThreadPoolExecutor(threads) as pool:
        futures = {seed: pool.submit(run, seed) for seed in seeds}
        try:
            wait(futures.values(), return_when=FIRST_EXCEPTION)
        finally:
            total.stopped = True  # of those that still run: after an error, or Ctrl-C
            pool.shutdown(cancel_futures=True)
        failures = (each.exception() for each in futures.values() if not each.cancelled())
        for failure in failures:
            if failure is not None and not isinstance(failure, _StoppedError):
                raise failure
        return {seed: future.result() for seed, future in futures.items()}


class _StoppedError(Exception):
    """Another thread has failed, or the user has interrupted."""


class _Total:
    """Adds up the progress of all seeds."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()
        self.stopped = False

    def add(self, seed: int, name: str, done: int) -> None:
        if self.stopped:
            raise _StoppedError
        with self._lock:
            self._done[name, seed] = done
            self._progress(name, sum(each for (policy, _), each in self._done.items() if policy == name))


def seed_objects(summaries: Mapping[str, Mapping[int, Summary]]) -> list[dict[str, Any]]:
    """What `--json` tells: each policy's measures as means over the seeds, and their differences to the first policy's.

    Args:
        summaries: by policy and seed, of at least two seeds.

    Returns:
        An object per policy. It has the policy's name, the seeds, each measure with mean, `low` and `high`, the ends of
        its 95 % interval, and under `differences`, of all policies but the first, the same of the paired differences.
    """
    first, *_ = summaries
    objects = []
    for name, runs in summaries.items():
        told: dict[str, Any] = {"policy": name, "seeds": list(runs)}
        told |= {measure: _told(estimate(list(values.values()))) for measure, values in measures_by_seed(runs).items()}
        if name != first:
            reference = measures_by_seed(summaries[first])
            told["reference"] = first
            told["differences"] = {
                measure: _told(difference)
                for measure, values in measures_by_seed(runs).items()
                if (difference := paired_difference(values, reference[measure])) is not None
            }
        objects.append(told)
    return objects


def _told(of: Estimate) -> dict[str, float]:
    return {"mean": of.mean, "low": of.low, "high": of.high}


def write_seeds(
    folder: Path,
    scenario: Scenario,
    runs: Mapping[int, Mapping[str, Measured]],
    objects: list[dict[str, Any]],
) -> None:
    """Write the files of each seed beside its traces, and `seed_objects` into `summary.json`."""
    (folder / SUMMARY).unlink(missing_ok=True)
    for seed, measured in runs.items():
        write_run(folder / f"seed-{seed}", scenario, *summaries_and_outlines(measured))
    write_json(folder / SUMMARY, objects)


def print_seeds(asked: Run, summaries: Mapping[str, Mapping[int, Summary]]) -> None:
    """Print means over the seeds with 95 % intervals, and paired differences to the first policy."""
    console = output_console()
    measures = {name: measures_by_seed(runs) for name, runs in summaries.items()}
    table = empty_table(["policy", *SHOWN.values()], texts=(0,))
    for name, values in measures.items():
        table.add_row(name, *(with_margin(estimate(list(values[measure].values()))) for measure in SHOWN))
    first, *others = measures
    if others:
        table.add_section()
    for name in others:
        differences = [paired_difference(measures[name][measure], measures[first][measure]) for measure in SHOWN]
        table.add_row(f"{name} - {first}", *(with_margin(each) for each in differences if each is not None))
    console.print(table)
    seeds = list(summaries[first])
    start = first_settled_frame(asked.frames, asked.warmup)
    print_note(
        console,
        f"{asked.name}: {asked.scenario.devices} devices, seeds {seeds[0]} to {seeds[-1]}, "
        f"frames {start:,} to {asked.frames:,}; means ± half of the 95 % interval (Student's t)",
    )
    if others:
        print_note(console, "Differences are paired: under one seed all policies meet the same world")
