"""The folder of a run: its summary, its scenario, its traces and its figures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quedge.errors import check_installed
from quedge.files.atomic import check_folder_takes_files, whole_file
from quedge.files.scenario import write_scenario
from quedge.files.traces import FORMATS, TraceWriter, check_format
from quedge.model.scenario import Scenario
from quedge.simulation.measures import Outline, Summary

SUMMARY, FIGURE, DELAYS = "summary.json", "figure.png", "delay.png"
_SCENARIO = "scenario.toml"


def summary_object(name: str, summary: Summary) -> dict[str, Any]:
    """A policy's summary as a JSON object, the policy's name first."""
    return {"policy": name, **dataclasses.asdict(summary)}


def check_drawing(what: str) -> None:
    """Refuse to draw without Matplotlib, by a MissingExtraError; `what` says which option goes without the figure."""
    check_installed("matplotlib", what, "Matplotlib", "plot")


def check_folder(folder: Path, names: Sequence[str], traces: str = "csv", figure: bool = True) -> None:
    """Refuse what `write_run` could not write for these policies, before a long run rather than after it.

    Raises:
        ValueError: the format is unknown, the folder is a file, it cannot be made or written to, a folder stands where
            a file must go, or it holds another run's trace that would stay among this run's files.
        MissingExtraError: what writes the traces or draws the figure is not installed.
    """
    check_format(traces)
    if figure:
        check_drawing(f"{FIGURE} (--no-figure does without)")
    check_folder_takes_files(folder)
    files = [_trace_name(name, traces) for name in names]
    for name in (SUMMARY, _SCENARIO, FIGURE, DELAYS, *files):
        if (folder / name).is_dir():
            raise ValueError(f"{folder / name}: is a folder; a file must go there")
    stale = {path.name for kind in FORMATS for path in folder.glob(f"trace-*.{kind}")} - set(files)
    if stale:
        raise ValueError(f"{folder / min(stale)}: belongs to another run; choose another folder or remove it")


def write_run(
    folder: Path, scenario: Scenario, summaries: Mapping[str, Summary], outlines: Mapping[str, Outline]
) -> None:
    """Write the files of the policies' runs of one scenario, beside their traces, each as a whole or not at all.

    `summary.json` holds a list with one object per policy, `scenario.toml` the scenario and, with outlines,
    `figure.png` queues, power and offloading over time, and `delay.png` how long bits wait. `trace-<policy>.csv` (or
    .npz, or .parquet) stands there already. A trace can be played back as a recording of channel gains and arrivals.
    """
    # A summary goes first and comes last: where one stands, all that stands beside it belongs to it.
    for name in (SUMMARY, FIGURE, DELAYS):
        (folder / name).unlink(missing_ok=True)
    write_scenario(scenario, folder / _SCENARIO)
    if outlines:
        from quedge.experiments.figures import Runs, draw_delays, draw_runs

        with whole_file(folder / FIGURE) as file:
            draw_runs([Runs("", outlines)], file)
        with whole_file(folder / DELAYS) as file:
            draw_delays(outlines, file)
    write_json(folder / SUMMARY, [summary_object(name, summary) for name, summary in summaries.items()])


@contextmanager
def trace_file(folder: Path, policy: str, kind: str) -> Iterator[TraceWriter]:
    """A policy's trace in a folder, there as a whole once all goes well."""
    with whole_file(folder / _trace_name(policy, kind)) as file, FORMATS[kind](file) as writer:
        yield writer


def write_json(path: Path, objects: object) -> None:
    """Write a JSON file."""
    with whole_file(path) as file:
        file.write((json.dumps(objects, indent=2, allow_nan=False) + "\n").encode())


def _trace_name(policy: str, kind: str) -> str:
    plain = policy.replace(":", "-").replace(
        "/", "-"
    )  # of a policy of one's own, module:attribute or file.py:attribute
    return f"trace-{plain}.{kind}"
