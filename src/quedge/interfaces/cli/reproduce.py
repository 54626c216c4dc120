"""`quedge reproduce`: the paper's figures and tables, and what goes beyond them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from quedge.experiments.catalogue import NAMES, chosen
from quedge.experiments.experiment import FULL, QUICK, Experiment, Size, points_of
from quedge.experiments.needs import check_extras, check_shown
from quedge.experiments.report.page import manifests_in, read_manifests
from quedge.experiments.reproduce import Reproduced, jobs_of, reproduce
from quedge.experiments.whole_file import check_folder_takes_files
from quedge.interfaces.cli import completing
from quedge.interfaces.cli.engine_options import (
    OutFolder,
    RayOption,
    Seeds,
    WorkersOption,
    progress_of_cells,
    workers_for,
)
from quedge.interfaces.cli.numbers import frames_of
from quedge.interfaces.cli.refusing import refusing
from quedge.model.extras import MissingExtraError


def reproduce_paper(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help=f"Of {', '.join(NAMES)}; all without.", autocompletion=completing.experiments
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help=f"{QUICK.seeds} seed and {QUICK.frames:,} frames only.")
    ] = False,
    frames: Annotated[
        int | None, typer.Option(parser=frames_of, metavar="N", help=f"Frames of a run; {FULL.frames:,} without.")
    ] = None,
    seeds: Seeds = None,
    workers: WorkersOption = None,
    ray: RayOption = None,
    out: OutFolder = Path("results"),
) -> None:
    """Run the paper's experiments and ours beside them: figures, tables and one page, report.html.

    What has run before is not run again: a cut run goes on with the same command.
    """
    check_shown("quedge reproduce")
    with refusing():
        experiments = chosen(names or ["all"])
    base = QUICK if quick else FULL
    size = Size(frames or base.frames, seeds or base.seeds)
    run_experiments(that_can_run(experiments, names or [], size), size, out, workers, ray)


def that_can_run(experiments: list[Experiment], named: list[str], size: Size) -> list[Experiment]:
    """Leave out, with a word, what a group brought along and needs a library that is not installed.

    Raises:
        MissingExtraError: nothing else is left, or it was asked for by its name.
    """
    able: list[Experiment] = []
    for experiment in experiments:
        try:
            check_extras(point.job for point in points_of(experiment, size))
        except MissingExtraError as error:
            if experiment.name in named or (not able and experiment is experiments[-1]):
                raise
            print(f"quedge: {experiment.name} is left out: {error}", file=sys.stderr)
        else:
            able.append(experiment)
    return able


def run_experiments(experiments: list[Experiment], size: Size, out: Path, workers: int | None, ray: str | None) -> None:
    """Run experiments and tell what became of them; the exit status is 1 where a cell failed."""
    with refusing("--out"):
        check_folder_takes_files(out)
        if manifests_in(out):
            read_manifests(out)  # the page is made of them all in the end
    with refusing():
        jobs_of(experiments, size)
    chosen_workers = workers_for(workers, ray)
    try:
        with progress_of_cells() as progress:
            done = reproduce(experiments, size, out, chosen_workers, progress)
    except KeyboardInterrupt:
        print(f"quedge: what has run is kept in {out}; the same command goes on with it", file=sys.stderr)
        raise
    _tell(done, out)
    if done.failed:
        raise typer.Exit(1)


def _tell(done: Reproduced, out: Path) -> None:
    for file in done.damaged:
        print(f"quedge: {file}; the cell was run again", file=sys.stderr)
    before = f", {done.reused} of them from before" if done.reused else ""
    what = f"In {out}: {', '.join(done.written)}." if done.written else "Nothing was drawn."
    print(f"{done.cells} {'cell' if done.cells == 1 else 'cells'}{before}. {what}")
    print(f"All of it on one page: {done.report}")
    if done.failed:
        cells = "1 cell" if len(done.failed) == 1 else f"{len(done.failed)} cells"
        print(f"quedge: {cells} failed; the same command tries again:", file=sys.stderr)
        for line in done.failed:
            print(f"  {line}", file=sys.stderr)
