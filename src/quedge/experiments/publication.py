"""The files of an experiment, and their note on shortened runs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from quedge.experiments.engine.store import Store, metadata_of
from quedge.experiments.engine.workers import common_versions
from quedge.experiments.experiment import FULL, Experiment, Grid, Size, points_of
from quedge.experiments.fingerprint import joint_version
from quedge.experiments.presentation import Figure
from quedge.experiments.records import Gathered, Records
from quedge.experiments.results import NotMeasuredError, Results
from quedge.experiments.rows import cells_text, csv_text, figure_header, figure_rows
from quedge.experiments.tables import markdown_of, table_rows, text_of
from quedge.files.atomic import whole_file
from quedge.files.fingerprint import scenario_object
from quedge.model.scenario import PARAMETERS, Scenario


def shortened(experiment: Experiment, size: Size) -> str:
    """The note on shortened runs; empty where all of the experiment ran."""
    full = experiment.full
    if full is None:
        return ""
    sizes = [(grid.sized(size), grid.sized(full)) for grid in experiment.grids]
    frames = [(ran.frames, meant.frames) for ran, meant in sizes if ran.frames < meant.frames]
    seeds = [(ran.seeds, meant.seeds) for ran, meant in sizes if ran.seeds < meant.seeds]
    parts: list[str] = []
    warnings: list[str] = []
    if frames:
        meant = _range(meant for _, meant in frames)
        whose = "the paper's " if experiment.chapter == "The paper" and meant == f"{FULL.frames:,}" else ""
        parts.append(f"{_range(ran for ran, _ in frames)} frames instead of {whose}{meant}")
        warnings.append("queues may not have settled")
    if seeds:
        fewest = min(ran for ran, _ in seeds)
        ran = "one seed" if fewest == 1 else f"{_range(ran for ran, _ in seeds)} seeds"
        parts.append(f"{ran} instead of {_range(meant for _, meant in seeds)}")
        if fewest == 1:
            warnings.append("one seed gives no interval")
    if not parts:
        return ""
    told = f"Shortened: {' and '.join(parts)}"
    return f"{told}; {', and '.join(warnings)}." if warnings else f"{told}."


def _range(numbers: Iterable[int]) -> str:
    different = sorted(set(numbers))
    return " to ".join(f"{number:,}" for number in different[:: max(len(different) - 1, 1)])


MANIFEST = ".experiment.json"

_LETTERS_PER_INCH = 16  # of the note below a figure


def publish(
    experiment: Experiment, size: Size, gathered: Gathered, store: Store, folder: Path, position: int = 0
) -> list[str]:
    """Write an experiment's files, each as a whole or not at all, into a folder, which is made if it does not exist.

    A figure is written as `NAME.png` and `NAME.pdf`, with its numbers in `NAME.csv`; a table as `NAME.csv` and
    `NAME.md`, or `NAME-table.csv` and `NAME-table.md` beside a figure. `NAME-cells.csv` has every number of every run,
    and `NAME.experiment.json`, the manifest, the settings and the place in a report. Where jobs failed, the others'
    numbers are shown.

    Returns:
        The names of the figures and tables that were written; none where every job failed, and older files stay.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name, figure, table = experiment.name, experiment.figure, experiment.table
    if not gathered.records and (folder / f"{name}{MANIFEST}").exists():
        return []  # the files of an earlier run are better than none
    manifest = _manifest(experiment, size, gathered, store, position)
    # The manifest is removed first and written last: where there is one, all files that it names belong to it.
    _remove_old(folder, name)
    written: dict[str, list[str]] = {}
    if gathered.records and figure is not None:
        written[f"{name}.png"] = _publish_figure(figure, gathered.records, folder, name, manifest["shortened"])
        manifest["figure"] = f"{name}.png"
    if gathered.records and table is not None:
        stem = name if figure is None else f"{name}-table"
        rows = table_rows(table, gathered.records)
        notes = [experiment.caption, manifest["shortened"]]
        manifest["table"] = {**text_of(table, rows)._asdict(), "keys": len(table.keys)}
        _write_text(folder / f"{stem}.csv", csv_text([*(key for key, _ in table.keys), "policy"], rows))
        _write_text(folder / f"{stem}.md", markdown_of(table, rows, list(filter(None, notes))))
        written[f"{stem}.md"] = [f"{stem}.csv", f"{stem}.md"]
    if gathered.records:
        _write_text(folder / f"{name}-cells.csv", cells_text(gathered.records))
    manifest["files"] = [f"{name}-cells.csv"] * bool(written) + [file for files in written.values() for file in files]
    _write_text(folder / f"{name}{MANIFEST}", json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    return list(written)


def _publish_figure(figure: Figure, records: Sequence[Records], folder: Path, name: str, note: str) -> list[str]:
    """Draw a figure with a note below, and write it with its numbers; returns the names of its files."""
    from quedge.experiments.figures import draw_figure, save_figure

    rows = figure_rows(figure, records)
    drawn = draw_figure(figure, rows)
    if note:
        drawn.supxlabel(textwrap.fill(note, int(_LETTERS_PER_INCH * drawn.get_figwidth())), fontsize=8, color="#a40000")
    for kind in ("png", "pdf"):
        with whole_file(folder / f"{name}.{kind}") as file:
            save_figure(drawn, file, kind)
    _write_text(folder / f"{name}.csv", csv_text(figure_header(figure), rows))
    return [f"{name}.png", f"{name}.pdf", f"{name}.csv"]


def _remove_old(folder: Path, name: str) -> None:
    """Remove the files that the manifest of an earlier run names."""
    manifest = folder / f"{name}{MANIFEST}"
    try:
        files = json.loads(manifest.read_text(encoding="utf-8")).get("files", [])
    except (OSError, ValueError, AttributeError):
        files = []
    manifest.unlink(missing_ok=True)
    for file in files:
        if isinstance(file, str) and file.startswith(name) and file == Path(file).name:
            (folder / file).unlink(missing_ok=True)


def _manifest(experiment: Experiment, size: Size, gathered: Gathered, store: Store, position: int) -> dict[str, Any]:
    """What the report needs to know of an experiment."""
    cells = {run.cell for record in gathered.records for run in record.runs}
    return {
        "name": experiment.name,
        "title": experiment.title,
        "chapter": experiment.chapter,
        "position": position,
        "caption": experiment.caption,
        "shortened": shortened(experiment, size),
        "remarks": list(experiment.remarks),
        "probe": repr(experiment.probe),
        "runs": [_run(grid, size) for grid in experiment.grids],
        "cells": gathered.cells,
        "failed": gathered.failed,
        "code": joint_version(point.job for point in points_of(experiment, size)),
        "versions": common_versions(
            metadata_of(store.folder / f"{cell}.parquet")["versions"] for cell in sorted(cells)
        ),
        "result": _result(experiment, gathered),
        "defaults": scenario_object(Scenario()),
        "figure": None,
        "table": None,
    }


def _result(experiment: Experiment, gathered: Gathered) -> str | None:
    """The experiment's result sentence; None without one, or where a job failed or a number is missing."""
    if experiment.result is None or gathered.failed:
        return None  # the sentence might not be true of the other jobs
    try:
        return experiment.result(Results(gathered.records))
    except NotMeasuredError:
        return None


def _run(grid: Grid, size: Size) -> dict[str, Any]:
    """The settings of a grid, in words."""
    frames, seeds = grid.sized(size)
    default = Scenario()
    changed = {
        name: getattr(grid.base, name) for name in PARAMETERS if getattr(grid.base, name) != getattr(default, name)
    }
    varied: dict[str, list[Any]] = {}
    for variant in grid.variants:
        for key, value in variant.items():
            if value not in varied.setdefault(key, []):
                varied[key].append(value)
    return {
        "policies": {scheme.name: repr(scheme.policy) for scheme in grid.schemes},
        "scenario": changed,
        "varied": varied,
        "channel": type(grid.channel).__name__,
        "arrivals": type(grid.arrivals).__name__,
        "frames": frames,
        "seeds": list(range(seeds)),
    }


def _write_text(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode())
