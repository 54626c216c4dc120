"""Which frame was last acknowledged, told beside the journal.

A write-ahead log that has lost its end, to a damaged byte or to whoever copied a database without it, cannot be told
from one that never had it. So the number of each frame that is acknowledged is written down a second time.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import uuid
from pathlib import Path

_RECORD = struct.Struct("<q?16s")
_DIGEST_BYTES = 16
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Witness:
    """The number of one cell's last acknowledged frame, in a file.

    What is told survives the end of the process. After a loss of power it holds only if each frame was on the disk by
    then; otherwise it is forgotten, as the frames may be.

    Args:
        path: the file; made where it does not exist.
        survives_power: whether frames that are told of are on the disk.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, survives_power: bool) -> None:
        self._survives_power, self._boot = survives_power, _boot()
        self._file = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+")
        self._last = self._read()

    @property
    def last(self) -> int:
        """The last frame that was acknowledged; -1 where none is known to have been."""
        return self._last

    def tell(self, frame: int) -> None:
        """A frame is about to be acknowledged.

        Raises:
            OSError: it could not be written.
        """
        record = _RECORD.pack(frame, self._survives_power, self._boot)
        os.pwrite(self._file.fileno(), record + _digest(record), 0)
        self._last = frame

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
