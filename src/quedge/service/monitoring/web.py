"""A small HTTP server that shows and never changes anything, and that no client can hold up."""

from __future__ import annotations

import hmac
import ipaddress
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Callable
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from quedge.errors import not_allowed
from quedge.service.monitoring.endpoints import TEXT, Endpoints, Reply

MAX_CLIENTS = 8
"""Clients at the same time; one more is turned away, unless another has had time to ask and has not asked yet."""
MAX_S = 4.0
"""Time that a client may take, from its connection to the last byte of its answer (s)."""
ASKING_S = 0.25
"""Time that a client has to ask where others wait, and that one more waits for its turn (s)."""
_LINGER_S = 0.05  # for the request of a client that is turned away: with it unread, the answer would be lost
_OWN_SITES = ("same-origin", "none")
_PROBED = ("/healthz", "/readyz", "/startupz")  # by who has no token, too, but without a reason


class Guard(NamedTuple):
    """What a client has to show.

    Attributes:
        token: a secret, as `Authorization: Bearer TOKEN`; None for none.
        context: gives what TLS is spoken by with the next client, who may have to show a certificate; None for plain
            text.
    """

    token: str | None = None
    context: Callable[[], ssl.SSLContext] | None = None

    def admits(self, headers: Message) -> bool:
        """Whether a request has the token."""
        if self.token is None:
            return True
        scheme, _, shown = (headers.get("Authorization") or "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), self.token.encode())


NO_GUARD = Guard()
"""Everybody is answered."""


class WebServer:
    """Answers GET and HEAD in threads of its own, from the beginning until it is closed; `with` closes it.

    Args:
        host: a loopback address of this machine, or a name of one.
        port: 0 for one of the system's choice.
        endpoints: what is answered, by path.
        guard: what clients have to show. With something to show, addresses that other machines reach are allowed, and
            requests under any name of this one.

    Raises:
        ValueError: an address that is not loopback, without anything to show; or a port that is none.
        OSError: the address cannot be listened on.
    """

    def __init__(self, host: str, port: int, endpoints: Endpoints, guard: Guard = NO_GUARD) -> None:
        if not 0 <= port <= 65_535:
            raise not_allowed("port", port, "from 0 to 65535")
        family, address = _resolved(host, port)
        if guard == NO_GUARD and not ipaddress.ip_address(address[0]).is_loopback:
            allowed = "a loopback address such as 127.0.0.1, unless clients have to show a token or a certificate"
            raise not_allowed("host", host, allowed)
        try:
            self._server = _Server(family, address, endpoints, guard)
        except OSError as error:
            text = f"cannot be listened on: {error.strerror or error}"
            raise OSError(error.errno, text, f"{host}:{port}") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="quedge-web", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """Where it listens, as a browser takes it."""
        host, scheme = str(self._server.server_address[0]), "http" if self._server.guard.context is None else "https"
        return f"{scheme}://[{host}]:{self.port}/" if ":" in host else f"{scheme}://{host}:{self.port}/"

    def close(self) -> None:
        """End it, and all connections."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> WebServer:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise OSError(getattr(error, "errno", None), f"is no address of this machine: {error}", host) from None
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(
        self, family: socket.AddressFamily, address: tuple[str, int], endpoints: Endpoints, guard: Guard
    ) -> None:
        self.address_family = family
        self.endpoints, self.guard = endpoints, guard
        self._free = threading.BoundedSemaphore(MAX_CLIENTS)
        self._lock = threading.Lock()
        self._since: dict[socket.socket, float] = {}  # when they came, the oldest first
        self._asking: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's asks the network for the host's name

    def get_request(self) -> tuple[Any, Any]:
        """The next connection; over TLS its thread shakes hands, with the first bytes that it reads."""
        request, address = super().get_request()
        if self.guard.context is not None:
            context = self.guard.context()
            request = context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        return request, address

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._has_room():
            self._turn_away(request)
            return
        with self._lock:
            self._since[request] = time.monotonic()
            self._asking.add(request)
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()  # no thread could be started
            raise

    def answers(self, request: Any) -> bool:
        """Whether a client that has asked is answered: it has not been ended before, and is not for others now."""
        with self._lock:
            self._asking.discard(request)
            return request in self._since

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._since.pop(request, None)
            self._asking.discard(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called ten times a second: who has taken too long must go."""
        self._end(came_before=time.monotonic() - MAX_S)

    def server_close(self) -> None:
        super().server_close()
        self._end(came_before=float("inf"))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or was sent away is no error; a mistake of ours has been answered with a 500."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def _has_room(self) -> bool:
        """Whether one more client can be taken, once another is answered or has not asked for too long."""
        with self._lock:
            oldest = next((since for request, since in self._since.items() if request in self._asking), None)
        patience = ASKING_S if oldest is None else max(0.0, oldest + ASKING_S - time.monotonic())
        if self._free.acquire(timeout=patience):
            return True
        ended = self._end(came_before=time.monotonic() - ASKING_S, only_asking=True)
        return ended and self._free.acquire(timeout=ASKING_S)

    def _turn_away(self, request: Any) -> None:
        """Say that there are too many, to a client that is not listened to; over TLS nothing can be said so soon."""
        if isinstance(request, ssl.SSLSocket):
            self.shutdown_request(request)
            return
        try:
            request.settimeout(_LINGER_S)
            request.sendall(_BUSY)
            request.shutdown(socket.SHUT_WR)
            request.recv(65_536)
        except OSError:
            pass
        finally:
            self.shutdown_request(request)

    def _end(self, came_before: float, only_asking: bool = False) -> bool:
        """End the connections that came before a moment; whether there were any. Of those that ask, one is enough."""
        with self._lock:
            ending = [
                request
                for request, since in self._since.items()
                if since <= came_before and (request in self._asking or not only_asking)
            ]
            for request in ending[: 1 if only_asking else None]:
                del self._since[request]
                self._asking.discard(request)
                try:
                    socket.socket.shutdown(request, socket.SHUT_RDWR)  # its thread wakes up, and closes it
                except OSError:
                    continue
        return bool(ending)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = MAX_S
    server_version = "quedge"
    sys_version = ""
    default_request_version = "HTTP/1.0"  # a line that names none is answered with a status line, too

    def do_GET(self) -> None:
        if self.server.answers(self.request):
            self._send(self._reply())

    do_HEAD = do_GET  # noqa: N815  (likewise)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself refuses, in the same form as all else."""
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        if self.server.answers(self.request):
            self._send(_refusal(status))

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""

    def _reply(self) -> Reply:
        path = self.path.partition("?")[0]
        guard = self.server.guard
        is_named_well = guard != NO_GUARD or _is_local(self.headers.get("Host"))
        if not is_named_well or _is_from_elsewhere(self.headers):
            return _refusal(HTTPStatus.FORBIDDEN)
        is_admitted = guard.admits(self.headers)
        if not is_admitted and path not in _PROBED:
            return _refusal(HTTPStatus.UNAUTHORIZED)
        make = self.server.endpoints.get(path)
        if make is None:
            return _refusal(HTTPStatus.NOT_FOUND)
        try:
            reply = make()
        except Exception as error:  # a mistake of ours; whoever asks next gets an answer again
            return Reply(500, TEXT, f"{type(error).__name__}\n".encode())
        return reply if is_admitted else _refusal(HTTPStatus(reply.status))

    def _send(self, reply: Reply) -> None:
        self.close_connection = True
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", reply.content_policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if reply.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        if reply.status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)


def _refusal(status: HTTPStatus) -> Reply:
    return Reply(status, TEXT, f"{status.phrase}\n".encode())


_BUSY = b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def _is_from_elsewhere(headers: Message) -> bool:
    """Whether a browser asks on behalf of a page that is none of ours, on another port of this machine, say."""
    origin, host = headers.get("Origin"), headers.get("Host")
    if headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES:
        return True
    return origin is not None and origin not in (f"http://{host}", f"https://{host}")


def _is_local(host: str | None) -> bool:
    """Whether a request names this machine as loopback: one from a foreign page whose name leads here does not."""
    if host is None:
        return True  # no browser
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
