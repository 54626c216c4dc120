"""The folder that a run leaves: its summary, traces, scenario and figure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quedge.errors import check_installed
from quedge.files.atomic import check_folder_takes_files, whole_file
from quedge.files.scenario import write_scenario
from quedge.files.traces import FORMATS, check_format, write_trace
from quedge.simulation.measures import Summary
from quedge.simulation.run import ComparedRun

_SUMMARY, _SCENARIO, _FIGURE = "summary.json", "scenario.toml", "figure.png"


def summary_object(name: str, summary: Summary) -> dict[str, Any]:
    """A policy's summary as a JSON object, the policy's name first."""
    return {"policy": name, **dataclasses.asdict(summary)}


def check_drawing(what: str) -> None:
    """Refuse to draw where that is not possible.

    Args:
        what: the figure, and which option goes without it.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    check_installed("matplotlib", what, "Matplotlib", "plot")


def check_folder(folder: Path, names: Sequence[str], traces: str = "csv", figure: bool = True) -> None:
    """Refuse what `write_run` could not write, before a long run rather than after it.

    Args:
        folder: the folder; it need not exist.
        names: the policies that will run.
        traces: format of the traces.
        figure: whether a figure is drawn.

    Raises:
        ValueError: the format is unknown, the folder is a file, it cannot be made or written to, a folder stands where
            a file must go, or it holds another run's trace that would stay among this run's files.
        MissingExtraError: what writes the traces or draws the figure is not installed.
    """
    check_format(traces)
    if figure:
        check_drawing(f"{_FIGURE} (--no-figure does without)")
    check_folder_takes_files(folder)
    files = [_trace_name(name, traces) for name in names]
    for name in (_SUMMARY, _SCENARIO, _FIGURE, *files):
        if (folder / name).is_dir():
            raise ValueError(f"{folder / name}: is a folder; a file must go there")
    stale = {path.name for kind in FORMATS for path in folder.glob(f"trace-*.{kind}")} - set(files)
    if stale:
        raise ValueError(f"{folder / min(stale)}: belongs to another run; choose another folder or remove it")


def write_run(folder: Path, outcomes: Sequence[ComparedRun], traces: str = "csv", figure: bool = True) -> None:
    """Write a run's files into a folder, each as a whole or not at all.

    `summary.json` holds a list with one object a policy, `trace-<policy>.csv` (or .npz, or .parquet) what happened in
    every frame, `scenario.toml` the scenario, and `figure.png` queues, power and offloading over time. A trace can be
    played back as a recording of channel gains and arrivals.

    Args:
        folder: where to write; made where it does not exist.
        outcomes: the policies' runs of the same scenario, at least one.
        traces: format of the traces, one of `trace_file.FORMATS`.
        figure: whether the figure is drawn.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The summary goes first and comes last: where one stands, all that stands beside it belongs to it.
    for name in (_SUMMARY, _FIGURE):
        (folder / name).unlink(missing_ok=True)
    for outcome in outcomes:
        with whole_file(folder / _trace_name(outcome.name, traces)) as file:
            write_trace(outcome.trace, file, traces)
    write_scenario(outcomes[0].trace.scenario, folder / _SCENARIO)
    if figure:
        from quedge.experiments.figures import Runs, draw_runs

        with whole_file(folder / _FIGURE) as file:
            draw_runs([Runs("", {outcome.name: outcome.trace for outcome in outcomes})], file)
    objects = [summary_object(outcome.name, outcome.summary) for outcome in outcomes]
    with whole_file(folder / _SUMMARY) as file:
        file.write((json.dumps(objects, indent=2, allow_nan=False) + "\n").encode())


def _trace_name(policy: str, kind: str) -> str:
    return f"trace-{policy.replace(':', '-')}.{kind}"  # of a policy of one's own, module:attribute
