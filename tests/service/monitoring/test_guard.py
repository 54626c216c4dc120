"""Who sees a service from another machine has something to show."""

from __future__ import annotations

import os
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("grpc")

from quedge.service.monitoring.endpoints import TEXT, Reply
from quedge.service.monitoring.web import MAX_CLIENTS, Guard, WebServer
from quedge.service.tls.certificates import Written, lifetime, write_folder
from quedge.service.tls.files import PemFile, ServerCertificates, read_token

TOKEN = "0123456789abcdef"
ENDPOINTS = {
    "/metrics": lambda: Reply(200, TEXT, b"numbers"),
    "/healthz": lambda: Reply(503, TEXT, b"the disk is full"),
    "/readyz": lambda: Reply(200, TEXT, b"ready, and more"),
}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_folder(tmp_path_factory.mktemp("tls") / "pki", (), ["scraper"], lifetime(1))


@pytest.fixture(scope="module")
def by_token() -> Iterator[WebServer]:
    with WebServer("0.0.0.0", 0, ENDPOINTS, Guard(token=TOKEN)) as server:
        yield server


def certificates(pki: Written) -> ServerCertificates:
    return ServerCertificates(*pki.server, pki.ca.certificate)


def client(pki: Written, name: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pki.ca.certificate))
    if name is not None:
        context.load_cert_chain(*map(str, pki.clients[name]))
    return context


def ask(
    server: WebServer, path: str, token: str | None = None, context: ssl.SSLContext | None = None
) -> tuple[int, bytes]:
    url = f"{'http' if context is None else 'https'}://127.0.0.1:{server.port}{path}"
    request = urllib.request.Request(url, headers={} if token is None else {"Authorization": token})
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.status, refused.read()


@pytest.mark.parametrize(
    "shown", [None, "", "Bearer", f"Basic {TOKEN}", "Bearer wrong", f"Bearer {TOKEN}x", "Bearer é"]
)
def test_without_the_token_nothing_is_told(by_token: WebServer, shown: str | None) -> None:
    assert ask(by_token, "/metrics", shown)[0] == 401
    assert ask(by_token, "/nothing", shown)[0] == 401


def test_with_the_token_everything_is(by_token: WebServer) -> None:
    assert ask(by_token, "/metrics", f"Bearer {TOKEN}") == (200, b"numbers")
    assert ask(by_token, "/healthz", f"bearer {TOKEN}") == (503, b"the disk is full")


def test_a_probe_without_the_token_learns_whether_but_not_why(by_token: WebServer) -> None:
    assert ask(by_token, "/healthz") == (503, b"Service Unavailable\n")
    assert ask(by_token, "/readyz") == (200, b"OK\n")


def test_over_tls_a_client_shows_a_certificate(pki: Written) -> None:
    with WebServer("0.0.0.0", 0, ENDPOINTS, Guard(context=certificates(pki).context(True))) as server:
        assert server.address.startswith("https://0.0.0.0:")
        assert ask(server, "/metrics", context=client(pki, "scraper")) == (200, b"numbers")
        with pytest.raises(OSError, match=r"CERTIFICATE_REQUIRED|reset|EOF|closed"):
            ask(server, "/metrics", context=client(pki))
        with socket.create_connection(("127.0.0.1", server.port), 60) as plain:
            plain.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert b"numbers" not in plain.recv(4096)


def test_over_tls_a_token_stands_for_a_certificate(pki: Written) -> None:
    guard = Guard(TOKEN, certificates(pki).context(False))
    with WebServer("127.0.0.1", 0, ENDPOINTS, guard) as server:
        assert ask(server, "/metrics", context=client(pki))[0] == 401
        assert ask(server, "/metrics", f"Bearer {TOKEN}", client(pki)) == (200, b"numbers")


def test_over_tls_clients_that_say_nothing_hold_nobody_up(pki: Written) -> None:
    guard = Guard(TOKEN, certificates(pki).context(False))
    with WebServer("127.0.0.1", 0, ENDPOINTS, guard) as server:
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(MAX_CLIENTS)]
        assert ask(server, "/metrics", f"Bearer {TOKEN}", client(pki)) == (200, b"numbers")
        for each in silent:
            each.close()


def test_renewed_certificates_are_used_and_what_is_half_renewed_is_not(pki: Written, tmp_path: Path) -> None:
    mine = write_folder(tmp_path / "mine", (), ["scraper"], lifetime(1))
    with WebServer("127.0.0.1", 0, ENDPOINTS, Guard(TOKEN, certificates(mine).context(False))) as server:
        assert ask(server, "/readyz", context=client(mine))[0] == 200
        os.replace(copied(pki.server.certificate, tmp_path), mine.server.certificate)
        assert ask(server, "/readyz", context=client(mine))[0] == 200  # its key is still the old one's
        os.replace(copied(pki.server.key, tmp_path), mine.server.key)
        assert ask(server, "/readyz", context=client(pki))[0] == 200


def copied(file: Path, folder: Path) -> Path:
    copy = folder / "copy.pem"
    copy.touch(0o600)
    copy.write_bytes(file.read_bytes())
    return copy


def test_a_token_is_a_word_in_a_file_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    for text, complaint in (
        ("short", "has no token"),
        ("two words of a token", "has no token"),
        ("é" * 20, "no token"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=complaint):
            read_token(PemFile("--metrics-token", file))
    file.write_text(f"{TOKEN}\n")
    assert read_token(PemFile("--metrics-token", file)) == TOKEN
    file.chmod(0o644)
    with pytest.raises(ValueError, match=r"--metrics-token: .*: others may read this secret"):
        read_token(PemFile("--metrics-token", file))
