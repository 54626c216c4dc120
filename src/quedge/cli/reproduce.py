"""`quedge reproduce` and `quedge report`: the paper's figures and tables, and what goes beyond them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from quedge.cli import options
from quedge.cli.options import complete_experiments, frames_option, parse_path
from quedge.cli.usage import LOCAL, UsageError, refusing
from quedge.errors import MissingExtraError
from quedge.experiments.catalogue import NAMES, check_extras, check_shown, chosen
from quedge.experiments.engine.execution import Progress
from quedge.experiments.engine.process_pool import ProcessPool
from quedge.experiments.engine.ray_cluster import RayCluster
from quedge.experiments.engine.workers import Workers, time_left_text
from quedge.experiments.experiment import FULL, QUICK, Experiment, Size, points_of
from quedge.experiments.report import manifests_in, read_manifests, write_report
from quedge.experiments.reproduce import Reproduced, jobs_of, reproduce
from quedge.files.atomic import check_folder_takes_files

_LINE_EVERY_S = 30.0


def reproduce_paper(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help=f"What to reproduce: {', '.join(NAMES)}; without it, all.",
            autocompletion=complete_experiments,
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help=f"Only {QUICK.seeds} seed and {QUICK.frames:,} frames.")
    ] = False,
    frames: Annotated[int | None, frames_option(f"Frames per run; without it, {FULL.frames:,}.")] = None,
    seeds: options.Seeds = None,
    workers: options.WorkersOption = None,
    ray: options.RayOption = None,
    out: options.OutFolder = Path("results"),
) -> None:
    """Run the paper's experiments and ours beside them: figures, tables and one page, report.html.

    Results are kept: the same command continues an interrupted run.
    """
    check_shown("quedge reproduce")
    with refusing():
        experiments = chosen(names or ["all"])
    base = QUICK if quick else FULL
    size = Size(frames or base.frames, seeds or base.seeds)
    run_experiments(that_can_run(experiments, names or [], size), size, out, workers, ray)


def that_can_run(experiments: list[Experiment], named: list[str], size: Size) -> list[Experiment]:
    """Leave out experiments of a group that need a library that is not installed, and say so.

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
    """Run experiments and print the outcome; the exit status is 1 if a cell failed."""
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
    _print_outcome(done, out)
    if done.failed:
        raise typer.Exit(1)


def _print_outcome(done: Reproduced, out: Path) -> None:
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


def workers_for(workers: int | None, ray: str | None) -> Workers:
    """What runs the jobs, by the options.

    Raises:
        UsageError: both a number of processes and the address of a cluster.
        MissingExtraError: Ray is asked for and not installed.
    """
    if ray is None:
        return ProcessPool(workers, from_server=True)
    if ray != LOCAL and workers is not None:
        raise UsageError(f"--workers: {workers} is not allowed with --ray {ray}: the cluster has its own number")
    return RayCluster(None if ray == LOCAL else ray, workers)


@contextmanager
def progress_of_cells() -> Iterator[Callable[[Progress], None]]:
    """Show on standard error how far the cells are: by a bar on a terminal, else by a line now and then.

    Yields:
        What to call after every cell.
    """
    if not sys.stderr.isatty():
        yield _lines_now_and_then()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("cells"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, left="starting the workers")
        yield lambda at: bar.update(task, completed=at.done, total=at.total, left=time_left_text(at.seconds_left))


def _lines_now_and_then() -> Callable[[Progress], None]:
    last = time.monotonic()

    def tell(at: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_EVERY_S:
            last = time.monotonic()
            print(f"{at.done} of {at.total} cells, {time_left_text(at.seconds_left)}", file=sys.stderr, flush=True)

    return tell


def report(
    folder: Annotated[Path, typer.Argument(parser=parse_path, metavar="DIR", help="Where experiments were written.")],
) -> None:
    """Write report.html, one self-contained page with all figures and tables that a folder holds."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: is not allowed; it must be a folder")
    with refusing():
        path = write_report(folder)
    print(f"Written to {path}.")
