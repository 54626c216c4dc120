"""What all plots share: axes at a column's width, the runs that are given, a legend, and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quedge.errors import check_installed, not_allowed, one_of
from quedge.experiments import presentation
from quedge.experiments.figures import style
from quedge.simulation.measures import Outline, outline_of
from quedge.simulation.trace import Trace

COLUMN_INCHES = 3.5
"""Width of one column of a two-column page, 88.9 mm."""

PRINT: Any = {
    "font.size": 8.0, "axes.titlesize": 8.0, "axes.labelsize": 8.0, "legend.fontsize": 7.0,
    "xtick.labelsize": 7.0, "ytick.labelsize": 7.0, "axes.linewidth": 0.6,
}  # fmt: skip
"""Sizes of letters and lines (points), for a figure that is printed as large as it is."""

_FILES: Mapping[str, Mapping[str, None]] = {
    "pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None},
}  # fmt: skip
_KEPT: Any = {"pdf.fonttype": 42, "svg.hashsalt": "quedge"}  # letters stay letters; equal bytes

MEASURES = {each.name: each for each in vars(presentation).values() if isinstance(each, presentation.Measure)}
"""What is known of how to show a measure, by its name."""


@contextmanager
def panel(ax: Any, height: float = 2.3) -> Iterator[Any]:
    """The axes to draw on: those given, as they are, or new ones at a column's width in the style for print.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    check_installed("matplotlib", "quedge.plot", "Matplotlib", "plot")
    if ax is not None:
        yield ax
        return
    from matplotlib import pyplot

    with pyplot.rc_context(PRINT):
        _, ax = pyplot.subplots(figsize=(COLUMN_INCHES, height), layout="constrained")
        yield ax
        ax.tick_params(labelsize=PRINT["xtick.labelsize"])  # of ticks that are made later, too


def save(ax: Any, file: str | Path) -> None:
    """Write the figure of some axes: vector with its letters kept as letters, or pixels.

    The same figure gives the same bytes.

    Args:
        ax: one of its axes.
        file: file name; its ending says what is written: `.pdf` and `.svg` are vector, `.png` is pixels (150 an inch).

    Raises:
        ValueError: the file's ending is another one.

    Example:
        >>> run = quedge.simulate(quedge.Scenario(devices=3), quedge.BestSingle(), frames=100)
        >>> quedge.plot.save(quedge.plot.queue(run), "queue.pdf")
    """
    kind = Path(file).suffix.removeprefix(".").lower()
    if kind not in _FILES:
        raise not_allowed("file", str(file), f"a name that ends in {one_of(f'.{each}' for each in _FILES)}")
    from matplotlib import rc_context

    with rc_context(_KEPT):
        ax.figure.savefig(file, format=kind, dpi=150, metadata=dict(_FILES[kind]))


def runs_of(traces: Any) -> dict[str, Trace | Outline]:
    """Runs by name; a single one has no name.

    Raises:
        ValueError: it is neither a trace nor a mapping from names to traces.
    """
    if isinstance(traces, Trace | Outline):
        return {"": traces}
    if isinstance(traces, Mapping) and traces and all(isinstance(run, Trace | Outline) for run in traces.values()):
        return {str(name): run for name, run in traces.items()}
    raise not_allowed("traces", traces, "a Trace, or a mapping from names to Traces, at least one")


def outlines_of(traces: Any, warmup: float) -> dict[str, Outline]:
    """As `runs_of`, with what is drawn of each run."""
    return {name: run if isinstance(run, Outline) else outline_of(run, warmup) for name, run in runs_of(traces).items()}


def label_lines(ax: Any, lines: Mapping[str, Any]) -> None:
    """A legend above the axes, where it covers no line, if lines have names."""
    if any(lines):
        ax.legend(
            list(lines.values()), [style.in_figure(name) for name in lines], loc="lower center",
            bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, handlelength=3.0, fontsize=PRINT["legend.fontsize"],
        )  # fmt: skip


def label_of(measure: str) -> str:
    """A measure's name on an axis, with its unit where it is known."""
    return style.in_figure(MEASURES[measure].label) if measure in MEASURES else measure
