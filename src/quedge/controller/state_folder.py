"""The folder of a service's state: the files of each base station's journal, by name."""

from __future__ import annotations

import datetime
import fcntl
import os
import re
from pathlib import Path
from typing import IO

from quedge.controller.journal import LAST, LOG, SHARED, Durability, Journal, beside, opened
from quedge.controller.records import Records
from quedge.controller.replica import NO_REPLICA, Replica
from quedge.controller.state import StateError

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What a base station may be called."""
SUFFIX = ".journal"
_PROBE_BYTES = 1 << 16  # a few frames of a small cell


def journal_path(folder: Path, name: str) -> Path:
    """Where a base station's journal is."""
    return folder / f"{name}{SUFFIX}"


def journal_files(folder: Path, name: str) -> list[Path]:
    """The files of a base station's journal that are there."""
    path = journal_path(folder, name)
    return [file for file in (path, *(beside(path, ending) for ending in (LOG, SHARED, LAST))) if file.exists()]


def names_in(folder: Path) -> list[str]:
    """The base stations of which there is a file of a journal, if not all."""
    endings = ("", LOG, LAST)
    found = {
        path.name.removesuffix(f"{SUFFIX}{ending}") for ending in endings for path in folder.glob(f"*{SUFFIX}{ending}")
    }
    return sorted(found)


def set_aside(folder: Path, name: str) -> Path:
    """Move the files of a base station's journal to a folder of their own in this one, and tell which."""
    now = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S.%fZ}"
    aside = folder / f"set-aside-{now}"
    aside.mkdir(mode=0o700)
    for file in journal_files(folder, name):
        file.rename(aside / file.name)
    return aside


class StateFolder:
    """A folder with a journal a base station; no two services use one at the same time.

    It is made where it does not exist, for its owner alone; for the other arguments see `Journal`. Of several processes
    of one service each is given the `lock` that they hold together.

    Attributes:
        determined_by: what journals that are opened from now on are served under.

    Raises:
        StateError: another service uses it.
        OSError: it cannot be made or written to.
    """

    def __init__(
        self,
        folder: Path,
        determined_by: str,
        durability: Durability,
        replica: Replica = NO_REPLICA,
        lock: IO[bytes] | None = None,
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._durability, self._replica = folder, durability, replica
        self.determined_by = determined_by
        self._lock = locked(folder) if lock is None else lock

    @property
    def durability(self) -> Durability:
        """What an acknowledged frame survives."""
        return self._durability

    def journal(self, name: str, determined_by: str | None = None) -> Journal:
        """The journal of a base station, served under what it is told here, if anything; errors as of `Journal`."""
        under = self.determined_by if determined_by is None else determined_by
        return Journal(journal_path(self._folder, name), name, under, self._durability, self._replica)

    def begins(self, name: str) -> None:
        """A base station is served from its journal from now on: tell the replica."""
        self._replica.begins(name)

    def determined_by_of(self, name: str) -> str | None:
        """What a base station's answers depended on so far; None where it has no journal. Errors as of `Journal`."""
        path = journal_path(self._folder, name)
        if not path.exists():
            return None
        with opened(path) as (database, _):
            return Records(path, database).determined_by

    def names(self) -> list[str]:
        """The base stations of which there is a file of a journal, if not all."""
        return names_in(self._folder)

    def set_aside(self, name: str) -> Path:
        """See the function of this name."""
        return set_aside(self._folder, name)

    def check_writable(self) -> None:
        """Raise an OSError where a file of a few frames could not be written here now."""
        probe = self._folder / "probe"
        try:
            probe.write_bytes(bytes(_PROBE_BYTES))
        finally:
            probe.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others use the folder."""
        self._lock.close()


def locked(folder: Path) -> IO[bytes]:
    """A state folder's lock; others may have it once it is closed, or the process has ended.

    Raises:
        StateError: a service uses the folder.
        OSError: the lock cannot be opened.
    """
    lock = os.fdopen(os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StateError(f"{folder}: another service uses it; stop that one or choose another folder") from None
    return lock
