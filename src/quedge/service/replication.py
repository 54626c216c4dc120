"""What a first service does for its standby: no frame is acknowledged that the standby lacks while it may take over.

The standby may take over within a lease after it was last heard, and only when the first is gone. So where it falls
silent the first waits until the lease has run out, notes on its disk that the standby may take over no more, and goes
on alone. A first that finds such a note when it starts serves nothing until that standby follows it again: it may have
taken over meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import grpc

from quedge.controller.copies import copied
from quedge.controller.pairing import read_pairing, write_pairing
from quedge.controller.state import StateError
from quedge.controller.state_folder import names_in
from quedge.service import quedge_pb2 as pb
from quedge.service.calls import EndedError
from quedge.service.monitoring.observers import Observer

_WAITS = "the service waits for its standby, which may have taken over"
_UNWRITTEN = "the service's state cannot be read or written now"
_SILENT = "the standby is silent, and the service ends"


class Link:
    """A standby that follows.

    Attributes:
        standby: its identity.
        outgoing: records that are to be sent; None after the last one.
        number: of the last record.
        kept: number of the last record that the standby has kept.
        heard: the last of its requests.
    """

    def __init__(self, standby: str, heard: int) -> None:
        self.standby, self.number, self.kept, self.heard = standby, 0, 0, heard
        self.outgoing: asyncio.Queue[pb.FollowRecord | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def send(self, record: pb.FollowRecord) -> None:
        """Have a record sent, in order; any thread may."""
        self.number += 1
        record.number = self.number
        self._loop.call_soon_threadsafe(self.outgoing.put_nowait, record)

    def end(self) -> None:
        """Have the stream end; any thread may."""
        self._loop.call_soon_threadsafe(self.outgoing.put_nowait, None)


class Replication:
    """The replica of a first service's journals, at whichever standby follows; one at a time.

    Args:
        folder: the service's state.
        lease_s: time without a sign of life after which a standby may take over no more (s).
        observer: who is told of the standby.

    Raises:
        StateError, OSError: the folder's pairing cannot be read.
    """

    def __init__(self, folder: Path, lease_s: float, observer: Observer) -> None:
        self._folder, self._lease_s, self._observer = folder, lease_s, observer
        self._changed = threading.Condition()
        self._pairing = read_pairing(folder)
        self._waits = self._may_take_over  # one that was in sync when the service ended last
        self._heard_at = 0.0
        self._link: Link | None = None
        self._ends = False

    @property
    def waits(self) -> str:
        """Why no reports are served now; empty where they are."""
        return _WAITS if self._waits else ""

    def begins(self, cell: str) -> None:
        """See `Replica.begins`."""
        link = self._link
        if link is not None:
            try:
                self._send_copy(link, cell)
            except (StateError, OSError):  # without it the standby could not take over
                link.end()
                self._lose(link)

    def frame(self, cell: str, frame: int, report: bytes, answer: bytes) -> None:
        """See `Replica.frame`."""
        with self._changed:
            if self._link is not None:
                kept = pb.JournalledFrame(frame=frame, report=report, answer=answer)
                self._link.send(pb.FollowRecord(base_station=cell, frame=kept))
            self._settle()

    def checkpoint(self, cell: str, next_frame: int, standing: bytes, determined_by: str | None) -> None:
        """See `Replica.checkpoint`."""
        with self._changed:
            if self._link is not None:
                kept = pb.JournalledCheckpoint(next_frame=next_frame, standing=standing, determined_by=determined_by)
                self._link.send(pb.FollowRecord(base_station=cell, checkpoint=kept))

    def settle(self) -> None:
        """See `Replica.settle`."""
        with self._changed:
            self._settle()

    def end(self) -> None:
        """From now on the service's port may be closed, and the standby may think that it is gone."""
        with self._changed:
            self._ends = True
            self._changed.notify_all()

    def release(self) -> None:
        """All is answered that will be: the standby need not follow any longer."""
        with self._changed:
            if self._link is not None:
                self._link.end()

    def look(self) -> None:
        """Note it where a standby has fallen silent, though no frame waits; an OSError where that cannot be written."""
        with self._changed:
            if self._may_take_over and not self._waits and not self._ends and self._silence_s() >= self._lease_s:
                self._go_alone("silent")

    async def follow(self, context: Any) -> None:
        """A standby's stream; see the contract. It raises an EndedError where the standby may not follow now."""
        first = await context.read()
        if first is grpc.aio.EOF:
            return
        try:
            link = self._joined(first)
        except OSError:
            raise EndedError(grpc.StatusCode.UNAVAILABLE, _UNWRITTEN) from None
        sending = asyncio.create_task(self._send(link, context))
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._send_copies, link)
            while not sending.done() and (request := await context.read()) is not grpc.aio.EOF:
                self._hear(link, request)
            if not sending.done():
                self._left(link, "left")
        except (StateError, OSError):
            raise EndedError(grpc.StatusCode.UNAVAILABLE, _UNWRITTEN) from None
        finally:
            sending.cancel()
            self._lose(link)

    @property
    def _may_take_over(self) -> str:
        return self._pairing.may_take_over

    def _joined(self, first: pb.FollowRequest) -> Link:
        """A link for a standby that gives up whatever it was told before."""
        with self._changed:
            if self._ends:
                raise EndedError(grpc.StatusCode.UNAVAILABLE, "the service ends")
            others = {self._may_take_over, "" if self._link is None else self._link.standby} - {"", first.standby}
            if others:
                why = "another standby follows" if not self._waits else "another standby is waited for"
                raise EndedError(grpc.StatusCode.FAILED_PRECONDITION, why)
            if self._link is not None:
                self._link.end()
            if self._may_take_over:
                self._go_alone("joined anew")
            self._waits = ""
            self._link = Link(first.standby, first.number)
            return self._link

    def _send_copies(self, link: Link) -> None:
        """Send copies of all cells, and that the standby may take over; records meanwhile are sent in between."""
        names = names_in(self._folder)
        for name in names:
            self._send_copy(link, name)
        with self._changed:
            if self._link is link and not self._ends:
                self._heard_at = time.monotonic()
                self._note(link.standby)
                said = pb.InSync(base_stations=names_in(self._folder), lease_s=self._lease_s)
                link.send(pb.FollowRecord(in_sync=said))
                self._observer.standby_changed("in sync")

    def _send_copy(self, link: Link, name: str) -> None:
        with self._changed:  # nothing is kept between the copy and what is sent after it
            link.send(pb.FollowRecord(base_station=name, copy=copied(self._folder, name)))

    async def _send(self, link: Link, context: Any) -> None:
        while (record := await link.outgoing.get()) is not None:
            record.heard = link.heard
            await context.write(record)

    def _hear(self, link: Link, request: pb.FollowRequest) -> None:
        with self._changed:
            if self._link is not link:  # it must not learn that it was heard: its lease would go on
                return
            link.heard, self._heard_at = request.number, time.monotonic()
            if request.kept > link.kept:
                link.kept = request.kept
                self._changed.notify_all()
            else:
                link.outgoing.put_nowait(pb.FollowRecord())

    def _left(self, link: Link, why: str) -> None:
        """The standby has said that it will not take over."""
        with self._changed:
            if self._link is link and self._may_take_over == link.standby and not self._ends:
                self._go_alone(why)

    def _lose(self, link: Link) -> None:
        with self._changed:
            if self._link is link:
                self._link = None
                self._changed.notify_all()

    def _settle(self) -> None:
        """Wait until the standby has kept all records, or may take over no more."""
        link, number = self._link, 0 if self._link is None else self._link.number
        while self._may_take_over:
            if self._link is not link:  # whose copies have all that was kept until now
                link, number = self._link, 0 if self._link is None else self._link.number
            if link is not None and link.kept >= number:
                return
            if self._waits:
                raise OSError(None, _WAITS)
            if link is None and self._ends:
                raise OSError(None, _SILENT)
            left_s = self._lease_s - self._silence_s()
            if left_s > 0.0:
                self._changed.wait(left_s)
            elif self._ends:
                raise OSError(None, _SILENT)
            else:
                self._go_alone("silent")

    def _silence_s(self) -> float:
        return time.monotonic() - self._heard_at

    def _go_alone(self, why: str) -> None:
        """The standby may take over no more."""
        self._note("")
        if self._link is not None:
            self._link.end()
            self._link = None
        self._changed.notify_all()
        self._observer.standby_changed(why)

    def _note(self, may_take_over: str) -> None:
        pairing = self._pairing._replace(may_take_over=may_take_over)
        write_pairing(self._folder, pairing)
        self._pairing = pairing
