"""The copies of a service's journals that its standby keeps, and that go on as the service's own once it takes over."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from quedge.controller.acknowledged import Acknowledged, write_acknowledged
from quedge.controller.journal import (
    LAST,
    LOG,
    SHARED,
    Durability,
    Journal,
    beside,
    new_incarnation,
    opened,
    sync_folder,
)
from quedge.controller.records import Records, translated_errors, upgrade
from quedge.controller.state import StateError
from quedge.controller.state_folder import journal_files, journal_path, locked, names_in


def copied(folder: Path, name: str) -> bytes:
    """A cell's database as it is now, also while a service writes to it.

    Raises:
        StateError: it is not there, or damaged.
        OSError: it cannot be read.
    """
    path = journal_path(folder, name)
    with opened(path) as (database, _), closing(sqlite3.connect(":memory:")) as copy, translated_errors(path):
        database.backup(copy)
        return copy.serialize()


class Copies:
    """A standby's folder; nobody else uses it at the same time.

    What it is told may come again, or be of a time before a cell's copy was made; then it is there already.

    Args:
        folder: the folder, which is there.
        determined_by: what the first must be served under, as it is here.
        durability: what a kept frame survives.

    Raises:
        StateError: a service uses the folder.
        OSError: it cannot be used.
    """

    def __init__(self, folder: Path, determined_by: str, durability: Durability) -> None:
        self._folder, self._durability, self.determined_by = folder, durability, determined_by
        self._lock = locked(folder)
        self._cells: dict[str, _Cell] = {}

    def begin(self) -> None:
        """Copies of all cells are to come."""
        for cell in self._cells.values():
            cell.journal.close()
        self._cells.clear()

    def take(self, name: str, database: bytes) -> None:
        """Keep a cell's copy in place of what is there.

        Raises:
            StateError: it is no journal of the cell, or served under something else than here.
            OSError: it could not be written.
        """
        if name in self._cells:
            self._cells.pop(name).journal.close()
        path, making = journal_path(self._folder, name), beside(journal_path(self._folder, name), "-new")
        making.unlink(missing_ok=True)
        with os.fdopen(os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(database)
            file.flush()
            os.fsync(file.fileno())
        with opened(making) as (connection, _):
            records = Records(making, connection)
            last, checkpoint = records.last(), records.checkpoint()
        frame = -1 if last is None else last.report.frame
        for ending in (LOG, SHARED):  # of the one that is replaced
            beside(path, ending).unlink(missing_ok=True)
        os.replace(making, path)
        write_acknowledged(beside(path, LAST), Acknowledged(frame, records.incarnation))
        sync_folder(self._folder)
        kept_at = 0 if checkpoint is None else checkpoint.queues.next_frame
        self._cells[name] = _Cell(Journal(path, name, self.determined_by, self._durability), frame + 1, kept_at)

    def frame(self, name: str, frame: int, report: bytes, answer: bytes) -> None:
        """Keep a frame; a StateError where one before it is missing, an OSError where it could not be written."""
        cell = self._cells.get(name)
        if cell is None or frame < cell.due:
            return
        if frame > cell.due:
            raise StateError(f"{journal_path(self._folder, name)}: frame {cell.due} of {name} did not come")
        cell.journal.append_packed(frame, report, answer)
        cell.due = frame + 1

    def checkpoint(self, name: str, next_frame: int, standing: bytes, determined_by: str | None) -> None:
        """Keep a checkpoint; errors as of `take`."""
        cell = self._cells.get(name)
        if cell is None or next_frame < cell.kept_at:
            return
        if determined_by is not None and determined_by != self.determined_by:
            raise StateError(f"{name}: the first service is served under another scenario, policy or agent now")
        if determined_by == cell.journal.determined_by():  # the copy has it
            determined_by = None
        cell.journal.keep_packed(next_frame, standing, determined_by)
        cell.kept_at = next_frame

    def complete(self, names: Iterable[str]) -> None:
        """All copies have come, of these cells; others are of before and go."""
        for name in set(names_in(self._folder)) - set(names):
            for file in journal_files(self._folder, name):
                file.unlink()

    def renew(self) -> None:
        """Give all cells another incarnation: what was acknowledged may be missing in them."""
        self.begin()
        for name in names_in(self._folder):
            path, incarnation = journal_path(self._folder, name), new_incarnation()
            with closing(sqlite3.connect(path, isolation_level=None)) as database, translated_errors(path):
                records = Records(path, database)
                upgrade(database, records.version, incarnation)
                last = records.last()
            frame = -1 if last is None else last.report.frame
            write_acknowledged(beside(path, LAST), Acknowledged(frame, incarnation))

    def close(self) -> None:
        """Close the journals, and let others use the folder."""
        with suppress(OSError):
            self.begin()
        self._lock.close()


class _Cell:
    """A cell's journal here, the frame that is due, and the one that is due at its checkpoint."""

    def __init__(self, journal: Journal, due: int, kept_at: int) -> None:
        self.journal, self.due, self.kept_at = journal, due, kept_at
