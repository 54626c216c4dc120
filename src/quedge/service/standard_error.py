"""Standard error, taken over: what libraries write there past Python becomes lines that a log can have."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import threading
from collections.abc import Callable, Iterator

DESCRIPTOR = 2
_PIPE_BYTES = 1 << 20  # what waits while nobody reads; more is lost, and whoever writes does not wait
_MAX_LINE_BYTES = 8192
_PATIENCE_S = 2.0


@contextlib.contextmanager
def taken_over(on_lines: Callable[[list[str]], None], descriptor: int = DESCRIPTOR) -> Iterator[None]:
    """Have what is written to a descriptor told line by line instead of going where it leads, as it does again after.

    `on_lines` is called in a thread of its own, with the lines that have come since, none of them empty. Where the
    descriptor is closed nothing is taken over.
    """
    try:
        before = os.dup(descriptor)
    except OSError:
        yield
        return
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with contextlib.suppress(OSError):  # a system may allow less
        fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    os.dup2(writes, descriptor)
    os.close(writes)
    reader = threading.Thread(target=_read, args=(reads, on_lines), name="quedge-stderr", daemon=True)
    reader.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os.dup2(before, descriptor)  # nobody writes to the pipe any more, and its reader ends
        os.close(before)
        reader.join(_PATIENCE_S)


def _read(descriptor: int, on_lines: Callable[[list[str]], None]) -> None:
    rest = b""
    with open(descriptor, "rb", buffering=0) as pipe:
        while data := pipe.read(65_536):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _MAX_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            _tell(lines, on_lines)
    _tell([rest], on_lines)


def _tell(lines: list[bytes], on_lines: Callable[[list[str]], None]) -> None:
    texts = [line[:_MAX_LINE_BYTES].decode("utf-8", "replace") for line in lines if line.strip()]
    if texts:
        with contextlib.suppress(Exception):  # whoever is told cannot close the pipe that everybody writes to
            on_lines(texts)
