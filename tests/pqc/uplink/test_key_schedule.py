"""Keys and records against values laid by hand."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from quedge.pqc.costs import traffic_of
from quedge.pqc.suite import SUITES, Suite
from quedge.pqc.uplink import algorithms, by_pqcrypto, hybrids, key_exchange
from quedge.pqc.uplink.algorithms import live_suite
from quedge.pqc.uplink.by_cryptography import hkdf
from quedge.pqc.uplink.records import Direction, Position, Records
from tests.pqc.uplink.parties import DEVICE, EXCHANGE_BYTES, SMALL, uplink


def test_hkdf_gives_the_first_vector_of_rfc_5869() -> None:
    found = hkdf("SHA-256", b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)
    expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    assert found.hex() == expected


def test_hkdf_by_sha_384_is_extract_and_expand_as_rfc_5869_says() -> None:
    extracted = hmac.digest(b"salt", b"secret", "sha384")
    blocks = [b""]
    for number in (1, 2):
        blocks.append(hmac.digest(extracted, blocks[-1] + b"info" + bytes((number,)), "sha384"))
    assert hkdf("SHA-384", b"secret", b"salt", b"info", 70) == b"".join(blocks)[:70]


@pytest.mark.parametrize(
    ("name", "cipher"),
    [("ChaCha20-Poly1305", ChaCha20Poly1305), ("AES-256-GCM", AESGCM), ("AES-256-GCM-HW", AESGCM)],
)
def test_a_record_is_what_its_description_says_byte_by_byte(name: str, cipher: type[AESGCM]) -> None:
    key, data = bytes(range(32)), bytes(range(64))
    records = Records(algorithms.aead(name).cipher(key), 5, Direction.SERVER_TO_DEVICE, 64)
    header = bytes.fromhex("01 000040 0001")  # more follow; 64 bytes; the low bits of 65537
    nonce = bytes.fromhex("80000005 0000000000010001")  # direction 1, epoch 5, sequence 65537
    expected = header + cipher(key).encrypt(nonce, data, header + bytes.fromhex("0000000000000007"))
    assert records.seal(Position(65_537, 7), data, last=False) == expected
    assert len(expected) == 6 + 64 + 16
    last = records.seal(Position(65_537, 7), data[:3], last=True)
    assert last[:6] == bytes.fromhex("02 000003 0001")


def test_a_key_exchange_is_what_its_description_says_byte_by_byte() -> None:
    pair = uplink()
    assert pair.live.hash == "SHA-256"
    for epoch in (1, 2):
        pair.device.begin_session()
        message = pair.device.seal(b"data").key_exchange
        assert message[:16] == bytes.fromhex(f"5145 01 020202 0102 0000000{epoch} 0440 0ced")
        ciphertext, signature = message[16 : 16 + 1088], message[16 + 1088 :]
        parts = (
            b"quedge uplink v1", bytes.fromhex("00000040 00000003"), message[:16], ciphertext,
            pair.server_key.public_key, pair.signing_key.public_key,
        )  # fmt: skip
        transcript = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        verifying = pair.live.signature.public(pair.signing_key.public_key)
        assert verifying.verifies(signature, transcript, b"quedge uplink v1 key exchange")

        secret = pair.server_key.decapsulate(ciphertext)
        extracted = hmac.digest(b"quedge uplink v1", secret, "sha256")
        info = b"quedge uplink v1 record key\x00" + hashlib.sha512(transcript).digest()
        key = hmac.digest(extracted, info + b"\x01", "sha256")
        agreed = key_exchange.accept(
            pair.live, message[:16], message[16:], pair.server_key, pair.signing_key.public_key
        )
        header = bytes.fromhex("02 000004 0000")
        nonce = epoch.to_bytes(4, "big") + bytes(8)
        expected = header + ChaCha20Poly1305(key).encrypt(nonce, b"data", header + bytes(8))
        assert agreed.records.seal(Position(), b"data", last=True) == expected


@pytest.mark.parametrize(("suite", "hashed"), [(SMALL, "sha256"), (SUITES["level5"], "sha384")])
def test_a_frames_signature_covers_what_its_description_says(suite: Suite, hashed: str) -> None:
    pair = uplink(dataclasses.replace(suite, sign_every_frame=True))
    first, second = pair.device.seal(b"1"), pair.device.seal(b"2")
    agreed = key_exchange.accept(
        pair.live, first.key_exchange[:16], first.key_exchange[16:], pair.server_key, pair.signing_key.public_key
    )
    signed = hashlib.new(hashed, b"quedge uplink v1 frame" + agreed.name + (1).to_bytes(8, "big") + second.records[0])
    verifying = pair.live.signature.public(pair.signing_key.public_key)
    assert verifying.verifies(second.signature, signed.digest(), b"quedge uplink v1 frame")


def test_the_record_key_of_level_5_follows_by_sha_384() -> None:
    pair = uplink(SUITES["level5"])
    sealed = pair.device.seal(b"data")
    message, size = sealed.key_exchange, 16 + 1568
    parts = (
        b"quedge uplink v1", bytes.fromhex("00004000 00000064"), message[:16], message[16:size],
        pair.server_key.public_key, pair.signing_key.public_key,
    )  # fmt: skip
    name = hashlib.sha512(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
    secret = pair.server_key.decapsulate(message[16:size])
    info = b"quedge uplink v1 record key\x00" + name
    key = hmac.digest(hmac.digest(b"quedge uplink v1", secret, "sha384"), info + b"\x01", "sha384")[:32]
    (record,) = sealed.records
    nonce = (1).to_bytes(4, "big") + bytes(8)
    assert AESGCM(key).decrypt(nonce, record[6:], record[:6] + bytes(8)) == b"data"


@pytest.mark.parametrize("changed", ["header", "ciphertext", "server's key", "device's key", "record_bytes", "rekey"])
def test_another_transcript_gives_another_key(changed: str) -> None:
    live = live_suite(SMALL)
    head, secret = key_exchange.packed(live, key_exchange.Header(DEVICE, 1)), bytes(32)
    given = {"head": head, "ciphertext": bytes(9), "server_key": bytes(8), "device_key": bytes(7)}
    other, other_live = dict(given), live
    if changed == "header":
        other["head"] = key_exchange.packed(live, key_exchange.Header(DEVICE + 1, 1))
    elif changed == "ciphertext":
        other |= {"ciphertext": bytes(8), "server_key": bytes(9)}  # the same bytes, divided otherwise
    elif changed == "server's key":
        other["server_key"] = b"other..."
    elif changed == "device's key":
        other["device_key"] = b"other.."
    else:
        own = {"record_bytes": 65} if changed == "record_bytes" else {"rekey_frames": 4}
        other_live = live_suite(dataclasses.replace(SMALL, **own))
    one, two = (
        key_exchange.Agreed(live, secret, key_exchange._transcript(of, **parts), 1).records.seal(Position(), b"1", True)
        for of, parts in ((live, given), (other_live, other))
    )
    assert one != two


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
@pytest.mark.parametrize("signs", [False, True])
def test_messages_have_the_sizes_of_the_profiles(suite, signs: bool) -> None:  # type: ignore[no-untyped-def]
    suite = dataclasses.replace(suite, sign_every_frame=signs)
    sealed = uplink(suite).device.seal(bytes(40_000))
    traffic = traffic_of(suite)
    assert len(sealed.key_exchange) == traffic.rekey_bytes
    assert [len(record) for record in sealed.records] == [16_384 + 22, 16_384 + 22, 7_232 + 22]
    assert len(sealed.signature) == traffic.frame_bytes
    assert traffic.record_overhead_bytes == 22


def test_the_helpers_of_these_tests_know_the_size_of_a_key_exchange() -> None:
    assert len(uplink().device.seal(b"1").key_exchange) == EXCHANGE_BYTES


def test_no_two_suites_share_a_number() -> None:
    numbers = {
        live_suite(dataclasses.replace(SMALL, kem=kem, signature=signature, aead=aead, sign_every_frame=signs)).number
        for kem in (*by_pqcrypto.KEMS, *hybrids.KEMS)
        for signature in by_pqcrypto.SIGNATURES
        for aead in ("AES-256-GCM", "ChaCha20-Poly1305")
        for signs in (False, True)
    }  # fmt: skip
    assert len(numbers) == 9 * 15 * 2 * 2
