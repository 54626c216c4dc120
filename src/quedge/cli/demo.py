"""`quedge demo`: the paper's scenario and a recorded walk through Munich, under the paper's and quedge's policies."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from quedge.cli.compiling import Compiling
from quedge.cli.folder import check_drawing, summary_object
from quedge.cli.options import Seed, frames_option, parse_path, value_option
from quedge.cli.progress import print_comparison, print_early, progress_bars
from quedge.cli.usage import UsageError, refusing
from quedge.files.atomic import check_folder_takes_files, whole_file
from quedge.model.scenario import Scenario
from quedge.policy.registry import DEMO_SCHEMES
from quedge.simulation.measures import Summary
from quedge.simulation.processes import ChannelProcess
from quedge.simulation.recordings.recording import MUNICH_FRAMES, MUNICH_SCENARIO, MunichWalk
from quedge.simulation.run import compare
from quedge.simulation.trace import Trace

_WARMUP = 0.5
_POLICIES = {scheme.name: scheme.policy for scheme in DEMO_SCHEMES}


class _Part(NamedTuple):
    """One of the demo's scenarios."""

    key: str
    title: str
    scenario: Scenario
    channel: ChannelProcess | None
    frames: int


def demo(
    frames: Annotated[int, frames_option("Frames to run; at most as many as a recording holds.")] = 10_000,
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
    kept: list[tuple[str, dict[str, Trace]]] = []
    measured: dict[str, dict[str, Summary]] = {}
    with progress_bars() as progress, Compiling(_POLICIES.values(), frames, progress) as compiling:
        for part in _parts(frames):
            measured[part.key], traces = {}, {}
            report = functools.partial(progress, of=part.frames)
            outcomes = compare(
                part.scenario, _POLICIES, part.frames, seed, channel=part.channel, warmup=_WARMUP, progress=report
            )
            for place in range(len(_POLICIES)):
                compiling.take(place)
                name, trace, summary = next(outcomes)
                measured[part.key][name], traces[name] = summary, trace
                if as_json:
                    line = {"scenario": part.key, **summary_object(name, summary)}
                    print(json.dumps(line, allow_nan=False), flush=True)
                elif compiling.has_started:
                    print_early(name, summary)
            kept.append((part.title, traces))
    if not no_figure:
        _draw(kept, out)
    if not as_json:
        print_comparison(measured, _WARMUP)
        if not no_figure:
            print(f"Figure: {out}")


def _parts(frames: int) -> list[_Part]:
    walk = min(frames, MUNICH_FRAMES)
    return [
        _Part("paper", "The paper's scenario", Scenario(), None, frames),
        _Part("munich", "A walk through Munich (ray-traced)", MUNICH_SCENARIO, MunichWalk(), walk),
    ]


def _draw(kept: list[tuple[str, dict[str, Trace]]], out: Path) -> None:
    """One figure with one column per scenario."""
    from quedge.experiments.figures import Runs, draw_runs

    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(out) as file:
        draw_runs([Runs(title, traces) for title, traces in kept], file)


def _check_figure(out: Path) -> None:
    """Refuse a figure that could not be written, before the run rather than after it."""
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out: {out}: is not allowed; the figure is a PNG, so the name must end in .png")
    if out.is_dir():
        raise UsageError(f"--out: {out}: is a folder; it must be a file name")
    with refusing("--out"):
        check_folder_takes_files(out.parent)
