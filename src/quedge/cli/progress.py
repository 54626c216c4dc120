"""What commands show while they run, and their tables."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from quedge.simulation.measures import Summary


class _Column(NamedTuple):
    """A column of the comparison; a narrow terminal shows only the essential ones."""

    heading: str
    text: Callable[[Summary], str]
    essential: bool = False


_COLUMNS = (
    _Column("queue\nMbit", lambda summary: _number(summary.data_queue_mbit), True),
    _Column("95 %\nMbit", lambda summary: _number(summary.data_queue_p95_mbit), True),
    _Column("delay\nframes", lambda summary: _number(summary.delay_frames)),
    _Column("rate\nMbit/s", lambda summary: _number(summary.weighted_rate_mbps)),
    _Column("energy\nqueue", lambda summary: _number(summary.energy_queue)),
    _Column("power\nW", lambda summary: f"{summary.power_w:.4f}", True),
    _Column("largest\nW", lambda summary: f"{summary.power_max_device_w:.4f}"),
    _Column("offload\nratio", lambda summary: f"{summary.offload_ratio:.3f}", True),
    _Column("of the\noptimum", lambda summary: _share_of_optimum(summary.objective_ratio), True),
    _Column("median\nµs", lambda summary: _time(summary.decision_us_p50), True),
    _Column("99 %\nµs", lambda summary: _time(summary.decision_us_p99)),
)
_DELIVERED = _Column("delivered", lambda summary: f"{summary.delivered_ratio:.4f}", True)
"""Shown where the world is not as the policies assume."""
_LATE = _Column("late\nshare", lambda summary: f"{summary.deadline_violation_ratio:.4f}", True)
"""Shown where there is a deadline."""

_WIDE = 122  # columns of text that all of them need
_PIPE_WIDTH = 132  # columns, where no terminal says how many there are


@contextmanager
def progress_bars(total: int | None = None) -> Iterator[Callable[..., None]]:
    """Bars on standard error, gone at the end; none where that is no terminal.

    Args:
        total: what each bar goes up to; without it, as each call says.

    Yields:
        A function of a bar's name, how much is done and, optionally, of how much; the first call of a name adds a bar.
    """
    if not sys.stderr.isatty():
        yield lambda name, done, of=None: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks = {}

        def report(name: str, done: int, of: int | None = total) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(f"{name:<11}", total=of)
            progress.update(tasks[name], completed=done, total=of)

        yield report


def output_console(piped_width: int = _PIPE_WIDTH, least_width: int = 0) -> Console:
    """Standard output for tables: of the terminal's width, but not below the least, which folds lines."""
    from rich.console import Console

    width = max(Console().width, least_width) if sys.stdout.isatty() else piped_width
    return Console(width=width, highlight=False)


def empty_table(headings: Iterable[str], texts: Collection[int], folded: int | None = None) -> Table:
    """A table whose columns `texts` are no numbers; the column `folded` may take several lines."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column, heading in enumerate(headings):
        table.add_column(heading, justify="left" if column in texts else "right", no_wrap=column != folded)
    return table


def print_note(console: Console, text: str) -> None:
    """Print a remark below a table."""
    console.print(f"  {text}", style="dim", markup=False)


def print_comparison(
    parts: Mapping[str, Mapping[str, Summary]], warmup: float, first_frame: int = 0, has_deadline: bool = False
) -> None:
    """Print a table of summaries, by scenario and policy name, one row per policy, on standard output.

    The means leave out the share `warmup` of the frames; `first_frame` is above 0 where a run goes on with an earlier
    one, and with a deadline bits can be late.
    """
    from rich.text import Text

    console = output_console(_PIPE_WIDTH)
    columns = [column for column in _COLUMNS if column.essential or console.width >= _WIDE]
    summaries = [summary for part in parts.values() for summary in part.values()]
    if any(summary.delivered_ratio != summary.objective_ratio for summary in summaries):
        columns.insert(1 + [column.heading for column in columns].index("of the\noptimum"), _DELIVERED)
    if has_deadline:
        columns.insert(2, _LATE)
    table = empty_table(["scenario", "policy", *(column.heading for column in columns)], texts=(0, 1), folded=0)
    for scenario, part in parts.items():
        for index, (policy, summary) in enumerate(part.items()):
            table.add_row(Text("" if index else scenario), policy, *(column.text(summary) for column in columns))
        table.add_section()
    console.print(table)
    for scenario, part in parts.items():
        print_note(console, _conditions(scenario, next(iter(part.values())), warmup, first_frame))
    if any(summary.decisions_timed == 0 for summary in summaries):
        print_note(console, "Decisions ran in the interpreter and were not timed: nothing is compiled yet (warm-up)")
    sampled = [summary for summary in summaries if 0 < summary.decisions_timed < summary.frames // 4]
    if sampled:
        timed = min(summary.decisions_timed for summary in sampled)
        print_note(console, f"Decision times are those of a sample of {timed:,}; compiled code runs the frames between")
    left_out = [column.heading.replace("\n", " ") for column in _COLUMNS if column not in columns]
    if left_out:
        print_note(console, f"Columns left out at this width: {', '.join(left_out)}; --json has them all")


def print_early(policy: str, summary: Summary) -> None:
    """Print what a policy reached on standard error, where the whole comparison is some time away."""
    figures = f"queue {_number(summary.data_queue_mbit)} Mbit, {summary.power_w:.4f} W"
    with contextlib.suppress(OSError, ValueError):  # nobody reads
        share = _share_of_optimum(summary.objective_ratio)
        print(f"{policy:<15} {figures}, {share} of the optimum", file=sys.stderr, flush=True)


def _conditions(scenario: str, first: Summary, warmup: float, first_frame: int) -> str:
    from quedge.simulation.measures import first_settled_frame

    start = first_frame + first_settled_frame(first.frames, warmup)
    return (
        f"{scenario}: {first.devices} devices, seed {first.seed}, frames {start:,} to {first_frame + first.frames:,}, "
        f"arrivals {_number(first.arrivals_weighted_mbps)} Mbit/s (weighted)"
    )


def _share_of_optimum(ratio: float) -> str:
    """A dash where a policy does not seek the optimum at all: under weights of its own it can fall below zero."""
    return f"{ratio:.4f}" if ratio >= 0.0 else "-"


def _time(value: float | None) -> str:
    """A dash where no decision was timed."""
    return "-" if value is None else _number(value)


def _number(value: float) -> str:
    """Three digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"
