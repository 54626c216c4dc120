"""Files as a whole: written or not at all, read or refused."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_STALE_S = 3600.0  # nothing is written for that long


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that appears under `path` only once everything has been written to it.

    It is written aside in the same folder and renamed at the end, so that a reader never meets half of it;
    on an error or an interruption nothing is left behind.

    Args:
        path: where the file shall stand; what stands there is replaced.

    Raises:
        OSError: it cannot be written; its `filename` is the path, not the file aside.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(aside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        if isinstance(error, OSError) and str(error.filename) in ("None", str(aside)):
            error.filename, error.filename2 = str(path), None
        raise


def content_of(path: Path) -> bytes:
    """All bytes of a file; a ValueError names one that cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None


def remove_leftovers(folder: Path) -> None:
    """Remove the files aside that processes which were killed have left in a folder; it need not exist."""
    for path in folder.glob(".*.part"):
        with contextlib.suppress(OSError):  # another process may have been faster
            if time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink()


def check_folder_takes_files(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to.

    Rights alone do not tell on every file system, so it is tried; what the trial made is removed again.

    Raises:
        ValueError: the message names the folder, or the file that stands in its way.
    """
    parts = (folder, *folder.absolute().parents)
    nearest = next(place for place in parts if os.path.lexists(place))
    if not os.path.isdir(nearest):
        raise ValueError(f"{nearest}: is a file; it must be a folder")
    try:
        with folder_if_filled(folder):
            tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(f"{folder}: cannot be written to: {error.strerror}") from None


@contextmanager
def folder_if_filled(folder: Path) -> Iterator[None]:
    """A folder for files to be written, made with its parents; those that stay empty are removed again."""
    parts = (folder, *folder.absolute().parents)
    made: list[Path] = []
    try:
        for place in reversed(parts[: next(i for i, place in enumerate(parts) if os.path.lexists(place))]):
            place.mkdir(exist_ok=True)
            made.append(place)
        yield
    finally:
        with contextlib.suppress(OSError):  # it holds files, or somebody else uses it by now
            for place in reversed(made):
                place.rmdir()
