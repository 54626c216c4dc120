"""The journal of a cell on disk: a checkpoint, every report since with its answer, and which was acknowledged last."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from quedge.controller.acknowledged import Acknowledged, LastAcknowledged, read_acknowledged, write_acknowledged
from quedge.controller.controller import Controller
from quedge.controller.records import (
    APPLICATION_ID,
    LATEST,
    MIGRATIONS,
    SCHEMA,
    VERSION,
    VERSION_1,
    Entry,
    Records,
    translated_errors,
    unwritable,
    upgrade,
)
from quedge.controller.replica import NO_REPLICA, Replica
from quedge.controller.state import Snapshot, StateError

LOG, SHARED, LAST = "-wal", "-shm", "-last"
"""What the names of the files beside the database end in: SQLite's two, and the last acknowledged frame's."""
_WAL_PAGES = 4000  # after as many the database takes them over, which waits for the disk
_PATIENCE_S = 1.0  # with another who uses the file
_REMEDY = (
    "bring all files of the cell here, restore a backup with `quedge state restore`, or begin it anew at frame 0 "
    "with --new, which sets them aside"
)


class Durability(StrEnum):
    """What a frame that was acknowledged survives."""

    PROCESS = "process"
    """The end of the process, `kill -9` included: the operating system has it."""
    POWER = "power"
    """A loss of power, too: the disk has it. Each acknowledgement waits for the disk."""


def new_incarnation() -> str:
    """The identity of a state that begins: 16 random hexadecimal digits."""
    return secrets.token_hex(8)


def beside(path: Path, ending: str) -> Path:
    """A file beside a journal's database."""
    return path.with_name(path.name + ending)


class Journal:
    """The journal of one cell.

    Args:
        path: the database; made where it does not exist.
        cell: name of the cell.
        determined_by: what the answers depend on besides the reports: scenario, policy, seed and code, as text.
        durability: what an acknowledged frame survives.
        replica: who is told what is kept, and without whom no frame is acknowledged.

    Attributes:
        lost_frames: acknowledged frames that a loss of power took; the state has another incarnation since.

    Raises:
        StateError: the file is no journal, is damaged, lacks a file beside it, or was written under something else.
        OSError: it cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        cell: str,
        determined_by: str,
        durability: Durability = Durability.PROCESS,
        replica: Replica = NO_REPLICA,
    ) -> None:
        self._path, self._cell, self.lost_frames, self._replica = path, cell, 0, replica
        self._log_is_named = False  # whether the write-ahead log's name, too, survives a loss of power
        if not path.exists():
            self._create(determined_by)
        with opened(path) as (database, had_log):
            self._check_ours(Records(path, database), determined_by, had_log)
        with translated_errors(path):
            self._database = _connected(path)
        try:
            self._records = Records(path, self._database)
            with translated_errors(path):
                self._begin(durability)
                self._upgrade()
            survives_power = durability is Durability.POWER
            self._acknowledged = LastAcknowledged(beside(path, LAST), self._records.incarnation, survives_power)
            self._files = {str(file): _identity(file) for file in (path, beside(path, LAST))}
        except BaseException:
            self._database.close()
            raise

    @property
    def incarnation(self) -> str:
        """The state's identity."""
        return self._records.incarnation

    @property
    def size_bytes(self) -> int:
        """Size of the database and its write-ahead log; any thread may ask."""
        size = 0
        for file in (self._path, beside(self._path, LOG)):
            with suppress(OSError):
                size += file.stat().st_size
        return size

    def determined_by(self) -> str:
        """What the next frames' answers depend on besides the reports, as it is written; errors as of `restore`."""
        return Records(self._path, self._database).determined_by

    def append(self, entry: Entry) -> None:
        """Keep a served frame; an OSError where it could not be written, or its replica not be sure of it."""
        self.append_packed(entry.report.frame, entry.report.packed(), entry.answer.packed())

    def append_packed(self, frame: int, report: bytes, answer: bytes) -> None:
        """Keep a served frame, given the bytes of its report and answer; errors as of `append`."""
        self.check_files()
        row = (frame, report, answer, self._records.digest(report, answer))
        try:
            self._database.execute("INSERT INTO frame VALUES (?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            raise unwritable(self._path, error) from None
        try:
            self._name_log()
            self._acknowledged.write(frame)
        except OSError:
            with suppress(sqlite3.Error):  # who is told that it was not kept is told the truth
                self._database.execute("DELETE FROM frame WHERE frame = ?", (frame,))
            raise
        self._replica.frame(self._cell, frame, report, answer)  # where it may have the frame, so has the journal

    def settle(self) -> None:
        """Be sure of the last frame, which may be acknowledged once more; an OSError where its replica is not."""
        self._replica.settle()

    def keep(self, snapshot: Snapshot, determined_by: str | None = None) -> None:
        """Keep a checkpoint, and drop the frames before it, but for the last.

        Where `determined_by` is given, the frames from here on are served under that; so a restart serves again only
        what was served under it.

        Raises:
            OSError: it could not be written; what was there still is.
        """
        self.keep_packed(snapshot.queues.next_frame, snapshot.packed(), determined_by)

    def keep_packed(self, next_frame: int, packed: bytes, determined_by: str | None = None) -> None:
        """Keep a checkpoint, given its bytes and the frame that is due there; see `keep`."""
        self.check_files()
        row = (LATEST, packed, self._records.digest(packed))
        try:
            with _transaction(self._database):
                self._database.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)", row)
                self._database.execute("DELETE FROM frame WHERE frame < ?", (next_frame - 1,))
                if determined_by is not None:
                    self._migrate(next_frame, determined_by)
        except sqlite3.Error as error:
            raise unwritable(self._path, error) from None
        if determined_by is not None:
            self._records = Records(self._path, self._database)
        self._replica.checkpoint(self._cell, next_frame, packed, determined_by)

    def check_files(self) -> None:
        """Raise an OSError where a file of the journal is gone, or another has its name; any thread may ask."""
        for name, identity in list(self._files.items()):
            try:
                found = os.stat(name)
            except OSError:
                raise OSError(None, "was removed while in use", name) from None
            if (found.st_dev, found.st_ino) != identity:
                raise OSError(None, "was replaced while in use", name)

    def restore(self, controller: Controller, queues_only: bool = False) -> Entry | None:
        """Bring a fresh controller to where the last acknowledged frame left it.

        With `queues_only` it takes no more than the queues from the checkpoint, which was another policy's.

        Returns:
            That frame; None where none was served.

        Raises:
            StateError: the journal is damaged, or the controller answers otherwise than it did.
            OSError: it cannot be read.
        """
        snapshot, entries = self._records.checkpoint(), self._records.entries()
        if snapshot is not None and queues_only:
            controller.stand_at(snapshot.queues)
        elif snapshot is not None:
            try:
                controller.restore(snapshot)
            except Exception as error:  # whatever is wrong with it, it is not silently replaced
                raise StateError(f"{self._path}: the checkpoint of {self._cell} cannot be used: {error}") from None
        for entry in entries:
            if entry.report.frame >= controller.queues.next_frame:  # one before the checkpoint is kept for its answer
                self.serve_again(controller, entry)
        last, due = entries[-1] if entries else None, controller.queues.next_frame
        if due > 0 and (last is None or last.report.frame + 1 != due):
            raise self._records.damaged(f"frame {due - 1}")
        if due <= self._acknowledged.frame:
            if self._acknowledged.must_be_there:
                raise self._records.damaged(f"frame {self._acknowledged.frame}")
            self._begin_after_loss(due)
        return last

    def last(self) -> Entry | None:
        """The last frame that is written; None where there is none. Errors as of `restore`."""
        return self._records.last()

    def serve_again(self, controller: Controller, entry: Entry) -> None:
        """Have a controller serve a frame of the journal; a StateError where it answers otherwise than it did."""
        told = f"{self._path}: frame {entry.report.frame} of {self._cell}"
        try:
            again = controller.serve(entry.report, entry.answer.served_by)
        except Exception as error:
            raise StateError(f"{told} cannot be served again: {error}") from None
        if again.packed() != entry.answer.packed():
            raise StateError(f"{told} is answered otherwise than it was")

    def _migrate(self, frame: int, determined_by: str) -> None:
        """Record that frames from here on are served under something else."""
        before = self._records.determined_by
        row = (frame, before, self._records.migration_digest(frame, before))
        self._database.execute(MIGRATIONS)
        self._database.execute("INSERT INTO migration VALUES (?, ?, ?)", row)
        self._database.execute("UPDATE cell SET determined_by = ?", (determined_by,))

    def close(self) -> None:
        """Close the files; what was kept stays."""
        self._database.close()
        with suppress(OSError, ValueError):  # closed before, or on a full disk: the write-ahead log is there, then
            if not beside(self._path, LOG).exists():
                self._acknowledged.write_closed()
        self._acknowledged.close()

    def _create(self, determined_by: str) -> None:
        """Make the database under another name: one that has its name is whole."""
        last, made = beside(self._path, LAST), new_incarnation()
        log = beside(self._path, LOG)
        if log.exists():
            raise StateError(f"{self._path}: is gone, but {log.name} is there, which belongs to it; {_REMEDY}")
        told = read_acknowledged(last)
        if told is not None and told.frame >= 0:
            raise StateError(f"{self._path}: is gone, but {last.name} tells of {told.frame + 1} frames; {_REMEDY}")
        making = beside(self._path, "-new")
        making.unlink(missing_ok=True)
        os.close(os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # SQLite's other files take it over
        with translated_errors(self._path), closing(_connected(making)) as database, _transaction(database):
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {VERSION}")
            for table in SCHEMA:
                database.execute(table)
            database.execute("INSERT INTO cell (name, determined_by, incarnation) VALUES (?, ?, ?)",
                             (self._cell, determined_by, made))  # fmt: skip
        write_acknowledged(last, Acknowledged(incarnation=made))
        os.replace(making, self._path)
        sync_folder(self._path.parent)

    def _check_ours(self, records: Records, determined_by: str, had_log: bool) -> None:
        """Refuse what is incomplete, another cell's, or was served under something else."""
        if records.cell != self._cell:
            raise StateError(f"{self._path}: is not the journal of {self._cell}")
        if records.determined_by != determined_by:
            raise StateError(
                f"{self._path}: {self._cell} was served under another scenario, policy, seed or version of quedge; "
                "serve it so, choose another folder, or take it over with --migrate"
            )
        check_complete(self._path, records, had_log)

    def _begin(self, durability: Durability) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        synchronous = "FULL" if durability is Durability.POWER else "NORMAL"
        self._database.execute(f"PRAGMA synchronous = {synchronous}")
        self._database.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")

    def _upgrade(self) -> None:
        """Give a state of version 1 an incarnation; both files have the same, wherever this is cut short."""
        if self._records.version != VERSION_1:
            return
        last = beside(self._path, LAST)
        told = read_acknowledged(last) or Acknowledged()
        incarnation = told.incarnation or new_incarnation()
        for file in (self._path, beside(self._path, LOG), beside(self._path, SHARED)):
            with suppress(FileNotFoundError):
                file.chmod(0o600)
        write_acknowledged(last, told._replace(incarnation=incarnation))
        with _transaction(self._database):
            upgrade(self._database, VERSION_1, incarnation)
        self._records = Records(self._path, self._database)

    def _begin_after_loss(self, due: int) -> None:
        """Go on without the frames that a loss of power took, under another incarnation: what follows is told apart."""
        with translated_errors(self._path), _transaction(self._database):
            self._database.execute("UPDATE cell SET incarnation = ?, replaced = incarnation", (new_incarnation(),))
        self._records = Records(self._path, self._database)
        self.lost_frames = self._acknowledged.frame + 1 - due
        self._acknowledged.write_renewed(self._records.incarnation, due - 1)

    def _name_log(self) -> None:
        """Have the write-ahead log's name survive, so that its absence is a sign, and know the file again."""
        if not self._log_is_named:
            sync_folder(self._path.parent)
            made = (beside(self._path, LOG), beside(self._path, SHARED))
            self._files = {**self._files, **{str(file): _identity(file) for file in made}}
            self._log_is_named = True


@contextmanager
def opened(path: Path) -> Iterator[tuple[sqlite3.Connection, bool]]:
    """A journal's database to be read and left as it is, and whether its write-ahead log is there.

    Raises:
        StateError: there is none.
        OSError: it cannot be opened.
    """
    if not path.exists():
        raise StateError(f"{path}: is missing; {_REMEDY}")
    had_log = beside(path, LOG).exists()
    how = "mode=ro" if had_log else "immutable=1"  # without the log nobody writes, and none shall be made
    with translated_errors(path):
        address = f"file:{quote(str(path.absolute()))}?{how}"
        database = sqlite3.connect(address, _PATIENCE_S, isolation_level=None, uri=True)
    with closing(database):
        yield database, had_log


def check_complete(path: Path, records: Records, had_log: bool) -> None:
    """Refuse by a StateError a journal that lacks a file beside it, or has another one's.

    `had_log` says whether its write-ahead log was there before the database was opened.
    """
    last, log = beside(path, LAST).name, beside(path, LOG).name
    told = read_acknowledged(beside(path, LAST))
    if told is None:
        raise StateError(f"{path}: {last}, which belongs to it, is missing; {_REMEDY}")
    if not told.is_closed and not had_log:
        raise StateError(f"{path}: {log}, which has its last frames, is missing; {_REMEDY}")
    if records.version != VERSION_1 and told.incarnation not in (records.incarnation, records.replaced):
        raise StateError(f"{path}: {last} belongs to another state; {_REMEDY}")


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _identity(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino


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
