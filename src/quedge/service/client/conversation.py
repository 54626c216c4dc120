"""A conversation with the service, blocking or asynchronous, and how it fails."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

_HANDSHAKE = "the TLS handshake failed; do the certificates belong to this service?"
_UNKNOWN = "the host's name is not known"
_LOST = "the connection was lost: the service has ended, or speaks TLS where this side does not"
_SIGNS = (
    ("handshake", _HANDSHAKE),
    ("certificate", _HANDSHAKE),
    ("refused", "nothing listens there; is the service running?"),
    ("dns", _UNKNOWN),
    ("resol", _UNKNOWN),
    ("closed", _LOST),
    ("reset", _LOST),
    ("cancel", "the service ended the call"),
    ("failed to connect", "the host cannot be reached"),
)
"""What gRPC says, in lower case, and what is meant; the first one that fits."""


class ServiceUnavailable(ConnectionError):  # noqa: N818  (it tells a state of the service)
    """No answer came: the service is not there, was lost, or did not answer in time.

    Whether the last report was served is not known. Send it again after a reconnect: a report that was served already
    gets the same answer, marked as repeated, and is not served twice.

    Example:
        >>> with quedge.Client("127.0.0.1:1", timeout_s=0.1) as controller:  # nobody listens there
        ...     try:
        ...         controller.decide(0, channel_gain=[2e-10, 3e-11, 1e-10], arrived_mbit=[1.0, 0.0, 3.0])
        ...     except quedge.ServiceUnavailable:
        ...         print("ask again after a while, with the same report")
        ...
        ask again after a while, with the same report
    """


class ReportRefused(Exception):  # noqa: N818  (the contract's own word)
    """The service refused a report and stands where it stood before it.

    Attributes:
        outcome: the reason, by its name in the contract, "BAD_VALUE" for example.
        field: the report's field that is to blame.
        next_frame: the frame that is due; None where the service does not tell.

    Example:
        >>> with quedge.Client(target, "roof-6") as controller:
        ...     try:
        ...         controller.decide(0, channel_gain=[2e-10, -1.0, 1e-10], arrived_mbit=[1.0, 0.0, 3.0])
        ...     except quedge.ReportRefused as refused:
        ...         print(refused.outcome, refused.field)
        ...
        BAD_VALUE channel_gain[1]
    """

    def __init__(self, outcome: str, field: str, message: str, next_frame: int | None = None) -> None:
        super().__init__(message or f"{field}: {outcome}")
        self.outcome = outcome
        self.field = field
        self.next_frame = next_frame


class FreshStart(Exception):  # noqa: N818  (it tells a state of the service)
    """The cell's state is another one than this client has met: begun anew, or restored from a backup.

    Its queues are not those that earlier answers told, and its frames are numbered by its own count. It is raised once;
    the client goes on with the new state.

    Attributes:
        known: incarnation of the state that the client had met.
        incarnation: incarnation of the one that is there now; empty where the base station has not reported to it yet.
        next_frame: the frame that is due there.

    Example:
        >>> with quedge.Client(target, "roof-5") as controller:
        ...     try:
        ...         frame_number = controller.next_frame()
        ...     except quedge.FreshStart as fresh:  # the queues that earlier answers told are void
        ...         frame_number = fresh.next_frame
        ...
        >>> print(frame_number)
        0
    """

    def __init__(self, known: str, incarnation: str, next_frame: int) -> None:
        super().__init__(f"the cell's state {known} is gone; frame {next_frame} of another one is due")
        self.known = known
        self.incarnation = incarnation
        self.next_frame = next_frame


def unavailable(target: str, error: Any, timeout_s: float) -> ServiceUnavailable:
    """What is raised for a `grpc.RpcError`, in plain words."""
    code, details = error.code(), str(error.details() or "")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return too_late(target, timeout_s)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServiceUnavailable(f"{target}: what answers there is no controller of quedge")
    told = next((text for sign, text in _SIGNS if sign in details.casefold()), details or code.name)
    return ServiceUnavailable(f"{target}: {told}")


def too_late(target: str, timeout_s: float) -> ServiceUnavailable:
    """What is raised where a wait has lasted too long."""
    return ServiceUnavailable(f"{target}: no answer came within {timeout_s:g} s")


def stream_ended(target: str) -> ServiceUnavailable:
    """What is raised where a stream ends before its answer."""
    return ServiceUnavailable(f"{target}: the service ended the stream")


_CLOSING_S = 2.0  # for the other side to know of the end


class Conversation:
    """One stream both ways. gRPC's own thread takes what is sent; a second one ends a wait of more than `timeout_s`.

    `call` begins the stream; messages name the target, "host:port"; `on_loss` is called where a reply does not come.
    """

    def __init__(self, call: Callable[..., Any], target: str, timeout_s: float, on_loss: Callable[[], object]) -> None:
        self.target, self._timeout_s, self._on_loss = target, timeout_s, on_loss
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._replies = call(iter(self._requests.get, None))
        self._lock = threading.Lock()
        self._pending = 0  # replies that have not been received
        self._waits_since: float | None = None
        self._over, self._expired = threading.Event(), False
        threading.Thread(target=self._watch, name="quedge-timeout", daemon=True).start()

    def request(self, message: Any) -> Any:
        """Send a message and receive the reply to it; replies that nobody waited for go by.

        Raises:
            ServiceUnavailable: no reply came; the stream is over.
        """
        with self._lock:
            self._send(message)
            while True:
                reply = self._receive()
                if self._pending == 0:
                    return reply

    def send(self, message: Any) -> None:
        """Send a message and wait for nothing."""
        with self._lock:
            self._send(message)

    def receive(self) -> Any:
        """The next reply; raises as `request`."""
        with self._lock:
            return self._receive()

    def close(self) -> None:
        """End it from this side, and wait a little for the other side to know."""
        self._requests.put(None)
        self._timeout_s, self._waits_since = _CLOSING_S, time.monotonic()
        with contextlib.suppress(grpc.RpcError):
            for _ in self._replies:
                pass
        self._over.set()

    def _send(self, message: Any) -> None:
        self._requests.put(message)
        self._pending += 1

    def _receive(self) -> Any:
        self._waits_since = time.monotonic()
        try:
            reply = next(self._replies)
        except (StopIteration, grpc.RpcError) as error:
            raise self._lost(error) from None
        finally:
            self._waits_since = None
        self._pending -= 1
        return reply

    def _lost(self, error: BaseException) -> ServiceUnavailable:
        self._over.set()
        self._requests.put(None)  # gRPC's thread ends
        self._on_loss()
        if self._expired:
            return too_late(self.target, self._timeout_s)
        if isinstance(error, StopIteration):
            return stream_ended(self.target)
        return unavailable(self.target, error, self._timeout_s)

    def _watch(self) -> None:
        while not self._over.wait(self._timeout_s / 8):
            since = self._waits_since
            if since is not None and time.monotonic() - since > self._timeout_s:
                self._expired = True
                self._replies.cancel()
                return


class AsyncConversation:
    """One stream both ways. A wait that is cancelled, or lasts too long, ends it: gRPC would lose the reply.

    `call` is the stream, as it has begun; for the other arguments see `Conversation`.
    """

    def __init__(self, call: Any, target: str, timeout_s: float, on_loss: Callable[[], object]) -> None:
        self.target, self._call, self._timeout_s, self._on_loss = target, call, timeout_s, on_loss
        self._lock = asyncio.Lock()
        self._pending = 0  # replies that have not been received

    async def request(self, message: Any) -> Any:
        """See `Conversation.request`."""
        async with self._lock:
            return await self._within(self._exchange(message))

    async def send(self, message: Any) -> None:
        """See `Conversation.send`; it raises as `request` where the stream takes nothing."""
        await self._within(self._send(message))

    async def receive(self) -> Any:
        """See `Conversation.receive`."""
        async with self._lock:
            return await self._within(self._receive())

    async def close(self) -> None:
        """See `Conversation.close`."""
        with contextlib.suppress(ServiceUnavailable):
            await in_time(self._end(), self.target, _CLOSING_S)
        self._call.cancel()

    async def _end(self) -> None:
        await self._call.done_writing()
        while await self._call.read() is not grpc.aio.EOF:
            pass

    async def _within(self, asked: Awaitable[Any]) -> Any:
        try:
            return await in_time(asked, self.target, self._timeout_s)
        except ServiceUnavailable:
            self._call.cancel()
            self._on_loss()
            raise

    async def _exchange(self, message: Any) -> Any:
        await self._send(message)
        while True:
            reply = await self._receive()
            if self._pending == 0:
                return reply

    async def _send(self, message: Any) -> None:
        await self._call.write(message)
        self._pending += 1

    async def _receive(self) -> Any:
        reply = await self._call.read()
        if reply is grpc.aio.EOF:
            raise stream_ended(self.target)
        self._pending -= 1
        return reply


async def in_time(asked: Awaitable[Any], target: str, timeout_s: float) -> Any:
    """What gRPC gives; a ServiceUnavailable where it gives nothing; the message tells why."""
    try:
        async with asyncio.timeout(timeout_s):
            return await asked
    except grpc.RpcError as error:
        raise unavailable(target, error, timeout_s) from None
    except TimeoutError:
        raise too_late(target, timeout_s) from None
    except asyncio.InvalidStateError:
        raise ServiceUnavailable(f"{target}: the stream is over") from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ServiceUnavailable(f"{target}: the service ended the call") from None  # gRPC tells it so, too
