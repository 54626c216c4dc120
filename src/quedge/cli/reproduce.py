"""`quedge reproduce` and `quedge report`: the paper's figures and tables, and what goes beyond them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from quedge.cli import completing
from quedge.cli.options import UsageError, frames_of, place_of, refusing, seeds_of, workers_of
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

LOCAL = "local"

Seeds = Annotated[
    int | None, typer.Option(parser=seeds_of, metavar="N", help="Number of seeds: 0, 1, 2 ...; 5 without.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", parser=workers_of, metavar="N", help="Processes at a time; one a processor without."),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="[ADDRESS]", help="Run on Ray: on this machine, or on the cluster at an address (HOST:PORT)."
    ),
]
OutFolder = Annotated[Path, typer.Option(parser=place_of, metavar="DIR", help="Folder for everything that is written.")]

_TOLD_EVERY_S = 30.0


def with_ray_address(arguments: Sequence[str]) -> list[str]:
    """Arguments in which `--ray` has a value: where no address follows, it means this machine."""
    given: list[str] = []
    for place, argument in enumerate(arguments):
        given.append(argument)
        following = arguments[place + 1] if place + 1 < len(arguments) else ""
        if argument == "--ray" and not _is_address(following):
            given.append(LOCAL)
    return given


def workers_for(workers: int | None, ray: str | None) -> Workers:
    """Who runs the cells, by the options.

    Raises:
        UsageError: both a number of processes and the address of a cluster.
        MissingExtraError: Ray is asked for and not installed.
    """
    if ray is None:
        return ProcessPool(workers)
    if ray != LOCAL and workers is not None:
        raise UsageError(f"--workers: {workers} is not allowed with --ray {ray}: the cluster has its own number")
    return RayCluster(None if ray == LOCAL else ray, workers)


@contextmanager
def progress_of_cells() -> Iterator[Callable[[Progress], None]]:
    """Tell on standard error how far the cells are: by a bar on a terminal, else by a line now and then.

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
        if time.monotonic() - last >= _TOLD_EVERY_S:
            last = time.monotonic()
            print(f"{at.done} of {at.total} cells, {time_left_text(at.seconds_left)}", file=sys.stderr, flush=True)

    return tell


def _is_address(text: str) -> bool:
    return text in ("auto", LOCAL) or (":" in text and not text.startswith("-"))


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


def report(
    folder: Annotated[Path, typer.Argument(parser=place_of, metavar="DIR", help="Where experiments were written.")],
) -> None:
    """Write report.html, one self-contained page with all figures and tables that a folder holds."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: is not allowed; it must be a folder")
    with refusing():
        path = write_report(folder)
    print(f"Written to {path}.")
