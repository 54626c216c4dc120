"""The key exchange: the device encapsulates to the server's pinned key and signs with its own.

    bytes 0-1    magic, "QE"                 bytes 8-11   epoch, the number of this exchange
    byte  2      version, 1                  bytes 12-13  length of the ciphertext
    bytes 3-5    suite                       bytes 14-15  length of the signature
    bytes 6-7    device                      then         ciphertext, signature

Numbers are big-endian. The signature covers the transcript: label, parameters, header, ciphertext and both pinned
public keys, each behind its length. Record keys are HKDF of the shared secret and the transcript's hash, by the suite's
hash.
"""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

from quedge.pqc.uplink.algorithms import LiveSuite
from quedge.pqc.uplink.by_cryptography import hkdf
from quedge.pqc.uplink.primitives import KEY_BYTES, KemSecretKey, Rejected, SigningKey
from quedge.pqc.uplink.records import MAX_EPOCH, Direction, Records

HEADER_BYTES = 16
MAX_DEVICE = 0xFFFF

LABEL = b"quedge uplink v1"
EXCHANGE_CONTEXT = LABEL + b" key exchange"
FRAME_CONTEXT = LABEL + b" frame"

_MAGIC, _VERSION = b"QE", 1
_HEADER = struct.Struct(">2sB3sHIHH")
_PARAMETERS = struct.Struct(">II")


class Header(NamedTuple):
    """What the header of a key exchange says: who sends it, and the exchange's number, from 1."""

    device: int
    epoch: int


class Agreed:
    """What both sides have after a key exchange. Its repr shows no key.

    Attributes:
        records: the device's records of this epoch.
        name: hash of the transcript, which is no secret; no two key exchanges share one.
    """

    __slots__ = ("_hash", "name", "records")

    def __init__(self, live: LiveSuite, secret: bytes, transcript: bytes, epoch: int) -> None:
        self._hash = live.hash.replace("-", "").lower()
        self.name = hashlib.sha512(transcript).digest()
        self.records = records_of(live, secret, self.name, epoch, Direction.DEVICE_TO_SERVER)

    def frame_hash(self, frame: int) -> hashlib._Hash:
        """A hash to be fed a frame's records as they are sent; what the frame's signature covers is its digest."""
        return hashlib.new(self._hash, FRAME_CONTEXT + self.name + frame.to_bytes(8, "big"))


def records_of(live: LiveSuite, secret: bytes, name: bytes, epoch: int, direction: Direction) -> Records:
    """The records of an epoch and direction, under the key that follows from the secret and the transcript."""
    info = LABEL + b" record key" + bytes((direction,)) + name
    key = hkdf(live.hash, secret, LABEL, info, KEY_BYTES)
    return Records(live.aead.cipher(key), epoch, direction, live.suite.record_bytes, live.most_records)


def offer(live: LiveSuite, header: Header, signing_key: SigningKey, server_key: bytes) -> tuple[bytes, Agreed]:
    """The device's side: the message to send, and what it then has.

    Raises:
        ValueError: the server's key is no public key of the suite's KEM.
    """
    ciphertext, secret = live.kem.public(server_key).encapsulate()
    head = packed(live, header)
    transcript = _transcript(live, head, ciphertext, server_key, signing_key.public_key)
    signature = signing_key.sign(transcript, EXCHANGE_CONTEXT)
    return head + ciphertext + signature, Agreed(live, secret, transcript, header.epoch)


def packed(live: LiveSuite, header: Header) -> bytes:
    """The header as it is sent."""
    sizes = live.kem.row.output_bytes, live.signature.row.output_bytes
    return _HEADER.pack(_MAGIC, _VERSION, live.number, header.device, header.epoch, *sizes)


def check_header(live: LiveSuite, head: bytes) -> Header:
    """Device and epoch of a header whose every other byte is as this suite has it.

    Raises:
        Rejected: some are not.
    """
    if len(head) != HEADER_BYTES:
        raise Rejected("key exchange: header cut short")
    magic, version, number, device, epoch, *sizes = _HEADER.unpack(head)
    if (magic, version) != (_MAGIC, _VERSION):
        raise Rejected("key exchange: unknown protocol or version")
    if number != live.number:
        raise Rejected("key exchange: another suite")
    if sizes != [live.kem.row.output_bytes, live.signature.row.output_bytes]:
        raise Rejected("key exchange: lengths that the suite does not have")
    if not 1 <= epoch <= MAX_EPOCH:
        raise Rejected("key exchange: epoch out of range")
    return Header(device, epoch)


def accept(live: LiveSuite, head: bytes, body: bytes, secret_key: KemSecretKey, device_key: bytes) -> Agreed:
    """The server's side: what it has after a message that the device signed for it.

    Args:
        live: the suite.
        head: header of the message.
        body: the rest of it.
        secret_key: the server's own.
        device_key: pinned public key of the device that the header names.

    Raises:
        Rejected: the message is not whole, or not signed by that device for this server.
    """
    epoch = check_header(live, head).epoch
    size = live.kem.row.output_bytes
    if len(body) != size + live.signature.row.output_bytes:
        raise Rejected("key exchange: cut short or too long")
    ciphertext, signature = body[:size], body[size:]
    transcript = _transcript(live, head, ciphertext, secret_key.public_key, device_key)
    if not live.signature.public(device_key).verifies(signature, transcript, EXCHANGE_CONTEXT):
        raise Rejected("key exchange: signature does not verify")
    try:
        secret = secret_key.decapsulate(ciphertext)
    except ValueError:
        raise Rejected("key exchange: ciphertext is none") from None
    return Agreed(live, secret, transcript, epoch)


def _transcript(live: LiveSuite, head: bytes, ciphertext: bytes, server_key: bytes, device_key: bytes) -> bytes:
    parameters = _PARAMETERS.pack(live.suite.record_bytes, live.suite.rekey_frames)
    parts = (LABEL, parameters, head, ciphertext, server_key, device_key)
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
