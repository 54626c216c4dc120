"""Which frame of a cell was acknowledged last, in a file beside its journal, and to which state it belongs."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import struct
import uuid
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from quedge.controller.state import StateError

_RECORD = struct.Struct("<8sq??16s")
_RECORD_VERSION_1 = struct.Struct("<q?16s")
_DIGEST_BYTES = 16
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Acknowledged(NamedTuple):
    """What the file says.

    Attributes:
        frame: the last frame that was acknowledged; -1 before the first.
        incarnation: the state's, 16 hexadecimal digits; empty in a file of version 1, which has none.
        survives_power: whether each acknowledged frame was on the disk.
        is_closed: whether the journal is whole without its write-ahead log; of version 1 nobody knows, and it is true.
        boot: what tells the machine's boot in which it was written from others.
    """

    frame: int = -1
    incarnation: str = ""
    survives_power: bool = False
    is_closed: bool = True
    boot: bytes = b""

    @property
    def must_be_there(self) -> bool:
        """Whether the frame can only be missing by a mistake; else a loss of power may have taken it."""
        return self.survives_power or self.boot == _boot()

    def packed(self) -> bytes:
        """The bytes of the file."""
        record = _RECORD.pack(
            bytes.fromhex(self.incarnation), self.frame, self.survives_power, self.is_closed, self.boot
        )
        return record + _digest(record)


def read_acknowledged(path: Path) -> Acknowledged | None:
    """What a file says; None where there is none.

    Raises:
        StateError: it is damaged.
        OSError: it cannot be read.
    """
    try:
        held = path.read_bytes()
    except FileNotFoundError:
        return None
    record, digest = held[:-_DIGEST_BYTES], held[-_DIGEST_BYTES:]
    if not held:  # of version 1, before the first frame
        return Acknowledged()
    if len(record) not in (_RECORD.size, _RECORD_VERSION_1.size) or digest != _digest(record):
        raise StateError(f"{path}: is damaged")
    if len(record) == _RECORD_VERSION_1.size:
        frame, survives_power, boot = _RECORD_VERSION_1.unpack(record)
        return Acknowledged(frame, "", survives_power, True, boot)
    incarnation, frame, survives_power, is_closed, boot = _RECORD.unpack(record)
    return Acknowledged(frame, incarnation.hex(), survives_power, is_closed, boot)


def write_acknowledged(path: Path, acknowledged: Acknowledged) -> None:
    """Write the file as a whole, to the disk; an OSError where it cannot be."""
    making = path.with_name(f"{path.name}-new")
    making.unlink(missing_ok=True)
    with closing(_opened(making, os.O_CREAT | os.O_EXCL)) as file:
        file.write(acknowledged.packed())
        os.fsync(file.fileno())
    os.replace(making, path)


class LastAcknowledged:
    """The file while frames are served; nobody else may write to it meanwhile.

    It survives the end of the process. After a loss of power it is sure only if each frame was on the disk by then.

    Args:
        path: the file, which is there.
        incarnation: the state's.
        survives_power: whether acknowledged frames are on the disk.

    Raises:
        StateError: it is damaged.
        OSError: it cannot be opened, or somebody else has it.
    """

    def __init__(self, path: Path, incarnation: str, survives_power: bool) -> None:
        self._file = _opened(path)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._now = read_acknowledged(path) or Acknowledged()
        except BlockingIOError:
            self._file.close()
            raise OSError(None, "is locked: somebody else uses it", str(path)) from None
        except BaseException:
            self._file.close()
            raise
        self._next = Acknowledged(-1, incarnation, survives_power, False, _boot())

    @property
    def frame(self) -> int:
        """The last frame that was acknowledged, -1 before the first."""
        return self._now.frame

    @property
    def must_be_there(self) -> bool:
        """See `Acknowledged.must_be_there`."""
        return self._now.must_be_there

    def write(self, frame: int) -> None:
        """A frame is about to be acknowledged; an OSError where it could not be written."""
        self._write(self._next._replace(frame=frame))

    def write_closed(self) -> None:
        """The journal is whole without its write-ahead log; an OSError where that could not be written."""
        self._write(self._now._replace(is_closed=True))

    def write_renewed(self, incarnation: str, frame: int) -> None:
        """The state goes on after a frame under another incarnation; an OSError where that could not be written."""
        self._next = self._next._replace(incarnation=incarnation)
        self.write(frame)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, now: Acknowledged) -> None:
        os.pwrite(self._file.fileno(), now.packed(), 0)
        self._now = now


def _opened(path: Path, flags: int = 0) -> io.FileIO:
    return io.FileIO(os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600), "r+")


def _boot() -> bytes:
    """What tells this boot of the machine from others; of a system that does not say, each time another."""
    name = _BOOT.read_bytes() if _BOOT.exists() else uuid.uuid4().bytes
    return hashlib.blake2b(name, digest_size=16).digest()


def _digest(record: bytes) -> bytes:
    return hashlib.blake2b(record, digest_size=_DIGEST_BYTES).digest()
