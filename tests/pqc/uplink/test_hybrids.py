"""Hybrid key exchange: what is joined, in which order, and that both parts are needed."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from quedge.pqc.costs import traffic_of
from quedge.pqc.uplink import algorithms, hybrids
from quedge.pqc.uplink.emulation import emulate
from quedge.pqc.uplink.primitives import Rejected
from tests.pqc.uplink.parties import DATA, SMALL, flipped, reading, sent, uplink

HYBRIDS = tuple(hybrids.KEMS)
SECOND_BEGINS = {"X25519MLKEM768": 1088, "SecP256r1MLKEM768": 65, "SecP384r1MLKEM1024": 97}
"""Where the second part of a ciphertext begins: ML-KEM's comes first with X25519, else the point."""


def test_a_key_for_x25519mlkem768_is_found_by_hand_from_both_parts() -> None:
    ml_kem, curve = mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate()
    public_key = ml_kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
    ciphertext, secret = algorithms.kem("X25519MLKEM768").public(public_key).encapsulate()
    shared = curve.exchange(x25519.X25519PublicKey.from_public_bytes(ciphertext[1088:]))
    assert secret == ml_kem.decapsulate(ciphertext[:1088]) + shared


@pytest.mark.parametrize(
    ("name", "curve", "point_bytes", "ml_kem_class"),
    [
        ("SecP256r1MLKEM768", ec.SECP256R1(), 65, mlkem.MLKEM768PrivateKey),
        ("SecP384r1MLKEM1024", ec.SECP384R1(), 97, mlkem.MLKEM1024PrivateKey),
    ],
)
def test_with_a_curve_of_nist_s_the_point_and_its_secret_come_first(name, curve, point_bytes, ml_kem_class) -> None:  # type: ignore[no-untyped-def]
    ml_kem, own = ml_kem_class.generate(), ec.generate_private_key(curve)
    point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    public = algorithms.kem(name).public(point + ml_kem.public_key().public_bytes_raw())
    ciphertext, secret = public.encapsulate()
    other = ec.EllipticCurvePublicKey.from_encoded_point(curve, ciphertext[:point_bytes])
    assert secret == own.exchange(ec.ECDH(), other) + ml_kem.decapsulate(ciphertext[point_bytes:])


def test_the_record_key_follows_from_both_secrets_joined() -> None:
    pair = uplink(dataclasses.replace(SMALL, kem="X25519MLKEM768"))
    sealed = pair.device.seal(b"data")
    message, size = sealed.key_exchange, 16 + 1120
    assert message[3] == 0x21
    parts = (
        b"quedge uplink v1", bytes.fromhex("00000040 00000003"), message[:16], message[16:size],
        pair.server_key.public_key, pair.signing_key.public_key,
    )  # fmt: skip
    name = hashlib.sha512(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
    secret = pair.server_key.decapsulate(message[16:size])
    assert len(secret) == 64
    extracted = hmac.digest(b"quedge uplink v1", secret, "sha256")
    key = hmac.digest(extracted, b"quedge uplink v1 record key\x00" + name + b"\x01", "sha256")
    (record,) = sealed.records
    nonce = (1).to_bytes(4, "big") + bytes(8)
    assert ChaCha20Poly1305(key).decrypt(nonce, record[6:], record[:6] + bytes(8)) == b"data"


@pytest.mark.parametrize("name", HYBRIDS)
def test_frames_go_over_a_socket_in_as_many_bytes_as_the_sizes_predict(name: str) -> None:
    suite = dataclasses.replace(SMALL, kem=name, record_bytes=16_384)
    found = emulate(suite, 80_000, frames=6)
    assert (found.accepted, found.rejected, found.key_exchanges) == (6, 0, 2)
    assert found.payload_factor_measured == pytest.approx(traffic_of(suite).payload_factor(80_000), abs=1e-12)


@pytest.mark.parametrize("name", HYBRIDS)
def test_either_part_alone_gives_another_secret_or_none(name: str) -> None:
    kem = algorithms.kem(name)
    own, other = kem.generate(), kem.generate()
    (ours, secret), (theirs, _) = (kem.public(key.public_key).encapsulate() for key in (own, other))
    assert own.decapsulate(ours) == secret
    at = SECOND_BEGINS[name]
    for mixed in (ours[:at] + theirs[at:], theirs[:at] + ours[at:]):
        assert own.decapsulate(mixed) != secret


@pytest.mark.parametrize("name", HYBRIDS)
def test_a_point_that_is_none_is_refused_in_a_public_key_and_in_a_ciphertext(name: str) -> None:
    kem = algorithms.kem(name)
    secret_key, point_bytes = kem.generate(), hybrids.KEMS[name].point_bytes
    ciphertext, _ = kem.public(secret_key.public_key).encapsulate()
    with pytest.raises(ValueError, match=r"."):
        secret_key.decapsulate(without_point(name, ciphertext, point_bytes))
    with pytest.raises(ValueError, match=r"."):
        kem.public(without_point(name, secret_key.public_key, point_bytes)).encapsulate()


def without_point(name: str, both: bytes, point_bytes: int) -> bytes:
    """The bytes with zeros for the point: on X25519 one of small order, elsewhere none."""
    return (
        both[:-point_bytes] + bytes(point_bytes)
        if name == "X25519MLKEM768"
        else bytes(point_bytes) + both[point_bytes:]
    )


@pytest.mark.parametrize("name", HYBRIDS)
def test_a_key_exchange_with_any_byte_of_the_ciphertext_changed_is_rejected(name: str) -> None:
    pair = uplink(dataclasses.replace(SMALL, kem=name))
    message = sent(pair.device.seal(DATA))
    for at in (16, 16 + 40, 16 + 70, 16 + pair.live.kem.row.output_bytes - 1):
        with pytest.raises(Rejected, match="signature does not verify"):
            pair.server.session().receive(reading(flipped(message, 8 * at)))
    assert pair.server.session().receive(reading(message)) == DATA


def test_a_signed_exchange_with_a_point_of_small_order_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a device that is known sends is authentic, and yet no ciphertext."""
    pair = uplink(dataclasses.replace(SMALL, kem="X25519MLKEM768"))
    public = pair.live.kem.public(pair.server_key.public_key)
    (ciphertext, secret) = public.encapsulate()
    monkeypatch.setattr(hybrids._HybridPublicKey, "encapsulate", lambda key: (ciphertext[:1088] + bytes(32), secret))
    with pytest.raises(Rejected, match="ciphertext is none"):
        pair.server.session().receive(reading(sent(pair.device.seal(DATA))))
