"""`quedge demo`: the paper's scenario and a recorded walk through Munich, under the paper's and quedge's policies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from quedge.cli.compiling import Compiling
from quedge.cli.folder import check_drawing, summary_object
from quedge.cli.options import Seed, frames_option, parse_path, value_option
from quedge.cli.progress import print_comparison, print_early, progress_bars
from quedge.cli.seeds import Measured, Progress, Run, run_policies, summaries_and_outlines
from quedge.cli.usage import UsageError, refusing
from quedge.files.atomic import check_folder_takes_files, whole_file
from quedge.model.kernel_cache import machine_code_folder
from quedge.model.scenario import Scenario
from quedge.policy.registry import DEMO_SCHEMES
from quedge.simulation.recordings.recording import MUNICH_FRAMES, MUNICH_SCENARIO, MunichWalk

_WARMUP = 0.5
_POLICIES = {scheme.name: scheme.policy for scheme in DEMO_SCHEMES}
_PAPER, _MUNICH = "paper", "munich"
_TITLES = {_PAPER: "The paper's scenario", _MUNICH: "A walk through Munich (ray-traced)"}
_LONGEST = "lydroo-sca"
_WORTH_A_PROCESS = 1_000  # frames


def demo(
    frames: Annotated[int, frames_option("Frames to run; of the recording at most as many as it has.")] = 10_000,
    seed: Seed = 0,
    out: Annotated[Path, value_option(parse_path, "FILE", "The figure (PNG).")] = Path("results/demo.png"),
    no_figure: Annotated[bool, typer.Option("--no-figure", help="Leave the figure out; it needs Matplotlib.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per scenario and policy, one per line.")
    ] = False,
) -> None:
    """Compare policies in the paper's scenario and on ray-traced channels of Munich; draw one figure."""
    if not no_figure:
        check_drawing("the demo's figure (--no-figure does without)")
        _check_figure(out)
    measured: dict[str, dict[str, Measured]] = {_PAPER: {}, _MUNICH: {}}
    policies = [_POLICIES[name] for name in _compiled_order()]
    with progress_bars(frames) as progress, Compiling(policies, frames, progress) as compiling:
        for scenario, policy, run in _runs(frames, seed, progress, compiling):
            measured[scenario][policy] = run
            if compiling.has_started:
                print_early(f"{scenario:<7} {policy}", run.summary)
    runs = {scenario: {policy: measured[scenario][policy] for policy in _POLICIES} for scenario in measured}
    if not no_figure:
        _draw(runs, out)
    summaries = {scenario: summaries_and_outlines(found)[0] for scenario, found in runs.items()}
    if as_json:
        for scenario, found in summaries.items():
            for policy, summary in found.items():
                print(json.dumps({"scenario": scenario, **summary_object(policy, summary)}, allow_nan=False))
    else:
        print_comparison(summaries, _WARMUP)
        if not no_figure:
            print(f"Figure: {out}")


def _runs(frames: int, seed: int, progress: Progress, compiling: Compiling) -> Iterator[tuple[str, str, Measured]]:
    """Scenario, policy and run, as they end; another process runs what takes about half of the time.

    If it dies, what it owes is run here.
    """
    elsewhere: dict[tuple[str, str], Future[Measured]] = {}
    with _other_process(frames) as other:
        places = {policy: place for place, policy in enumerate(_compiled_order())}
        first, *others = (policy for policy in _POLICIES if policy != _LONGEST)
        for policy in (first, _LONGEST, *others):
            compiling.take(places[policy])
            for scenario in _TITLES:
                if other is not None and (scenario == _MUNICH or policy == _LONGEST):
                    with suppress(BrokenExecutor):
                        elsewhere[scenario, policy] = other.submit(_run, scenario, policy, frames, seed)
                if (scenario, policy) not in elsewhere:
                    yield scenario, policy, _run(scenario, policy, frames, seed, progress)
        for (scenario, policy), future in reversed(elsewhere.items()):
            if future.cancel():  # it has not begun there
                yield scenario, policy, _run(scenario, policy, frames, seed, progress)
        for (scenario, policy), future in elsewhere.items():
            if future.cancelled():
                continue
            run = None
            with suppress(BrokenExecutor):
                run = future.result()
            yield scenario, policy, run or _run(scenario, policy, frames, seed, progress)


def _compiled_order() -> list[str]:
    """The policies, the one that takes longest last: another process begins to compile at the end."""
    return [*(policy for policy in _POLICIES if policy != _LONGEST), _LONGEST]


def _run(
    scenario: str, policy: str, frames: int, seed: int, progress: Progress = lambda policy, done: None
) -> Measured:
    """Run one policy in one of the scenarios."""
    is_walk = scenario == _MUNICH
    cell, channel = (MUNICH_SCENARIO, MunichWalk()) if is_walk else (Scenario(), None)
    frames = min(frames, MUNICH_FRAMES) if is_walk else frames
    asked = Run(scenario, cell, {policy: _POLICIES[policy]}, frames, channel, None, _WARMUP, "csv", figure=True)
    return run_policies(asked, asked.world(seed), None, progress)[policy]


@contextmanager
def _other_process(frames: int) -> Iterator[Executor | None]:
    """A process that loads what this one has compiled; None where it would bring nothing. It ends with the context."""
    from quedge.experiments.engine.process_pool import ProcessPool, usable_processors

    if frames < _WORTH_A_PROCESS or usable_processors() == 1 or machine_code_folder() is None:
        yield None
        return
    pool = ProcessPool(1)
    executor = pool.start()
    try:
        yield executor
    finally:
        pool.abandon(executor)


def _draw(measured: Mapping[str, Mapping[str, Measured]], out: Path) -> None:
    """One figure with one column per scenario."""
    from quedge.experiments.figures import Runs, draw_runs

    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(out) as file:
        columns = [Runs(_TITLES[name], summaries_and_outlines(runs)[1]) for name, runs in measured.items()]
        draw_runs(columns, file)


def _check_figure(out: Path) -> None:
    """Refuse a figure that could not be written, before the run rather than after it."""
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out: {out}: is not allowed; the figure is a PNG, so the name must end in .png")
    if out.is_dir():
        raise UsageError(f"--out: {out}: is a folder; it must be a file name")
    with refusing("--out"):
        check_folder_takes_files(out.parent)
