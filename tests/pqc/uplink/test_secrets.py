"""No key and no data is shown: not by an object, an exception or a log."""

from __future__ import annotations

import logging
import traceback

import pytest

from quedge.pqc.uplink import key_exchange
from quedge.pqc.uplink.emulation import emulate
from quedge.pqc.uplink.primitives import Rejected
from quedge.pqc.uplink.server import Read, Session
from tests.pqc.uplink.parties import DATA, SMALL, flipped, reading, sent, uplink


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every shared secret and record key, as they come about."""
    seen: list[bytes] = []
    derive = key_exchange.hkdf

    def watched(hashed: str, secret: bytes, *others: object) -> bytes:
        key = derive(hashed, secret, *others)  # type: ignore[arg-type]
        seen.extend((secret, key))
        return key

    monkeypatch.setattr(key_exchange, "hkdf", watched)
    return seen


def shows(text: str, secrets: list[bytes]) -> bool:
    """Whether a text holds eight bytes of a secret, in hexadecimal digits, in Python's way or as numbers."""
    pieces = [secret[at : at + 8] for secret in secrets for at in range(0, len(secret) - 7)]
    ways = (lambda piece: piece.hex(), lambda piece: repr(piece)[2:-1], lambda piece: repr(list(piece))[1:-1])
    return any(way(piece) in text for piece in pieces for way in ways)


def rejection_of(session: Session, read: Read) -> Rejected:
    """What a session raises within two frames."""
    try:
        for _ in range(2):
            session.receive(read)
    except Rejected as rejected:
        return rejected
    raise AssertionError("nothing was rejected")


def test_the_search_for_secrets_finds_one() -> None:
    assert shows(f"key: {bytes(range(32))!r}", [bytes(range(32))])
    assert shows(f"key: {bytes(range(32)).hex()}", [bytes(range(32))])
    assert not shows("key: none", [bytes(range(32))])


def test_no_object_shows_a_secret(secrets: list[bytes]) -> None:
    pair = uplink()
    session = pair.server.session()
    frame = pair.device.seal(DATA)
    session.receive(reading(sent(frame)))
    agreed = key_exchange.accept(
        pair.live, frame.key_exchange[:16], frame.key_exchange[16:], pair.server_key, pair.signing_key.public_key
    )
    assert len(secrets) == 6
    for shown in (pair.device, pair.server, session, agreed, agreed.records, pair.signing_key, pair.server_key,
                  pair.live, pair.live.kem, agreed.records._cipher, vars(session), vars(pair.device)):  # fmt: skip
        for text in (repr(shown), str(shown), f"{shown}"):
            assert not shows(text, [*secrets, DATA])


def test_no_rejection_shows_a_secret_or_data(secrets: list[bytes]) -> None:
    pair = uplink()
    first, second = (sent(pair.device.seal(DATA)) for _ in range(2))
    for bit in (0, 100, 8 * 40, 8 * 100):
        session = pair.server.session()
        for stream in (flipped(first, bit + 8 * 16), first + flipped(second, bit)):
            read = reading(stream)
            rejected = rejection_of(session, read)
            told = "".join(traceback.format_exception(rejected)) + repr(rejected.args)
            assert not shows(told, [*secrets, DATA])
            assert len(str(rejected)) < 60
            assert rejected.__cause__ is None


def test_an_emulation_writes_nothing_to_logs_or_streams(
    secrets: list[bytes], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    found = emulate(SMALL, 8_000, frames=30, damage=0.3)
    assert found.rejected > 0
    assert len(secrets) >= 2 * found.key_exchanges
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")
    assert not shows(repr(found), secrets)
