"""A state from outside: looked at, copied while a service runs, brought back, and forgotten."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from quedge.controller.acknowledged import Acknowledged, read_acknowledged, write_acknowledged
from quedge.controller.journal import LAST, beside, check_complete, new_incarnation, opened, sync_folder
from quedge.controller.records import Entry, Records, translated_errors, upgrade
from quedge.controller.state import StateError
from quedge.controller.state_folder import NAME, journal_files, journal_path, locked, names_in, set_aside


class StoredCell(NamedTuple):
    """What is stored of a base station's cell, all of it read and checked.

    Attributes:
        name: the base station.
        incarnation: the state's identity; empty in a state of version 1.
        version: the version of the journal's schema.
        next_frame: the frame that is due.
        checkpoint: the frame that is due at the checkpoint; None where none was kept.
        entries: the frames since the checkpoint, and the one before it, with their answers.
        migrated_at: the frames from which it was served under another scenario or agent, the queues kept.
        acknowledged: the last frame that was acknowledged, -1 before the first.
        may_lack_frames: whether acknowledged frames are missing, taken by a loss of power.
        size_bytes: size of its files.
    """

    name: str
    incarnation: str
    version: int
    next_frame: int
    checkpoint: int | None
    entries: list[Entry]
    migrated_at: list[int]
    acknowledged: int
    may_lack_frames: bool
    size_bytes: int


def stored_cell(folder: Path, name: str) -> StoredCell:
    """Read a cell's state and check all of it, also while a service writes to it.

    Raises:
        StateError: it is not there, incomplete, foreign or damaged.
        OSError: it cannot be read.
    """
    path = journal_path(folder, name)
    told = _acknowledged(beside(path, LAST))  # before the journal: it never tells of a frame that is not there
    with opened(path) as (database, had_log):
        records = Records(path, database)
        if records.cell != name:
            raise StateError(f"{path}: is not the journal of {name}")
        check_complete(path, records, had_log)
        snapshot, entries = records.checkpoint(), records.entries()
        migrated_at = [migration.frame for migration in records.migrations()]
    checkpoint = None if snapshot is None else snapshot.queues.next_frame
    next_frame = entries[-1].report.frame + 1 if entries else 0
    if next_frame < (checkpoint or 0):
        raise records.damaged(f"frame {(checkpoint or 0) - 1}")
    if entries and entries[0].report.frame > (checkpoint or 0):
        raise records.damaged(f"frame {checkpoint or 0}")
    missing = told.frame >= next_frame
    if missing and told.must_be_there:
        raise records.damaged(f"frame {told.frame}")
    size_bytes = sum(file.stat().st_size for file in journal_files(folder, name))
    return StoredCell(
        name, records.incarnation, records.version, next_frame, checkpoint, entries, migrated_at, told.frame, missing,
        size_bytes,
    )  # fmt: skip


def back_up(folder: Path, names: list[str], to: Path) -> list[StoredCell]:
    """Copy cells as they are now to another folder, also while a service writes to them.

    Returns:
        What was copied, read from the copies.

    Raises:
        StateError: one is not there, incomplete or damaged, or there is one of its name already.
        OSError: one cannot be read or written.
    """
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in names:
        _check_absent(to, name, "choose another folder")
    for name in names:
        stored_cell(folder, name)
        _copy(folder, name, to, incarnation="")
    return [stored_cell(to, name) for name in names]


def restore(backup: Path, names: list[str], folder: Path, force: bool) -> list[StoredCell]:
    """Bring cells back from a backup, each under another incarnation: what was acknowledged since is not in them.

    Args:
        backup: where the backup is.
        names: which cells.
        folder: the folder of a service that does not run; made where it does not exist.
        force: whether cells that are there are replaced; their files are set aside.

    Returns:
        What is there now.

    Raises:
        StateError: a service uses the folder, a cell is there already, or its backup is incomplete or damaged.
        OSError: one cannot be read or written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(locked(folder)):
        for name in names:
            stored_cell(backup, name)
            if not force:
                _check_absent(folder, name, "--force sets it aside")
        for name in names:
            if journal_files(folder, name):
                set_aside(folder, name)
            _copy(backup, name, folder, new_incarnation())
        return [stored_cell(folder, name) for name in names]


def forget(folder: Path, name: str) -> None:
    """Remove all files of a cell of a service that does not run.

    Raises:
        StateError: a service uses the folder, or there is no such cell.
        OSError: they cannot be removed.
    """
    check_folder(folder)
    with closing(locked(folder)):
        check_names(folder, [name])
        for file in journal_files(folder, name):
            file.unlink()
        sync_folder(folder)


def check_folder(folder: Path) -> None:
    """Refuse by a StateError what is no folder."""
    if not folder.is_dir():
        raise StateError(f"{folder}: is no folder; it must be the --state of a service, or a backup of one")


def check_names(folder: Path, names: list[str]) -> list[str]:
    """The names, or all that are there where none is given; a StateError where one is not there."""
    check_folder(folder)
    there = names_in(folder)
    for name in names:
        if not NAME.fullmatch(name) or name not in there:
            known = ", ".join(there) or "no base station at all"
            raise StateError(f"{folder}: {name!r} is not there; there is {known}")
    if not there:
        raise StateError(f"{folder}: there is no base station in it")
    return names or there


def _check_absent(folder: Path, name: str, instead: str) -> None:
    if journal_files(folder, name):
        raise StateError(f"{folder}: {name} is there already; {instead}")


def _copy(folder: Path, name: str, to: Path, incarnation: str) -> None:
    """Copy a cell's journal in one step, and say that it is whole; with an incarnation, under that one."""
    path, making = journal_path(to, name), beside(journal_path(to, name), "-new")
    making.unlink(missing_ok=True)
    os.close(os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with (
        opened(journal_path(folder, name)) as (database, _),
        closing(sqlite3.connect(making, isolation_level=None)) as copy,
        translated_errors(making),
    ):
        database.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # all of it in the one file
        records = Records(making, copy)
        upgrade(copy, records.version, incarnation or records.incarnation or new_incarnation())
        records = Records(making, copy)
        last = records.last()
    frame = -1 if last is None else last.report.frame
    told = Acknowledged(frame, records.incarnation, survives_power=True)
    write_acknowledged(beside(path, LAST), told)
    os.replace(making, path)
    sync_folder(to)


def _acknowledged(path: Path) -> Acknowledged:
    """What the file says, which may be being written."""
    try:
        return read_acknowledged(path) or Acknowledged()
    except StateError:
        return read_acknowledged(path) or Acknowledged()
