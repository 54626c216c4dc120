"""`quedge state backup`, `restore` and `forget`: what changes a state folder, this one or another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quedge.cli.options import parse_path
from quedge.cli.state.arguments import Folder, Name, Names, refusing_states
from quedge.cli.usage import UsageError
from quedge.controller.stored import StoredCell, back_up, check_names, forget, restore


def backup(
    folder: Folder,
    to: Annotated[Path, typer.Argument(parser=parse_path, metavar="TO", help="Where to; made if it does not exist.")],
    names: Names = None,
) -> None:
    """Copy the state as it is now to another folder, also while a service runs.

    A cell's copy is one moment of it, is read back and checked, and is a state folder of its own. Nothing is
    overwritten.
    """
    with refusing_states():
        chosen = check_names(folder, names or [])
        _check_other(folder, to)
        copies = back_up(folder, chosen, to)
    _print(copies, f"copied to {to}")


def restore_backup(
    backup: Annotated[Path, typer.Argument(parser=parse_path, metavar="BACKUP", help="A backup of a state folder.")],
    folder: Folder,
    names: Names = None,
    force: Annotated[bool, typer.Option("--force", help="Replace cells that are there; they are set aside.")] = False,
) -> None:
    """Bring cells back from a backup; no service may run on the folder.

    Each has another incarnation from then on, by which its clients are told: frames that were acknowledged since the
    backup are not in it. To move a cell without that, stop the service and copy all files of its folder.
    """
    with refusing_states():
        chosen = check_names(backup, names or [])
        _check_other(backup, folder)
        restored = restore(backup, chosen, folder, force)
    _print(restored, f"restored to {folder}")


def forget_cell(folder: Folder, name: Name) -> None:
    """Remove a base station's cell; no service may run on the folder.

    Its next report begins it anew, at frame 0.
    """
    with refusing_states():
        forget(folder, name)
    print(f"{name}: forgotten")


def _check_other(one: Path, other: Path) -> None:
    if one.resolve() == other.resolve():
        raise UsageError(f"{other}: is the same folder; it must be another one")


def _print(cells: list[StoredCell], what: str) -> None:
    for cell in cells:
        print(f"{cell.name}: frame {cell.next_frame} is due, incarnation {cell.incarnation}, {what}")
