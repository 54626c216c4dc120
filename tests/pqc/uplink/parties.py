"""A device and a server with small records, and what is sent between them, in memory."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from quedge.pqc.suite import SUITES, Suite
from quedge.pqc.uplink.algorithms import LiveSuite, live_suite
from quedge.pqc.uplink.device import Device, SealedFrame
from quedge.pqc.uplink.primitives import KemSecretKey, Rejected, SigningKey
from quedge.pqc.uplink.server import Read, Server

DEVICE = 258
SMALL = dataclasses.replace(SUITES["level3"], record_bytes=64, rekey_frames=3)
"""Records of 64 bytes and keys for three frames."""

DATA = bytes(range(148))
"""A frame of three such records: 64, 64 and 20 bytes."""

EXCHANGE_BYTES = 16 + 1088 + 3309
RECORD_BYTES = 6 + 64 + 16


@dataclass
class Uplink:
    """Both parties, and the secret keys that they were made of."""

    live: LiveSuite
    device: Device
    server: Server
    signing_key: SigningKey
    server_key: KemSecretKey


def uplink(suite: Suite = SMALL) -> Uplink:
    live = live_suite(suite)
    signing_key, server_key = live.signature.generate(), live.kem.generate()
    device = Device(live, DEVICE, signing_key, server_key.public_key)
    other = live.signature.generate().public_key
    return Uplink(live, device, Server(live, server_key, {DEVICE: signing_key.public_key, 7: other}),
                  signing_key, server_key)  # fmt: skip


def sent(frame: SealedFrame) -> bytes:
    """A frame as it is on the wire."""
    return b"".join((frame.key_exchange, *frame.records, frame.signature))


def reading(stream: bytes) -> Read:
    """Exact reads of a stream that ends."""
    at = 0

    def read(count: int) -> bytes:
        nonlocal at
        if at + count > len(stream):
            raise Rejected("stream: ended within a message")
        at += count
        return stream[at - count : at]

    return read


def flipped(message: bytes, bit: int) -> bytes:
    """The message with one bit turned."""
    turned = bytearray(message)
    turned[bit // 8] ^= 1 << bit % 8
    return bytes(turned)
