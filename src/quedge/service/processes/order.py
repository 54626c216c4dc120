"""What a process that serves is told by the one that began it, in its environment."""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import NamedTuple

from quedge.errors import not_allowed

VARIABLE = "QUEDGE_PROCESS"
"""The variable; who sets it by hand is refused, or gets a process that ends: nobody is at the other end of its line."""


class Order(NamedTuple):
    """What a process is told.

    Attributes:
        number: its own, from 0.
        line: descriptor of its line.
        lock: descriptor of the lock of the state folder, which it holds as long as it lives.
        port: where reports are taken.
        folder: of the sockets by which processes pass calls on, for their owner alone.
        again: whether it takes the place of one that has ended.
    """

    number: int
    line: int
    lock: int
    port: int
    folder: Path
    again: bool

    def environment(self) -> dict[str, str]:
        """The environment of a process that is told so."""
        return {**os.environ, VARIABLE: json.dumps(self._replace(folder=str(self.folder)))}  # type: ignore[arg-type]


def taken_order(environment: MutableMapping[str, str] = os.environ) -> Order | None:
    """What this process was told, which processes that it begins are not; None of one that nobody told anything.

    Raises:
        ValueError: nobody who looks after processes has told it that.
    """
    told = environment.pop(VARIABLE, None)
    if told is None:
        return None
    try:
        number, line, lock, port, folder, again = json.loads(told)
        for descriptor in (line, lock):
            os.fstat(descriptor)
        return Order(number, line, lock, port, Path(folder), again)
    except (OSError, OverflowError, TypeError, ValueError):
        raise not_allowed(VARIABLE, told, "left unset; quedge serve tells its processes by it") from None


def socket_of(folder: Path, number: int) -> Path:
    """Where a process takes calls that others pass on."""
    return folder / f"{number}.socket"
