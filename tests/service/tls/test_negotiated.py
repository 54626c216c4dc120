"""Which group a server chooses, asked over the wire; and that no answer makes the asker wait or fail."""

from __future__ import annotations

import random
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from quedge.service.tls.certificates import Written
from quedge.service.tls.negotiated import MalformedError, client_hello, negotiated_group, selected_group
from tests.service.tls.pki import Service, serving

RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""SHA-256 of "HelloRetryRequest", RFC 8446, section 4.1.3."""


DRIP = (b"\x16\x03\x03\x00\x04\x02\x00\x04\x00", *200 * (b"\x16\x03\x03\x00\x01\x00",))
"""A handshake message of which a byte comes at a time, each in a record of its own."""


def sized(width: int, data: bytes) -> bytes:
    return len(data).to_bytes(width, "big") + data


def server_hello(
    share: bytes = b"\x11\xec" + sized(2, b"k" * 1120), version: bytes = b"\x03\x04", random: bytes = b"r" * 32
) -> bytes:
    """A ServerHello by hand, RFC 8446, section 4.1.3."""
    extensions = b"\x00\x2b" + sized(2, version) + b"\x00\x33" + sized(2, share)
    body = b"\x03\x03" + random + sized(1, b"s" * 32) + b"\x13\x02" + b"\x00" + sized(2, extensions)
    return b"\x02" + sized(3, body)


def record(message: bytes, kind: int = 22) -> bytes:
    return bytes((kind, 3, 3)) + sized(2, message)


@contextmanager
def answering(*pieces: bytes, pause_s: float = 0.0, stays: bool = False) -> Iterator[int]:
    """A server that reads a ClientHello and answers with these bytes, whatever they are; its port."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                try:
                    for piece in pieces:
                        connection.sendall(piece)
                        done.wait(pause_s)
                except OSError:
                    return
                if stays:
                    done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            done.set()
            thread.join(10)


def test_a_grpc_server_chooses_the_hybrid_group(service: Service) -> None:
    assert negotiated_group("127.0.0.1", service.port) == "X25519MLKEM768"


def test_a_server_that_listens_everywhere_is_asked_over_loopback(service: Service) -> None:
    assert negotiated_group("0.0.0.0", service.port) == "X25519MLKEM768"


def test_asking_disturbs_nobody(service: Service, pki: Written) -> None:
    met = len(service.peers)
    assert {negotiated_group("localhost", service.port) for _ in range(20)} == {"X25519MLKEM768"}
    assert b"answered" in service.answer_to_old_client(pki, "prime256v1")
    assert len(service.peers) == met + 1


@pytest.mark.parametrize(("curve", "group"), [("X25519", "x25519"), ("P-384", "secp384r1")])
def test_a_server_without_ml_kem_is_found_out(pki: Written, curve: str, group: str) -> None:
    """OpenSSL's command, restricted to one curve; it asks again where that came without a key."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    try:
        process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet", "-tls1_3", "-groups", curve,
             "-cert", str(pki.server.certificate), "-key", str(pki.server.key)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    with process:
        try:
            found, attempts = "unknown", 0
            while found == "unknown" and attempts < 100:
                found, attempts = negotiated_group("127.0.0.1", port, 2.0), attempts + 1
                time.sleep(0.0 if found == group else 0.05)
        finally:
            process.terminate()
    assert found == group


def test_a_server_in_plain_text_has_no_group() -> None:
    with serving(None) as plain:
        assert negotiated_group("127.0.0.1", plain.port) == "unknown"


def test_where_nobody_listens_there_is_no_group() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert negotiated_group("127.0.0.1", port) == "unknown"
    assert negotiated_group("host.invalid", 1) == "unknown"


@pytest.mark.parametrize(
    "pieces",
    [
        (record(server_hello()),),
        (record(server_hello()[:2]), record(server_hello()[2:700]), record(server_hello()[700:])),
        (*(bytes((byte,)) for byte in record(server_hello())[:60]), record(server_hello())[60:]),
        (record(server_hello() + b"\x08\x00\x00\x00"), record(b"\x01", kind=20)),
        (record(server_hello(share=b"\x11\xec", random=RETRY)),),
    ],
    ids=["one record", "several records", "byte by byte", "more behind it", "asking again"],
)
def test_a_server_hello_is_read_however_it_comes(pieces: tuple[bytes, ...]) -> None:
    with answering(*pieces) as port:
        assert negotiated_group("127.0.0.1", port) == "X25519MLKEM768"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        record(b"\x02\x28", kind=21),
        record(b""),
        record(server_hello()[:-1]),
        record(server_hello())[:-1],
        record(b"\x02\xff\xff\xff" + bytes(16000)),
        b"\x16\x03\x03\xff\xff" + bytes(65535),
        record(server_hello(version=b"\x03\x03")),
        record(server_hello(share=b"\xff\xff\x00\x01k")),
        record(server_hello(share=b"\x11\xec\x00\x00")),
        record(server_hello(share=b"\x11\xec\x00\x09k")),
        record(server_hello(share=b"\x11\xec")),
        record(server_hello(share=b"")),
    ],
    ids=[
        "nothing", "HTTP", "alert", "empty record", "short message", "cut short", "huge message", "huge record",
        "TLS 1.2", "unheard-of group", "empty key", "key cut short", "no key", "no group",
    ],
)  # fmt: skip
def test_what_is_no_server_hello_gives_unknown(answer: bytes) -> None:
    with answering(answer) as port:
        assert negotiated_group("127.0.0.1", port) == "unknown"


@pytest.mark.parametrize("pieces", [(), DRIP], ids=["silence", "drip"])
def test_a_server_that_takes_its_time_is_not_waited_for(pieces: tuple[bytes, ...]) -> None:
    began = time.monotonic()
    with answering(*pieces, pause_s=0.05, stays=True) as port:
        assert negotiated_group("127.0.0.1", port, timeout_s=0.3) == "unknown"
        assert time.monotonic() - began < 5.0


def test_no_bytes_but_a_server_hello_are_taken_for_one() -> None:
    whole, rng = server_hello(), random.Random(0)
    for length in range(len(whole)):
        with pytest.raises(MalformedError):
            selected_group(whole[:length])
    for _ in range(20_000):
        damaged = bytearray(whole[: rng.choice((len(whole), rng.randrange(200)))] or b"\0")
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(min(len(damaged), 100))] = rng.randrange(256)
        try:
            assert 0 <= selected_group(bytes(damaged)) <= 0xFFFF
        except MalformedError:
            continue


def test_a_client_hello_offers_keys_for_both_groups() -> None:
    sent = client_hello(b"r" * 32, b"s" * 32, [0x11EC, 0x001D], {0x11EC: b"h" * 1216, 0x001D: b"x" * 32})
    assert sent[:3] == b"\x16\x03\x01"
    assert int.from_bytes(sent[3:5], "big") == len(sent) - 5
    assert b"\x11\xec" + sized(2, b"h" * 1216) + b"\x00\x1d" + sized(2, b"x" * 32) in sent
    assert b"\x00\x0a\x00\x06\x00\x04\x11\xec\x00\x1d" in sent


def test_without_ml_kem_in_cryptography_the_group_stays_unknown(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cryptography.exceptions
    import cryptography.hazmat.primitives.asymmetric.mlkem as mlkem

    def unsupported() -> Callable[[], None]:
        raise cryptography.exceptions.UnsupportedAlgorithm("ML-KEM")

    monkeypatch.setattr(mlkem.MLKEM768PrivateKey, "generate", staticmethod(unsupported))
    assert negotiated_group("127.0.0.1", service.port) == "unknown"
