"""A standby: it follows a first service, keeps all that is acknowledged there, and takes over once that is gone.

It takes over by itself where two things are so: it was in sync, within the lease that the first has confirmed, and at
the first's address the system answers that nothing listens. Then the first's process has ended and has acknowledged
nothing that is not here. A first that cannot be reached may live on the other side of a broken network, and the standby
waits to be told.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NamedTuple

import grpc

from quedge.controller.copies import Copies
from quedge.controller.state import StateError, reason_of
from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from quedge.service.monitoring.observers import Observer
from quedge.service.settings import Address

_BEAT_S = 0.05  # from one sign of life to the next
_MARGIN = 0.9  # of the lease: clocks do not run quite alike
_AGAIN_S = 0.02
_LATER_S = 0.5  # after the first has refused it, or something here failed
_SILENT_MS = 2_000  # a connection on which nothing comes is given up
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", _SILENT_MS),
    ("grpc.keepalive_timeout_ms", _SILENT_MS),
)


class End(Enum):
    """How standing by ends."""

    TOLD = auto()
    """The process is told to end."""
    TAKES_OVER = auto()
    """The first is gone, and all that it acknowledged is here."""
    PROMOTED = auto()
    """It is told to take over, and what was acknowledged may be missing."""


class First(NamedTuple):
    """The service that is followed: where, and how it is secured; in plain text without credentials."""

    address: Address
    credentials: Any = None


class Standby:
    """Follows a first service; it lives in an event loop.

    Args:
        first: whom it follows.
        identity: its own, the same after a restart.
        copies: where it keeps what it is told.
        determined_by: reads once more what is served here, and tells what answers depend on; a ValueError says why not.
        observer: who is told how it stands.
    """

    def __init__(
        self, first: First, identity: str, copies: Copies, determined_by: Callable[[], str], observer: Observer
    ) -> None:
        self._first, self._identity, self._copies = first, identity, copies
        self._determined_by, self._observer = determined_by, observer
        self._signals: asyncio.Queue[End] = asyncio.Queue()
        self._lease_end, self._lease_s = 0.0, 0.0  # it is in sync until then
        self._sent: dict[int, float] = {}  # when requests were sent that are not confirmed
        self._number = self._kept = 0
        self._writing = asyncio.Lock()
        self._call: Any = None
        self._leaves = self._gone_in_time = False

    async def run(self) -> End:
        """Follow until something ends it.

        Raises:
            StateError: the first is served under something else than this standby.
        """
        loop = asyncio.get_running_loop()
        told = {signal.SIGTERM: End.TOLD, signal.SIGINT: End.TOLD, signal.SIGUSR1: End.PROMOTED}
        for name, meant in told.items():
            loop.add_signal_handler(name, self._signals.put_nowait, meant)
        try:
            while True:
                end = await self._follow_until_told()
                while end is None and not await self._is_there():
                    end = await self._without_first()
                if end is not None:
                    return end
        finally:
            for name in told:
                loop.remove_signal_handler(name)

    async def _follow_until_told(self) -> End | None:
        """Follow for as long as the first is there; None once contact is lost."""
        following = asyncio.create_task(self._follow())
        while True:
            told = asyncio.create_task(self._signals.get())
            await asyncio.wait({following, told}, return_when=asyncio.FIRST_COMPLETED)
            if told.done() and told.result() is End.TOLD:
                await self._leave()
                await asyncio.wait({following}, timeout=_LATER_S)
                following.cancel()
                await asyncio.wait({following})
                return End.TOLD
            if told.done():
                self._observer.standing_by("not promoted: the first is there; stop that one")
            else:
                told.cancel()
            if following.done():
                await self._report(following)
                return None

    async def _report(self, following: asyncio.Task[None]) -> None:
        """Tell why following has ended, and wait where trying at once would not help."""
        try:
            await following
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE and error.code() is not grpc.StatusCode.CANCELLED:
                self._observer.standing_by(f"refused: {error.details()}")
                await asyncio.sleep(_LATER_S)
        except OSError as error:
            self._lease_end = 0.0
            self._observer.standing_by(f"cannot keep: {reason_of(error)}")
            await asyncio.sleep(_LATER_S)

    async def _is_there(self) -> bool:
        """Whether something listens at the first's address; if not, `_gone_in_time` says whether it has ended."""
        found = await _look(self._first.address)
        self._gone_in_time = found is _GONE and _now() < self._lease_end
        return found is _THERE

    async def _without_first(self) -> End | None:
        """What is to be done where nobody is there; None to look again."""
        if self._gone_in_time:
            return End.TAKES_OVER
        if _now() >= self._lease_end:
            self._observer.standing_by("behind: the first is not there")
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(self._signals.get(), _AGAIN_S)
        return None

    async def _follow(self) -> None:
        """Follow over one stream.

        Raises:
            grpc.RpcError: it ended otherwise than well.
            StateError: the first is served under something else.
            OSError: it could not be kept.
        """
        target, method = f"{self._first.address.host}:{self._first.address.port}", methods.FOLLOW
        opened = (
            grpc.aio.insecure_channel(target, _OPTIONS)
            if self._first.credentials is None
            else grpc.aio.secure_channel(target, self._first.credentials, _OPTIONS)
        )
        async with opened as channel:
            if not await _is_ready(channel):  # it may be ending just now: what it has allowed still holds
                if _now() >= self._lease_end:
                    self._observer.standing_by("behind: no connection to the first comes about")
                await asyncio.sleep(_AGAIN_S)
                return
            self._give_up()
            kind = channel.stream_stream(method.path, method.request.SerializeToString, method.reply.FromString)
            call = self._call = kind()
            await self._tell(call)
            beating = asyncio.create_task(self._beat(call))
            try:
                while (record := await call.read()) is not grpc.aio.EOF:
                    self._take(record)
                    if record.number:
                        with contextlib.suppress(asyncio.InvalidStateError):  # it is over; the next read says why
                            await self._tell(call)
                if (code := await call.code()) is not grpc.StatusCode.OK:
                    raise grpc.aio.AioRpcError(code, None, None, await call.details())
            except (StateError, OSError):
                await self._leave()
                with contextlib.suppress(TimeoutError, grpc.RpcError):
                    async with asyncio.timeout(_LATER_S):
                        while await call.read() is not grpc.aio.EOF:  # until the first knows
                            pass
                raise
            finally:
                beating.cancel()

    def _give_up(self) -> None:
        """Take over no more, before the first is told that everything begins anew."""
        self._lease_end, self._lease_s, self._number, self._kept = 0.0, 0.0, 0, 0
        self._leaves, self._call = False, None
        self._sent.clear()
        self._copies.begin()

    async def _leave(self) -> None:
        """Say that it will not take over; it will not, from before that."""
        self._lease_end, self._leaves = 0.0, True
        with contextlib.suppress(asyncio.InvalidStateError, grpc.RpcError, TimeoutError):
            async with asyncio.timeout(_LATER_S), self._writing:
                if self._call is not None:
                    await self._call.done_writing()

    async def _beat(self, call: Any) -> None:
        with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError):
            while True:
                await asyncio.sleep(_BEAT_S)
                await self._tell(call)

    async def _tell(self, call: Any) -> None:
        async with self._writing:
            self._number += 1
            self._sent[self._number] = _now()
            await call.write(pb.FollowRequest(standby=self._identity, number=self._number, kept=self._kept))

    def _take(self, record: pb.FollowRecord) -> None:
        what, name = record.WhichOneof("record"), record.base_station
        if what == "copy":
            self._in_sight_of_changes(lambda: self._copies.take(name, record.copy))
        elif what == "frame":
            self._copies.frame(name, record.frame.frame, record.frame.report, record.frame.answer)
        elif what == "checkpoint":
            kept = record.checkpoint
            under = kept.determined_by if kept.HasField("determined_by") else None
            self._in_sight_of_changes(lambda: self._copies.checkpoint(name, kept.next_frame, kept.standing, under))
        elif what == "in_sync":
            self._copies.complete(record.in_sync.base_stations)
            self._lease_s = record.in_sync.lease_s
            self._observer.standing_by("in sync")
        self._kept = max(self._kept, record.number)
        if record.heard in self._sent and self._lease_s and not self._leaves:
            self._lease_end = self._sent[record.heard] + _MARGIN * self._lease_s
        for number in [number for number in self._sent if number < record.heard]:
            del self._sent[number]

    def _in_sight_of_changes(self, take: Callable[[], None]) -> None:
        """Take what may be served under something else than here; then what is served here is read once more."""
        try:
            take()
        except StateError:
            try:
                self._copies.determined_by = self._determined_by()
            except ValueError as error:
                raise StateError(f"the standby's scenario cannot be read: {error}") from None
            take()


async def _is_ready(channel: Any) -> bool:
    """Whether the other side speaks: a process that is being killed may still take connections, for a moment."""
    try:
        async with asyncio.timeout(_SILENT_MS / 1e3):
            while (state := channel.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
                if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                    return False
                await channel.wait_for_state_change(state)
    except TimeoutError:
        return False
    return True


def _now() -> float:
    """What time it is (s), by a clock that goes on while the machine is suspended, as the first's does."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


_THERE, _GONE, _UNKNOWN = object(), object(), object()


async def _look(address: Address) -> object:
    """Whether something listens, the system answers that nothing does, or nobody answers."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host.strip("[]"), address.port, type=socket.SOCK_STREAM)
    except OSError:
        return _UNKNOWN
    told: object = _GONE
    for family, kind, protocol, _, where in found:
        with socket.socket(family, kind, protocol) as trying:
            trying.setblocking(False)
            try:
                async with asyncio.timeout(_BEAT_S * 4):
                    await loop.sock_connect(trying, where)
                return _THERE
            except ConnectionRefusedError:
                continue
            except (OSError, TimeoutError):
                told = _UNKNOWN
    return told
