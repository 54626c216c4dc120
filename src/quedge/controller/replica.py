"""A second copy of what a journal keeps, elsewhere: the journal tells it, and waits for it where it has to."""

from __future__ import annotations

from typing import Protocol


class Replica(Protocol):
    """Who is told what journals keep, by the cell's name, once each of it is in the journal."""

    def begins(self, cell: str) -> None:
        """There is a journal of a cell that may not have been there before; it must not block."""
        ...

    def frame(self, cell: str, frame: int, report: bytes, answer: bytes) -> None:
        """A frame is kept; returns once it may be acknowledged, an OSError where it must not be."""
        ...

    def checkpoint(self, cell: str, next_frame: int, standing: bytes, determined_by: str | None) -> None:
        """A checkpoint is kept, as `Journal.keep` does; it must not block."""
        ...

    def settle(self) -> None:
        """Returns once all that was kept so far may be acknowledged, an OSError where it must not be."""
        ...


class NoReplica:
    """The replica of a journal that has none."""

    def begins(self, cell: str) -> None:
        """See `Replica.begins`."""

    def frame(self, cell: str, frame: int, report: bytes, answer: bytes) -> None:
        """See `Replica.frame`."""

    def checkpoint(self, cell: str, next_frame: int, standing: bytes, determined_by: str | None) -> None:
        """See `Replica.checkpoint`."""

    def settle(self) -> None:
        """See `Replica.settle`."""


NO_REPLICA = NoReplica()
