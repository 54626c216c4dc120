"""The service as a whole: what it listens on, how it begins, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc

from quedge.interfaces.service.cells import Cells
from quedge.interfaces.service.servicer import Observer, Servicer
from quedge.interfaces.service.tls.admission import ANY_CLIENT, Admission

_MOST_MESSAGE_BYTES = 4 << 20
_GRACE_S = 2.0  # for clients that do not read their last answers
_KEEPALIVE_MS = 5_000  # a base station that is gone without a word gives its name free after twice that


class Listening(NamedTuple):
    """What the service listens on.

    Attributes:
        host: an address of this machine.
        port: 0 for one of the system's choice.
        credentials: of TLS; None for plain text, which is for loopback addresses only.
    """

    host: str
    port: int
    credentials: Any = None


async def serve(
    cells: Cells,
    policy: str,
    listening: Listening,
    deadline_s: float,
    ready: Callable[[int], None],
    observer: Observer | None = None,
    stopping: Callable[[], None] = lambda: None,
    admission: Admission = ANY_CLIENT,
) -> None:
    """Serve until SIGTERM or SIGINT; then what is being served is answered, and streams end.

    Args:
        cells: the engines; who made them closes them afterwards.
        policy: the policy's name.
        listening: what to listen on.
        deadline_s: time after which a frame of self-reporting devices closes (s).
        ready: called with the port once reports are taken.
        observer: who is told of what happens.
        stopping: called once no new streams are taken.
        admission: what is asked of clients.

    Raises:
        OSError: the address cannot be listened on.
    """
    options = [
        ("grpc.max_receive_message_length", _MOST_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_MS),
        ("grpc.http2.ping_timeout_ms", _KEEPALIVE_MS),  # without it, it would be a minute
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.so_reuseport", 0),  # a second service on the port is refused rather than given half of the streams
    ]
    server = grpc.aio.server(options=options)
    servicer = Servicer(cells, policy, deadline_s, observer, admission)
    server.add_generic_rpc_handlers((servicer.handlers(),))
    address = f"{listening.host}:{listening.port}"
    try:
        if listening.credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, listening.credentials)
    except RuntimeError:
        port = 0
    if port == 0:
        raise OSError(None, "cannot be listened on", address)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError, RuntimeError):  # only the main thread gets signals
            loop.add_signal_handler(name, stop.set)
    await server.start()
    gc.collect()
    gc.freeze()  # what lives as long as the service need not be looked through again
    ready(port)
    try:
        await stop.wait()
    finally:
        stopping()
        servicer.end()
        await server.stop(_GRACE_S)
