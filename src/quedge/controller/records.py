"""What a cell's journal holds, as SQLite keeps it; each part is checked as it is read."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from quedge.controller.answer import Answer
from quedge.controller.report import Report
from quedge.controller.state import Snapshot, StateError

APPLICATION_ID = 0x71656467  # "qedg": by it a file is known as ours
VERSION = 2
VERSION_1 = 1  # without incarnation

SCHEMA = (
    "CREATE TABLE cell (name TEXT NOT NULL, determined_by TEXT NOT NULL, incarnation TEXT NOT NULL DEFAULT '', "
    "replaced TEXT NOT NULL DEFAULT '')",
    "CREATE TABLE checkpoint (place INTEGER PRIMARY KEY, standing BLOB NOT NULL, digest BLOB NOT NULL)",
    "CREATE TABLE frame (frame INTEGER PRIMARY KEY, report BLOB NOT NULL, answer BLOB NOT NULL, digest BLOB NOT NULL)",
)
MIGRATIONS = (
    "CREATE TABLE IF NOT EXISTS migration (frame INTEGER NOT NULL, determined_by TEXT NOT NULL, digest BLOB NOT NULL)"
)
"""Made with the first migration: the frame from which a cell is served under something else, and what it was before."""
LATEST = 1  # the one place in the table of checkpoints
_MIGRATIONS = "SELECT frame, determined_by, digest FROM migration ORDER BY rowid"
_ENTRIES = "SELECT frame, report, answer, digest FROM frame ORDER BY frame"

_UNAVAILABLE = (
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
)  # fmt: skip


class Entry(NamedTuple):
    """A served frame, as the journal keeps it."""

    report: Report
    answer: Answer


class Migration(NamedTuple):
    """A change of what a cell is served under, with its queues kept.

    Attributes:
        frame: the first frame under the new.
        determined_by: what the answers depended on until then.
    """

    frame: int
    determined_by: str


class Records:
    """The records of one cell.

    Args:
        path: where the database is, for messages.
        database: a connection to it.

    Attributes:
        version: the version of its schema.
        cell: the cell's name.
        determined_by: what the answers depend on besides the reports.
        incarnation: random, made when the state began; empty in version 1.
        replaced: the incarnation that it had before a loss of power took frames from it, if one did.

    Raises:
        StateError: it is no journal, is damaged, or of an unknown version.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._path, self._database = path, database
        with translated_errors(path):
            (application,) = database.execute("PRAGMA application_id").fetchone()
            (self.version,) = database.execute("PRAGMA user_version").fetchone()
            if application != APPLICATION_ID:
                raise StateError(f"{path}: is a database of something else")
            if self.version not in (VERSION_1, VERSION):
                raise StateError(f"{path}: is of version {self.version}; this quedge reads versions 1 and {VERSION}")
            (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise StateError(f"{path}: is damaged: {found}")
            rows = database.execute("SELECT * FROM cell").fetchall()
        self.cell, self.determined_by, self.incarnation, self.replaced = "", "", "", ""
        if len(rows) != 1 or not all(isinstance(text, str) for text in rows[0]):
            raise StateError(f"{path}: is damaged: it names no cell")
        self.cell, self.determined_by = rows[0][:2]
        if self.version != VERSION_1:
            self.incarnation, self.replaced = rows[0][2:]

    def checkpoint(self) -> Snapshot | None:
        """The checkpoint; None where none was kept. Errors as of the class."""
        with translated_errors(self._path):
            kept = self._database.execute("SELECT place, standing, digest FROM checkpoint").fetchall()
        if not kept:
            return None
        place, packed, digest = kept[0]
        if len(kept) > 1 or place != LATEST or not self._is_sound(digest, packed):
            raise self.damaged("the checkpoint")
        try:
            return Snapshot.unpacked(packed)
        except ValueError as error:
            raise StateError(f"{self._path}: the checkpoint of {self.cell} cannot be used: {error}") from None

    def entries(self) -> list[Entry]:
        """The frames since the checkpoint, and the one before it, without gaps. Errors as of the class."""
        with translated_errors(self._path):
            rows = self._database.execute(_ENTRIES).fetchall()
        entries = [self._entry(*row) for row in rows]
        for before, entry in pairwise(entries):
            if entry.report.frame != before.report.frame + 1:
                raise self.damaged(f"frame {entry.report.frame - 1}")
        return entries

    def last(self) -> Entry | None:
        """The last frame; None where there is none. Errors as of the class."""
        with translated_errors(self._path):
            rows = self._database.execute(f"{_ENTRIES} DESC LIMIT 1").fetchall()
        return self._entry(*rows[0]) if rows else None

    def migrations(self) -> list[Migration]:
        """All changes of what the cell is served under, the oldest first. Errors as of the class."""
        with translated_errors(self._path):
            if not self._database.execute("SELECT 1 FROM sqlite_master WHERE name = 'migration'").fetchall():
                return []
            rows = self._database.execute(_MIGRATIONS).fetchall()
        for frame, before, digest in rows:
            if not isinstance(before, str) or digest != self.migration_digest(frame, before):
                raise self.damaged(f"the migration at frame {frame}")
        return [Migration(frame, before) for frame, before, _ in rows]

    def migration_digest(self, frame: int, before: str) -> bytes:
        """The digest of the record of a migration."""
        return self.digest(str(frame).encode(), before.encode())

    def digest(self, *parts: bytes) -> bytes:
        """What tells the parts of a record, of this cell, from all others."""
        digest = hashlib.blake2b(digest_size=16)
        for part in (self.cell.encode(), *parts):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()

    def damaged(self, what: str) -> StateError:
        """The error of a part that is not as it was written, or not there."""
        return StateError(f"{self._path}: {what} of {self.cell} is damaged or missing")

    def _entry(self, frame: Any, report: bytes, answer: bytes, digest: bytes) -> Entry:
        if not self._is_sound(digest, report, answer):
            raise self.damaged(f"frame {frame}")
        try:
            entry = Entry(Report.unpacked(report), Answer.unpacked(answer))
        except ValueError as error:
            raise StateError(f"{self._path}: a frame of {self.cell} cannot be read: {error}") from None
        if not frame == entry.report.frame == entry.answer.frame:
            raise self.damaged(f"frame {frame}")
        return entry

    def _is_sound(self, digest: Any, *parts: Any) -> bool:
        return all(isinstance(part, bytes) for part in parts) and digest == self.digest(*parts)


def upgrade(database: sqlite3.Connection, version: int, incarnation: str) -> None:
    """Bring a database of a version to the present one, and give its state an incarnation."""
    if version == VERSION_1:
        for column in ("incarnation", "replaced"):
            database.execute(f"ALTER TABLE cell ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
        database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("UPDATE cell SET incarnation = ?", (incarnation,))


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Tell a database that cannot be used now (OSError) from one that is damaged (StateError)."""
    try:
        yield
    except UnicodeDecodeError:  # a name in the file, in SQLite's own complaint about it
        raise StateError(f"{path}: is damaged") from None
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        unavailable = code & 0xFF in _UNAVAILABLE and code != sqlite3.SQLITE_IOERR_SHORT_READ
        if code & 0xFF == sqlite3.SQLITE_READONLY and os.access(path, os.W_OK):
            unavailable = False  # the file itself says so
        if unavailable:
            raise unwritable(path, error) from None
        raise StateError(f"{path}: is no journal of quedge, or is damaged: {error}") from None


def unwritable(path: Path, error: sqlite3.Error) -> OSError:
    """The error of a database that cannot be used now."""
    return OSError(None, str(error), str(path))
