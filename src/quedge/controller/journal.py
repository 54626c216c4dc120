"""The journal of a cell on disk: a checkpoint, and every report served since with its answer.

A SQLite database in WAL mode. What has been committed survives the end of the process, however it ends; with
`Durability.POWER` also a loss of power. On a restart the reports since the checkpoint are served once more, which
gives the same answers bit for bit, or the journal is not what it says.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from quedge.controller import answer as answers
from quedge.controller import checkpoint
from quedge.controller import report as reports
from quedge.controller.answer import Answer
from quedge.controller.controller import Controller
from quedge.controller.report import Report

APPLICATION_ID = 0x71656467  # "qedg": by it a file is known as ours
VERSION = 1

_SCHEMA = """
CREATE TABLE cell (name TEXT PRIMARY KEY, determined_by TEXT NOT NULL);
CREATE TABLE checkpoint (cell TEXT PRIMARY KEY, standing BLOB NOT NULL, digest BLOB NOT NULL);
CREATE TABLE frame (
    cell TEXT NOT NULL, frame INTEGER NOT NULL, report BLOB NOT NULL, answer BLOB NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (cell, frame)
) WITHOUT ROWID;
"""


class Durability(StrEnum):
    """What a frame that was acknowledged survives."""

    PROCESS = "process"
    """The end of the process, `kill -9` included: the operating system has it."""
    POWER = "power"
    """A loss of power, too: the disk has it. Each acknowledgement waits for the disk."""


class StateError(Exception):
    """The state on disk is damaged, foreign or not this controller's; it is left as it is."""


class Entry(NamedTuple):
    """A served frame, as the journal keeps it."""

    report: Report
    answer: Answer


class Journal:
    """The journal of one cell.

    Args:
        path: the database; made where it does not exist.
        cell: name of the cell.
        determined_by: what the answers depend on besides the reports: scenario, policy, seed and code, as text.
        durability: what an acknowledged frame survives.

    Raises:
        StateError: the file is no journal, is damaged, or was written under something else.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, cell: str, determined_by: str, durability: Durability = Durability.PROCESS) -> None:
        self._path, self._cell = path, cell
        fresh = not path.exists() or path.stat().st_size == 0
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            if fresh:
                self._found()
            self._check_ours()
            self._database.execute("PRAGMA journal_mode = WAL")
            synchronous = "FULL" if durability is Durability.POWER else "NORMAL"
            self._database.execute(f"PRAGMA synchronous = {synchronous}")
            self._database.execute("PRAGMA wal_autocheckpoint = 4000")
            self._check_determined(determined_by)
        except sqlite3.OperationalError as error:
            raise OSError(None, str(error), str(path)) from None
        except sqlite3.DatabaseError as error:
            raise StateError(f"{path}: is no journal of quedge, or is damaged: {error}") from None

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep served frames, in order, all of them or none.

        Raises:
            OSError: they could not be written.
        """
        rows = []
        for entry in entries:
            report, answer = entry.report.packed(), entry.answer.packed()
            rows.append((self._cell, entry.report.frame, report, answer, _digest(report, answer)))
        with self._transaction():
            self._database.executemany("INSERT INTO frame VALUES (?, ?, ?, ?, ?)", rows)

    def keep(self, standing: bytes, next_frame: int) -> None:
        """Keep a checkpoint, and drop the frames that it stands after, but for the last.

        Args:
            standing: where the controller stands, as `checkpoint.packed` gives it.
            next_frame: number of the frame that comes next there.

        Raises:
            OSError: it could not be written; what was there still is.
        """
        with self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)", (self._cell, standing, _digest(standing))
            )
            self._database.execute("DELETE FROM frame WHERE cell = ? AND frame < ?", (self._cell, next_frame - 1))

    def restore(self, controller: Controller) -> Entry | None:
        """Bring a fresh controller to where the last acknowledged frame left it.

        Returns:
            That frame; None where none was served.

        Raises:
            StateError: the journal is damaged, or the controller answers otherwise than it did.
        """
        try:
            kept = self._database.execute(
                "SELECT standing, digest FROM checkpoint WHERE cell = ?", (self._cell,)
            ).fetchone()
            rows = self._database.execute(
                "SELECT frame, report, answer, digest FROM frame WHERE cell = ? ORDER BY frame", (self._cell,)
            ).fetchall()
        except sqlite3.DatabaseError as error:
            raise StateError(f"{self._path}: is damaged: {error}") from None
        if kept is not None:
            standing, digest = kept
            if _digest(standing) != digest:
                raise StateError(f"{self._path}: the checkpoint of {self._cell} is damaged")
            self._stand(controller, standing)
        last = None
        for frame, report, answer, digest in rows:
            if _digest(report, answer) != digest:
                raise StateError(f"{self._path}: frame {frame} of {self._cell} is damaged")
            last = self._entry(report, answer)
            if frame < controller.books.next_frame:
                continue  # the last one before the checkpoint, kept for its answer
            self._serve_again(controller, last)
        return last

    def close(self) -> None:
        """Close the database; what was kept stays."""
        self._database.close()

    def _stand(self, controller: Controller, standing: bytes) -> None:
        try:
            controller.stand(checkpoint.unpacked(standing))
        except Exception as error:  # whatever is wrong with it, it is not silently replaced
            raise StateError(f"{self._path}: the checkpoint of {self._cell} cannot be used: {error}") from None

    def _entry(self, report: bytes, answer: bytes) -> Entry:
        try:
            return Entry(reports.unpacked(report), answers.unpacked(answer))
        except ValueError as error:
            raise StateError(f"{self._path}: a frame of {self._cell} cannot be read: {error}") from None

    def _serve_again(self, controller: Controller, entry: Entry) -> None:
        told = f"{self._path}: frame {entry.report.frame} of {self._cell}"
        try:
            again = controller.serve(entry.report, entry.answer.served_by)
        except Exception as error:
            raise StateError(f"{told} cannot be served again: {error}") from None
        if again.packed() != entry.answer.packed():
            raise StateError(f"{told} is answered otherwise than it was")

    def _found(self) -> None:
        self._database.executescript(
            f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; {_SCHEMA} COMMIT;"
        )

    def _check_ours(self) -> None:
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise StateError(f"{self._path}: is a database of something else")
        if version != VERSION:
            raise StateError(f"{self._path}: is of version {version}, and this quedge reads version {VERSION}")
        (found,) = self._database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise StateError(f"{self._path}: is damaged: {found}")

    def _check_determined(self, determined_by: str) -> None:
        row = self._database.execute("SELECT determined_by FROM cell WHERE name = ?", (self._cell,)).fetchone()
        if row is None:
            with self._transaction():
                self._database.execute("INSERT INTO cell VALUES (?, ?)", (self._cell, determined_by))
        elif row[0] != determined_by:
            raise StateError(
                f"{self._path}: {self._cell} was served under another scenario, policy, seed or version of quedge; "
                "serve it so, or choose another folder"
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise OSError(None, str(error), str(self._path)) from None


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
