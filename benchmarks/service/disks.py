"""A disk that fails when it is told to, under a journal."""

from __future__ import annotations

from enum import StrEnum

from quedge.controller.controller import Controller
from quedge.controller.journal import Journal
from quedge.controller.records import Entry
from quedge.controller.state import Snapshot


class Fault(StrEnum):
    """What happens to an operation on the disk."""

    REFUSED = "refused"
    """Nothing is written, and the caller is told so."""
    DOUBTFUL = "doubtful"
    """It is written, but the caller is told that it was not."""
    DEAD_BEFORE = "dead_before"
    """The process dies; nothing is written."""
    DEAD_AFTER = "dead_after"
    """The process dies when it is written, before anybody is told."""


class Disk:
    """Fails once, some operations from when it is told to; of a process that has died nothing reaches it any more.

    Attributes:
        dead: whether the process has died; what it says since, nobody hears.
        written: the frames that were written, acknowledged or not, by number.
    """

    def __init__(self) -> None:
        self.dead = False
        self.written: dict[int, Entry] = {}
        self._fault: Fault | None = None
        self._operations = 0

    def arm(self, fault: Fault, operations: int) -> None:
        """Fail at an operation: the next one where `operations` is 0."""
        self._fault, self._operations = fault, operations

    def heal(self) -> None:
        """Fail no more, but for a process that has died."""
        self._fault = None

    def begin(self) -> Fault | None:
        """An operation begins; the fault that is to strike after it.

        Raises:
            OSError: it fails before anything is written.
        """
        if self.dead:
            raise OSError(None, "the process has died")
        if self._fault is None:
            return None
        if self._operations > 0:
            self._operations -= 1
            return None
        fault, self._fault = self._fault, None
        if fault in (Fault.REFUSED, Fault.DEAD_BEFORE):
            self.end(fault)
        return fault

    def end(self, fault: Fault | None) -> None:
        """An operation ends.

        Raises:
            OSError: it fails now.
        """
        if fault is not None:
            self.dead = fault in (Fault.DEAD_BEFORE, Fault.DEAD_AFTER)
            raise OSError(None, fault)


class FaultyJournal:
    """A journal on such a disk."""

    def __init__(self, journal: Journal, disk: Disk) -> None:
        self._journal, self._disk = journal, disk

    @property
    def incarnation(self) -> str:
        """See `Journal.incarnation`."""
        return self._journal.incarnation

    @property
    def lost_frames(self) -> int:
        """See `Journal.lost_frames`."""
        return self._journal.lost_frames

    def check_files(self) -> None:
        """See `Journal.check_files`."""

    def append(self, entry: Entry) -> None:
        """See `Journal.append`."""
        fault = self._disk.begin()
        self._journal.append(entry)
        self._disk.written[entry.report.frame] = entry
        self._disk.end(fault)

    def settle(self) -> None:
        """See `Journal.settle`."""
        self._journal.settle()

    def determined_by(self) -> str:
        """See `Journal.determined_by`."""
        return self._journal.determined_by()

    def keep(self, snapshot: Snapshot, determined_by: str | None = None) -> None:
        """See `Journal.keep`."""
        fault = self._disk.begin()
        self._journal.keep(snapshot, determined_by)
        self._disk.end(fault)

    def restore(self, controller: Controller, queues_only: bool = False) -> Entry | None:
        """See `Journal.restore`."""
        fault = self._disk.begin()
        last = self._journal.restore(controller, queues_only)
        self._disk.end(fault)
        return last

    def last(self) -> Entry | None:
        """See `Journal.last`."""
        fault = self._disk.begin()
        last = self._journal.last()
        self._disk.end(fault)
        return last

    def serve_again(self, controller: Controller, entry: Entry) -> None:
        """See `Journal.serve_again`."""
        self._journal.serve_again(controller, entry)

    def close(self) -> None:
        """See `Journal.close`."""
        self._journal.close()
