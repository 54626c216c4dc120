"""Certificates for the tests, and a service over TLS that they are shown to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from quedge.service.tls.access import AccessPolicy, Peer, peer_of
from quedge.service.tls.certificates import Lifetime, Written, lifetime, write_folder

EXPIRED = Lifetime(lifetime(-2).ends, lifetime(-1).ends)
NOT_YET = Lifetime(lifetime(1).ends, lifetime(2).ends)
_HELLO, _INSISTENT = "/test.Test/Hello", "/test.Test/Insistent"


def written(folder: Path, valid: Lifetime | None = None) -> Written:
    return write_folder(folder, (), ["base-station"], lifetime(1) if valid is None else valid)


class Service:
    """A service with two methods, one of which insists on a hybrid key exchange; it keeps who called."""

    def __init__(self, credentials: Any) -> None:
        self.peers: list[Peer] = []
        self.port = 0
        self._credentials = credentials
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    async def _run(self) -> None:
        server = grpc.aio.server()
        handlers = {
            path.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(method)
            for path, method in ((_HELLO, self._hello), (_INSISTENT, self._insistent))
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", handlers),))
        if self._credentials is None:
            self.port = server.add_insecure_port("127.0.0.1:0")
        else:
            self.port = server.add_secure_port("127.0.0.1:0", self._credentials)
        await server.start()
        self._stop = asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        await server.stop(0)

    async def _hello(self, request: bytes, context: Any) -> bytes:
        self.peers.append(peer_of(context))
        return b"answered"

    async def _insistent(self, request: bytes, context: Any) -> bytes:
        await AccessPolicy(hybrid_only=True).check(context)
        return b"answered"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    def answer(self, credentials: Any, host: str = "127.0.0.1", insistent: bool = False, named: str = "") -> str:
        """What a client with these credentials is told; the name of the status where that is not an answer."""
        target = f"{host}:{self.port}"
        options = [("grpc.ssl_target_name_override", named)] if named else None
        with (
            grpc.insecure_channel(target)
            if credentials is None
            else grpc.secure_channel(target, credentials, options=options)
        ) as to:
            try:
                return str(to.unary_unary(_INSISTENT if insistent else _HELLO)(b"", timeout=3).decode())
            except grpc.RpcError as error:
                return str(error.code().name)

    def answer_to_old_client(self, pki: Written, curve: str, insistent: bool = False) -> bytes:
        """The last bytes of what a client without ML-KEM is told: HTTP/2 by hand over the standard library's TLS."""
        context = ssl.create_default_context(cafile=str(pki.ca.certificate))
        context.load_cert_chain(*map(str, pki.clients["base-station"]))
        context.set_alpn_protocols(["h2"])
        context.set_ecdh_curve(curve)
        fields = {
            ":method": "POST", ":scheme": "https", ":path": _INSISTENT if insistent else _HELLO, ":authority": "test",
            "te": "trailers", "content-type": "application/grpc",
        }  # fmt: skip
        headers = b"".join(b"\0" + _short(name) + _short(value) for name, value in fields.items())
        request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b"") + _frame(1, 4, 1, headers)
        request += _frame(0, 1, 1, bytes(5))
        with (
            socket.create_connection(("127.0.0.1", self.port), 5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(request)
            told = b""
            while b"grpc-status" not in told and (more := secure.recv(4096)):
                told += more
        return told


def _short(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


@contextmanager
def serving(credentials: Any) -> Iterator[Service]:
    service = Service(credentials)
    service.start()
    try:
        yield service
    finally:
        service.end()
