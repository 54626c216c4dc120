"""What comes at the process's ports from outside: too many, too much, or nonsense."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import grpc
import numpy as np

from benchmarks.service.chaos.arena import DEVICES, Arena
from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from tests.service import wire

CLIENTS, ROUNDS = 16, 5
SILENT = 250
BYTES = 4096


def flood_web(arena: Arena, rng: np.random.Generator) -> None:
    """Many clients ask for metrics at once; nobody gets half an answer, or one that is another's."""
    _by_many(lambda: _ask(arena, {}, (200, 503, 0)))


def foreign_pages(arena: Arena, rng: np.random.Generator) -> None:
    """Pages of another origin ask from a browser."""
    _by_many(lambda: _ask(arena, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, (403, 503, 0)))


def silent_connections(arena: Arena, rng: np.random.Generator) -> None:
    """More connections that say nothing than would be good for the descriptors."""
    ports = [_port(arena.child.target)] * (SILENT - 40) + [arena.child.web] * 40
    with contextlib.ExitStack() as held:
        for port in ports:
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_connection(("127.0.0.1", port), 1.0))
        time.sleep(float(rng.uniform(0.1, 1.0)))


def garbage(arena: Arena, rng: np.random.Generator) -> None:
    """Random bytes at every port, some after the beginning of what is spoken there; some clients are reset."""
    beginnings = (b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /metrics HTTP/1.1\r\n", b"\x16\x03\x01")
    for port in (_port(arena.child.target), arena.child.web) * 6:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0) as to:
            if rng.random() < 0.3:
                to.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            to.sendall(beginnings[int(rng.integers(len(beginnings)))] + rng.bytes(int(rng.integers(1, BYTES))))
    with arena.connected() as to, contextlib.suppress(grpc.RpcError):
        for method in (*wire.METHODS, methods.SERVE_GATEWAY):
            wire.status_of(to, method, rng.bytes(200))


def refused_reports(arena: Arena, rng: np.random.Generator) -> None:
    """Many reports that must be refused, until the client is sent away."""
    bad = pb.FrameReport(base_station="north", frame=-1, channel_gain=[-1.0] * DEVICES, arrived_mbit=[1.0] * DEVICES)
    with arena.connected() as to, contextlib.suppress(grpc.RpcError):
        for _ in range(700):
            outcome = wire.asked(to, methods.DECIDE, bad).outcome
            allowed = (pb.BAD_VALUE, pb.NAME_TAKEN, pb.NOT_DURABLE)
            arena.check(outcome in allowed, f"a bad report is told {outcome}")


def half_open(arena: Arena, rng: np.random.Generator) -> None:
    """Streams that report nothing, or something wrong once, and stay open for a while; then some are cancelled."""
    with arena.connected() as to:
        streams = [wire.Stream(to, method) for method in (methods.SERVE_FRAMES, methods.SERVE_GATEWAY) for _ in "12"]
        for name in ("roof", "yard"):
            stream = wire.Stream(to, methods.SERVE_DEVICE)
            stream.send(wire.device_report(DEVICES - 1, name, gain=-1.0))  # it joins, and frames wait for it
            streams.append(stream)
        time.sleep(float(rng.uniform(0.2, 1.0)))
        for stream in streams:
            if rng.random() < 0.5:
                stream.cancel()
            else:
                stream.close()


def _ask(arena: Arena, headers: dict[str, str], allowed: tuple[int, ...]) -> None:
    for _ in range(ROUNDS):
        status, body = arena.child.asked("/metrics", headers)
        arena.count(f"/metrics to a crowd: {status or 'no answer'}")
        if status not in allowed or (
            status == 200 and not body.rstrip().splitlines()[-1].startswith(("quedge", "proc"))
        ):
            arena.fail(f"/metrics with {headers} is answered {status}, {body[-200:]!r}")


def _by_many(call: Callable[[], None]) -> None:
    crowd = [threading.Thread(target=call) for _ in range(CLIENTS)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()


def _port(target: str) -> int:
    return int(target.rsplit(":", 1)[1])
