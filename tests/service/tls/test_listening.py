"""Plain text is for this machine only."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from quedge.service.tls.access import check_complete, check_listening

FILE = Path("file.pem")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "::ffff:127.0.0.1", "localhost"])
def test_plain_text_is_allowed_on_loopback(host: str) -> None:
    check_listening(host, has_tls=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_plain_text_is_refused_elsewhere(host: str) -> None:
    with pytest.raises(ValueError, match=r"--listen: .* not allowed without TLS; .*--tls-cert, --tls-key"):
        check_listening(host, has_tls=False)
    check_listening(host, has_tls=True)


def test_all_addresses_of_a_name_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(host: str, port: None) -> list[Any]:
        return [(0, 0, 0, "", (address, 0)) for address in ("127.0.0.1", "192.0.2.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with pytest.raises(ValueError, match="--listen: 'edge'"):
        check_listening("edge", has_tls=False)


@pytest.mark.parametrize("host", ["no such host", "a" * 300, "host.invalid", "a..b"])
def test_a_name_that_nobody_knows_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"--listen: .* cannot be resolved"):
        check_listening(host, has_tls=False)


def test_the_three_files_are_given_together_or_not_at_all() -> None:
    assert check_complete(FILE, FILE, FILE)
    assert not check_complete(None, None, None)
    with pytest.raises(ValueError, match="--client-ca: is missing"):
        check_complete(FILE, FILE, None)
