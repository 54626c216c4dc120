"""The options of the commands that run many cells: how many, where, and what is told meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from quedge.experiments.engine.missing import Progress
from quedge.experiments.engine.process_pool import ProcessPool
from quedge.experiments.engine.ray_cluster import RayCluster
from quedge.experiments.engine.time_left import told
from quedge.experiments.engine.workers import Workers
from quedge.interfaces.cli.numbers import seeds_of, workers_of
from quedge.interfaces.cli.refusing import UsageError, place_of

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
        yield lambda at: bar.update(task, completed=at.done, total=at.total, left=told(at.seconds_left))


def _lines_now_and_then() -> Callable[[Progress], None]:
    last = time.monotonic()

    def tell(at: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _TOLD_EVERY_S:
            last = time.monotonic()
            print(f"{at.done} of {at.total} cells, {told(at.seconds_left)}", file=sys.stderr, flush=True)

    return tell


def _is_address(text: str) -> bool:
    return text in ("auto", LOCAL) or (":" in text and not text.startswith("-"))
