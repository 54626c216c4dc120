from __future__ import annotations

import pytest
import typer

from quedge.cli.options import parse_listen_address, parse_target

HOSTS = ["127.0.0.1", "0.0.0.0", "localhost", "edge-7.example", "[::1]", "[::]", "[fe80::1%eth0]"]


@pytest.mark.parametrize("host", HOSTS)
def test_names_and_addresses_are_listened_on_and_connected_to(host: str) -> None:
    assert parse_listen_address(f"{host}:50051") == (host, 50_051)
    assert parse_target(f"{host}:50051") == f"{host}:50051"


def test_only_who_listens_may_leave_the_port_to_the_system() -> None:
    assert parse_listen_address("127.0.0.1:0") == ("127.0.0.1", 0)
    with pytest.raises(typer.BadParameter, match=r"'127\.0\.0\.1:0' is not allowed; it must be HOST:PORT"):
        parse_target("127.0.0.1:0")


@pytest.mark.parametrize(
    "text",
    ["", ":", "50051", ":50051", "host:", "host:x", "host:-1", "host:+1", "host:65536", "host:٣", "::1:50051",
     "a b:1", "[::1:1", "http://host:1", "host:1 ", "host:1\n", "[]:1"],
)  # fmt: skip
def test_anything_else_is_refused_by_both(text: str) -> None:
    for parse in (parse_listen_address, parse_target):
        with pytest.raises(typer.BadParameter, match="is not allowed; it must be HOST:PORT"):
            parse(text)
