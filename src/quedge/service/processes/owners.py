"""Which process has which cell: at any time one at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

REST_S = 1.0
"""A cell that has moved stays where it is for as long (s)."""


class Owners:
    """The cells of a service and the processes that have them; it lives in an event loop.

    A cell is had by the process that its stream comes to. It moves where another one gets its next stream, while
    nothing of it is being served.

    Args:
        names: the cells that there are already.
        processes: number of processes.
        most: largest number of cells.
        release: has a process give up a cell; False where it is serving something of it. One that is gone has none.
        clock: what time it is (s).

    Attributes:
        moves: how many cells have moved so far.
    """

    def __init__(
        self,
        names: Iterable[str],
        processes: int,
        most: int,
        release: Callable[[int, str], Awaitable[bool]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owners: dict[str, int | None] = dict.fromkeys(sorted(names))
        self._first = {name: place % processes for place, name in enumerate(self._owners)}
        self._most, self._release, self._clock = most, release, clock
        self._rests_until: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self.moves = 0

    def share(self, process: int, again: bool) -> list[str]:
        """Give a process that begins its share of the cells that nobody has; all of them where it begins `again`."""
        share = [
            name
            for name, owner in self._owners.items()
            if owner is None and (again or self._first.get(name, process) == process)
        ]
        for name in share:
            self._owners[name] = process
        return share

    async def acquire(self, process: int, name: str, begins: bool, moves: bool) -> int | None:
        """Give a process a cell, if that may be.

        Args:
            process: who asks.
            name: the cell's base station.
            begins: whether a cell that there is not yet begins.
            moves: whether it is taken from another process that does nothing for it.

        Returns:
            The process that has it now; None where there is no such cell and none begins, there being enough.
        """
        if name not in self._owners:
            if not begins or len(self._owners) >= self._most:
                return None
            self._owners[name] = process
            return process
        async with self._locks.setdefault(name, asyncio.Lock()):
            owner = self._owners[name]
            if owner not in (None, process):
                if not moves or self._clock() < self._rests_until.get(name, 0.0):
                    return owner
                if not await self._release(owner, name) and self._owners[name] is not None:
                    return owner
                self._rests_until[name] = self._clock() + REST_S
                self.moves += 1
            self._owners[name] = process
            return process

    def ended(self, process: int) -> None:
        """A process is gone, and what it had is nobody's."""
        for name, owner in self._owners.items():
            if owner == process:
                self._owners[name] = None
