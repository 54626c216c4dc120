"""The device: it turns frames of data into what is sent."""

from __future__ import annotations

from typing import NamedTuple

from quedge.errors import not_allowed
from quedge.pqc.uplink import key_exchange
from quedge.pqc.uplink.algorithms import LiveSuite
from quedge.pqc.uplink.primitives import Rejected, SigningKey
from quedge.pqc.uplink.records import MAX_EPOCH, Position


class SealedFrame(NamedTuple):
    """What is sent for a frame, in this order.

    Attributes:
        key_exchange: message of a key exchange; empty where the keys are kept.
        records: the data.
        signature: of the records; empty where only key exchanges are signed.
    """

    key_exchange: bytes
    records: list[bytes]
    signature: bytes


class Device:
    """The sending side of an uplink. Its repr shows no key.

    Args:
        live: the suite.
        number: by which the server knows it, from 0 to 65535.
        signing_key: its own.
        server_key: the server's pinned public key.
        epoch: number of its last key exchange with this server; 0 before the first.

    Raises:
        ValueError: a number out of range, or a server's key that is none.
    """

    def __init__(
        self, live: LiveSuite, number: int, signing_key: SigningKey, server_key: bytes, epoch: int = 0
    ) -> None:
        if not 0 <= number <= key_exchange.MAX_DEVICE:
            raise not_allowed("number", number, f"from 0 to {key_exchange.MAX_DEVICE}")
        live.kem.public(server_key)
        self._live = live
        self._number = number
        self._signing_key = signing_key
        self._server_key = server_key
        self._epoch = epoch
        self._agreed: key_exchange.Agreed | None = None
        self._at = Position()

    def begin_session(self) -> None:
        """Drop the keys, as after a rejection; the next frame brings a key exchange."""
        self._agreed = None

    def seal(self, data: bytes) -> SealedFrame:
        """What is sent for a frame; nothing for one without data, which does not count as a frame.

        Raises:
            Rejected: epochs or sequence numbers are used up, or the key may encrypt no more; the keys are dropped.
        """
        if not data:
            return SealedFrame(b"", [], b"")
        try:
            return self._sealed(data)
        except BaseException:
            self.begin_session()
            raise

    def _sealed(self, data: bytes) -> SealedFrame:
        suite = self._live.suite
        message = b""
        if self._agreed is None or self._at.frame == suite.rekey_frames:
            message = self._exchange_keys()
        assert self._agreed is not None
        running = self._agreed.frame_hash(self._at.frame) if suite.sign_every_frame else None
        records, view = [], memoryview(data)
        for start in range(0, len(data), suite.record_bytes):
            last = start + suite.record_bytes >= len(data)
            records.append(self._agreed.records.seal(self._at, view[start : start + suite.record_bytes], last))
            self._at = self._at.following(last)
            if running is not None:
                running.update(records[-1])
        signature = b""
        if running is not None:
            signature = self._signing_key.sign(running.digest(), key_exchange.FRAME_CONTEXT)
        return SealedFrame(message, records, signature)

    def _exchange_keys(self) -> bytes:
        self._agreed = None
        if self._epoch >= MAX_EPOCH:
            raise Rejected("key exchange: epochs used up")
        self._epoch += 1
        header = key_exchange.Header(self._number, self._epoch)
        message, self._agreed = key_exchange.offer(self._live, header, self._signing_key, self._server_key)
        self._at = Position()
        return message
