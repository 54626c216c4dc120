"""The journal of a cell on disk: a checkpoint, every report since with its answer, and which was acknowledged last."""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import struct
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from quedge.controller.answer import Answer
from quedge.controller.controller import Controller
from quedge.controller.report import Report
from quedge.controller.state import Snapshot

_RECORD = struct.Struct("<q?16s")
_DIGEST_BYTES = 16
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class LastAcknowledged:
    """The number of one cell's last acknowledged frame, in a file.

    It survives the end of the process. After a loss of power it holds only if each frame was on the disk by then;
    otherwise it is forgotten, as the frames may be.

    Args:
        path: the file; made where it does not exist.
        survives_power: whether acknowledged frames are on the disk.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, survives_power: bool) -> None:
        self._survives_power, self._boot = survives_power, _boot()
        self._file = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+")
        self._frame = self._read()

    @property
    def frame(self) -> int:
        """The last frame that was acknowledged; -1 where none is known to have been."""
        return self._frame

    def write(self, frame: int) -> None:
        """A frame is about to be acknowledged; an OSError where it could not be written."""
        record = _RECORD.pack(frame, self._survives_power, self._boot)
        os.pwrite(self._file.fileno(), record + _digest(record), 0)
        self._frame = frame

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self) -> int:
        held = os.pread(self._file.fileno(), _RECORD.size + _DIGEST_BYTES, 0)
        record, digest = held[: _RECORD.size], held[_RECORD.size :]
        if len(record) < _RECORD.size or digest != _digest(record):
            return -1
        frame, survived_power, boot = _RECORD.unpack(record)
        return int(frame) if survived_power or boot == self._boot else -1


def _boot() -> bytes:
    """What tells this boot of the machine from others; of a system that does not say, each time another."""
    name = _BOOT.read_bytes() if _BOOT.exists() else uuid.uuid4().bytes
    return hashlib.blake2b(name, digest_size=16).digest()


def _digest(record: bytes) -> bytes:
    return hashlib.blake2b(record, digest_size=_DIGEST_BYTES).digest()


APPLICATION_ID = 0x71656467  # "qedg": by it a file is known as ours
VERSION = 1

_SCHEMA = """
CREATE TABLE cell (name TEXT NOT NULL, determined_by TEXT NOT NULL);
CREATE TABLE checkpoint (place INTEGER PRIMARY KEY, standing BLOB NOT NULL, digest BLOB NOT NULL);
CREATE TABLE frame (frame INTEGER PRIMARY KEY, report BLOB NOT NULL, answer BLOB NOT NULL, digest BLOB NOT NULL);
"""
_ENTRIES = "SELECT frame, report, answer, digest FROM frame ORDER BY frame"
_LATEST = 1  # the one place in the table of checkpoints
_WAL_PAGES = 4000  # after as many the database takes them over, which waits for the disk
_PATIENCE_S = 1.0  # with another who uses the file

_UNAVAILABLE = (
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
)  # fmt: skip


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
        with self._translate_errors():
            if not path.exists():
                self._create(determined_by)
            self._database = _connected(path)
        try:
            with self._translate_errors():
                self._check_ours(determined_by)
                self._begin(durability)
            beside = path.with_name(f"{path.name}-last")
            self._acknowledged = LastAcknowledged(beside, survives_power=durability is Durability.POWER)
        except BaseException:
            self._database.close()
            raise

    def append(self, entry: Entry) -> None:
        """Keep a served frame; an OSError where it could not be written."""
        frame, report, answer = entry.report.frame, entry.report.packed(), entry.answer.packed()
        row = (frame, report, answer, self._digest(report, answer))
        try:
            self._database.execute("INSERT INTO frame VALUES (?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            raise self._unwritable(error) from None
        self._acknowledged.write(frame)

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a checkpoint, and drop the frames before it, but for the last.

        Raises:
            OSError: it could not be written; what was there still is.
        """
        packed = snapshot.packed()
        row = (_LATEST, packed, self._digest(packed))
        try:
            with _transaction(self._database):
                self._database.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)", row)
                self._database.execute("DELETE FROM frame WHERE frame < ?", (snapshot.queues.next_frame - 1,))
        except sqlite3.Error as error:
            raise self._unwritable(error) from None

    def restore(self, controller: Controller) -> Entry | None:
        """Bring a fresh controller to where the last acknowledged frame left it.

        Returns:
            That frame; None where none was served.

        Raises:
            StateError: the journal is damaged, or the controller answers otherwise than it did.
            OSError: it cannot be read.
        """
        with self._translate_errors():
            kept = self._database.execute("SELECT place, standing, digest FROM checkpoint").fetchall()
            rows = self._database.execute(_ENTRIES).fetchall()
        for place, packed, digest in kept:
            if place != _LATEST or not self._is_sound(digest, packed):
                raise self._damaged("the checkpoint")
            try:
                controller.restore(Snapshot.unpacked(packed))
            except Exception as error:  # whatever is wrong with it, it is not silently replaced
                raise StateError(f"{self._path}: the checkpoint of {self._cell} cannot be used: {error}") from None
        last = None
        for frame, report, answer, digest in rows:
            follows = last is None or frame == last.report.frame + 1
            last = self._entry(frame, report, answer, digest)
            if not follows:
                raise self._damaged(f"frame {frame - 1}")
            if frame >= controller.queues.next_frame:  # one before the checkpoint is kept for its answer
                self.serve_again(controller, last)
        if controller.queues.next_frame > 0 and (last is None or last.report.frame + 1 != controller.queues.next_frame):
            raise self._damaged(f"frame {controller.queues.next_frame - 1}")
        if controller.queues.next_frame <= self._acknowledged.frame:
            raise self._damaged(f"frame {self._acknowledged.frame}")
        return last

    def last(self) -> Entry | None:
        """The last frame that is written; None where there is none. Errors as of `restore`."""
        with self._translate_errors():
            rows = self._database.execute(f"{_ENTRIES} DESC LIMIT 1").fetchall()
        return self._entry(*rows[0]) if rows else None

    def serve_again(self, controller: Controller, entry: Entry) -> None:
        """Have a controller serve a frame of the journal; a StateError where it answers otherwise than it did."""
        told = f"{self._path}: frame {entry.report.frame} of {self._cell}"
        try:
            again = controller.serve(entry.report, entry.answer.served_by)
        except Exception as error:
            raise StateError(f"{told} cannot be served again: {error}") from None
        if again.packed() != entry.answer.packed():
            raise StateError(f"{told} is answered otherwise than it was")

    def close(self) -> None:
        """Close the files; what was kept stays."""
        self._database.close()
        self._acknowledged.close()

    def _create(self, determined_by: str) -> None:
        """Make the database under another name: one that has its name is whole."""
        left = self._path.with_name(f"{self._path.name}-wal")
        if left.exists():
            raise StateError(f"{self._path}: is gone, but {left} is there, which belongs to it")
        making = self._path.with_name(f"{self._path.name}-new")
        making.unlink(missing_ok=True)
        with closing(_connected(making)) as database, _transaction(database):
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {VERSION}")
            for table in _SCHEMA.strip().splitlines():
                database.execute(table)
            database.execute("INSERT INTO cell VALUES (?, ?)", (self._cell, determined_by))
        os.replace(making, self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name, too, survives a loss of power
        finally:
            os.close(folder)

    def _begin(self, durability: Durability) -> None:
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        synchronous = "FULL" if durability is Durability.POWER else "NORMAL"
        self._database.execute(f"PRAGMA synchronous = {synchronous}")
        self._database.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")

    def _check_ours(self, determined_by: str) -> None:
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise StateError(f"{self._path}: is a database of something else")
        if version != VERSION:
            raise StateError(f"{self._path}: is of version {version}, and this quedge reads version {VERSION}")
        (found,) = self._database.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise StateError(f"{self._path}: is damaged: {found}")
        rows = self._database.execute("SELECT name, determined_by FROM cell").fetchall()
        if [row[0] for row in rows] != [self._cell]:
            raise StateError(f"{self._path}: is not the journal of {self._cell}")
        if rows[0][1] != determined_by:
            raise StateError(
                f"{self._path}: {self._cell} was served under another scenario, policy, seed or version of quedge; "
                "serve it so, or choose another folder"
            )

    def _entry(self, frame: Any, report: bytes, answer: bytes, digest: bytes) -> Entry:
        if not self._is_sound(digest, report, answer):
            raise self._damaged(f"frame {frame}")
        try:
            entry = Entry(Report.unpacked(report), Answer.unpacked(answer))
        except ValueError as error:
            raise StateError(f"{self._path}: a frame of {self._cell} cannot be read: {error}") from None
        if not frame == entry.report.frame == entry.answer.frame:
            raise self._damaged(f"frame {frame}")
        return entry

    def _digest(self, *parts: bytes) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        for part in (self._cell.encode(), *parts):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()

    def _is_sound(self, digest: Any, *parts: Any) -> bool:
        return all(isinstance(part, bytes) for part in parts) and digest == self._digest(*parts)

    def _damaged(self, what: str) -> StateError:
        return StateError(f"{self._path}: {what} of {self._cell} is damaged or missing")

    def _unwritable(self, error: sqlite3.Error) -> OSError:
        return OSError(None, str(error), str(self._path))

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Tell a file that cannot be used now from one that is damaged."""
        try:
            yield
        except UnicodeDecodeError:  # a name in the file, in SQLite's own complaint about it
            raise StateError(f"{self._path}: is damaged") from None
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0)
            unavailable = code & 0xFF in _UNAVAILABLE and code != sqlite3.SQLITE_IOERR_SHORT_READ
            if code & 0xFF == sqlite3.SQLITE_READONLY and os.access(self._path, os.W_OK):
                unavailable = False  # the file itself says so
            if unavailable:
                raise self._unwritable(error) from None
            raise StateError(f"{self._path}: is no journal of quedge, or is damaged: {error}") from None


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, _PATIENCE_S, isolation_level=None, check_same_thread=False)


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
