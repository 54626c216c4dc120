"""What the command line shows: progress while it runs, and tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quedge.simulation.measures import Summary

if TYPE_CHECKING:
    from rich.table import Table

_PIPE_WIDTH = 120  # columns, where no terminal says how many there are


@contextmanager
def progress_bars(frames: int) -> Iterator[Callable[[str, int], None]]:
    """A bar a policy on standard error, gone at the end; none where that is no terminal.

    Yields:
        What to call with a policy's name and the number of its frames done.
    """
    if not sys.stderr.isatty():
        yield lambda name, done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks = {}

        def report(name: str, done: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(f"{name:<11}", total=frames)
            progress.update(tasks[name], completed=done)

        yield report


def comparison_table(title: str, summaries: Mapping[str, Summary], warmup: float) -> Table:
    """A table with one row a policy."""
    from rich import box
    from rich.table import Table

    first = next(iter(summaries.values()))
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", caption_justify="left")
    table.caption = (
        f"means over the frames after the first {warmup:.0%} of {first.frames:,}; {first.devices} devices, seed "
        f"{first.seed}; arrivals {_number(first.arrivals_weighted_mbps)} Mbit/s (weighted)"
    )
    table.add_column("policy")
    for heading in (
        "queue\nMbit", "95 %\nMbit", "delay\nframes", "rate\nMbit/s", "energy\nqueue", "power\nW", "largest\nW",
        "offload\nratio", "of the\noptimum", "decision\nµs", "99 %\nµs",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    for name, summary in summaries.items():
        table.add_row(
            name,
            _number(summary.data_queue_mbit),
            _number(summary.data_queue_p95_mbit),
            _number(summary.delay_frames),
            _number(summary.weighted_rate_mbps),
            _number(summary.energy_queue),
            f"{summary.power_w:.4f}",
            f"{summary.power_max_device_w:.4f}",
            f"{summary.offload_ratio:.3f}",
            f"{summary.objective_ratio:.4f}",
            _number(summary.decision_us_p50),
            _number(summary.decision_us_p99),
        )
    return table


def print_table(table: Table) -> None:
    """Print a table on standard output."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    console.print(table)


def _number(value: float) -> str:
    """Three digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"
