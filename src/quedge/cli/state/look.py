"""`quedge state inspect`, `verify` and `export`: what is stored, read only."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from quedge.cli.options import AsJson, parse_path
from quedge.cli.state.arguments import Folder, Name, Names, refusing_states
from quedge.cli.usage import refusing
from quedge.controller.records import Entry
from quedge.controller.state import StateError
from quedge.controller.stored import StoredCell, check_names, stored_cell
from quedge.files.atomic import check_folder_takes_files, whole_file

_VALUES = (
    "offload", "transmit_power_w", "cpu_frequency_hz", "time_share", "rate_mbps", "power_w", "data_queue_mbit",
    "energy_queue",
)  # fmt: skip


def inspect(folder: Folder, names: Names = None, as_json: AsJson = False) -> None:
    """Show what is stored of each base station's cell, also while a service runs.

    All of it is read and checked; a cell whose state cannot be used is told with the reason, and the exit status is 1.
    """
    found = _found(folder, names or ())
    if as_json:
        print(json.dumps({name: _as_object(each) for name, each in found.items()}))
    else:
        for name, each in found.items():
            print(f"{name}: {each if isinstance(each, str) else _in_words(each)}")
    if any(isinstance(each, str) for each in found.values()):
        raise typer.Exit(1)


def verify(folder: Folder, names: Names = None) -> None:
    """Read all of a state and check it, also while a service runs.

    Every record is compared with its digest, frames must follow one another up to the last one that was acknowledged,
    and all files must be there and belong together. That they are answered alike is checked by a start of the service.
    The exit status is 1 where something is wrong.
    """
    found = _found(folder, names or ())
    for name, each in found.items():
        print(f"{name}: {each}" if isinstance(each, str) else f"{name}: complete, {each.next_frame} frames")
    if any(isinstance(each, str) for each in found.values()):
        raise typer.Exit(1)


def export(
    folder: Folder,
    name: Name,
    out: Annotated[
        Path | None, typer.Argument(parser=parse_path, metavar="[FILE]", help="Where to; without it, standard output.")
    ] = None,
) -> None:
    """Write the frames that are stored of a cell as JSON Lines, also while a service runs.

    An object a frame: what was reported, of which devices, and what was answered. Stored are the frames since the last
    checkpoint, and the one before it: 1,001 at most of a service that runs, the last one of one that was stopped.
    """
    with refusing_states():
        check_names(folder, [name])
        lines = "".join(f"{json.dumps(_frame_object(entry))}\n" for entry in stored_cell(folder, name).entries)
    if out is None:
        sys.stdout.write(lines)
        return
    with refusing():
        check_folder_takes_files(out.parent)
        if out.is_dir():
            raise ValueError(f"FILE: {out}: is a folder; it must be a file name")
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(out) as file:
        file.write(lines.encode())


def _found(folder: Path, names: Sequence[str]) -> dict[str, StoredCell | str]:
    """What is stored of each cell, or in words why it cannot be used."""
    found: dict[str, StoredCell | str] = {}
    with refusing_states():
        chosen = check_names(folder, list(names))
    for name in chosen:
        try:
            found[name] = stored_cell(folder, name)
        except StateError as error:
            found[name] = str(error)
    return found


def _in_words(cell: StoredCell) -> str:
    kept = "none" if cell.checkpoint is None else f"at frame {cell.checkpoint}"
    lost = "; a loss of power took acknowledged frames" if cell.may_lack_frames else ""
    known = cell.incarnation or "none, version 1"
    changed = f", migrated at frame {', '.join(map(str, cell.migrated_at))}" if cell.migrated_at else ""
    return (
        f"frame {cell.next_frame} is due, checkpoint {kept}, {len(cell.entries)} frames stored, "
        f"{cell.size_bytes / 1e6:.2f} MB, incarnation {known}{changed}{lost}"
    )


def _as_object(cell: StoredCell | str) -> dict[str, Any]:
    if isinstance(cell, str):
        return {"error": cell}
    stored = cell._asdict()
    del stored["name"]
    return {**stored, "entries": len(cell.entries)}


def _frame_object(entry: Entry) -> dict[str, Any]:
    report, answer = entry
    return {
        "frame": report.frame,
        "devices": report.devices.tolist(),
        "channel_gain": report.channel_gain.tolist(),
        "arrived_mbit": report.arrived_mbit.tolist(),
        "measured_data_queue_mbit": _or_null(report.data_queue_mbit),
        "served_by": answer.served_by.value,
        "status": str(answer.status),
        **{name: getattr(answer, name).tolist() for name in _VALUES},
        "objective": answer.objective,
        "upper_bound": _or_null(np.array([answer.upper_bound]))[0],
        "is_tdma": answer.is_tdma,
    }


def _or_null(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
