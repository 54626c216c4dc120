"""Records: a frame's data, encrypted and authenticated in pieces whose place in the session is fixed.

    byte 0      type: 1 more of this frame follows, 2 last of the frame
    bytes 1-3   length of the data, big-endian
    bytes 4-5   counter: the low 16 bits of the record's sequence number
    then        ciphertext, as long as the data, and a tag of 16 bytes

The nonce is not sent. It is direction (1 bit), epoch (31 bits) and sequence number (64 bits); the sequence number
starts at 0 with each epoch's key. Header and frame number are associated data.
"""

from __future__ import annotations

import enum
import struct
from typing import NamedTuple

from quedge.errors import not_allowed
from quedge.pqc.uplink.primitives import TAG_BYTES, Cipher, Rejected

HEADER_BYTES = 6
OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES
MAX_EPOCH = (1 << 31) - 1
MAX_SEQUENCE = (1 << 64) - 1

_MORE, _LAST = 1, 2
_NONCE = struct.Struct(">IQ")
_FRAME = struct.Struct(">Q")


class Direction(enum.IntEnum):
    """Who sends a record."""

    DEVICE_TO_SERVER = 0
    SERVER_TO_DEVICE = 1


class Position(NamedTuple):
    """Where in an epoch a record stands: so many records, and so many frames, come before it."""

    sequence: int = 0
    frame: int = 0

    def following(self, last: bool) -> Position:
        """The position after a record, which was the last of its frame or not."""
        return Position(self.sequence + 1, self.frame + last)


class Records:
    """The records of one epoch in one direction: a key, and no state. Its repr shows neither.

    Args:
        cipher: the AEAD under this epoch's and direction's key.
        epoch: number of the key exchange.
        direction: who seals.
        record_bytes: most data in a record; every record but a frame's last is full.
        most_records: most records that the key may encrypt; None where sequence numbers are used up before.
    """

    __slots__ = ("_cipher", "_most_records", "_prefix", "_record_bytes")

    def __init__(
        self, cipher: Cipher, epoch: int, direction: Direction, record_bytes: int, most_records: int | None = None
    ) -> None:
        if not 0 <= epoch <= MAX_EPOCH:
            raise not_allowed("epoch", epoch, f"from 0 to {MAX_EPOCH}")
        self._cipher = cipher
        self._prefix = direction << 31 | epoch
        self._record_bytes = record_bytes
        self._most_records = MAX_SEQUENCE + 1 if most_records is None else most_records

    def seal(self, at: Position, data: bytes | memoryview, last: bool) -> bytes:
        """The record of this data at this position, as it is sent.

        Raises:
            Rejected: the key has encrypted as many records as it may, or the sequence numbers are used up.
        """
        header = self._header(at, len(data), last)
        return header + self._cipher.encrypt(self._nonce(at), data, header + _FRAME.pack(at.frame))

    def check_header(self, at: Position, header: bytes) -> tuple[int, bool]:
        """Length of the data, and whether it ends the frame, of a header at this position.

        Raises:
            Rejected: it is not a header that can stand here.
        """
        kind, length = header[0], int.from_bytes(header[1:4], "big")
        if kind not in (_MORE, _LAST):
            raise Rejected("record: unknown type")
        last = kind == _LAST
        if not (1 if last else self._record_bytes) <= length <= self._record_bytes:
            raise Rejected("record: length out of range")
        if header != self._header(at, length, last):
            raise Rejected("record: not the next one")
        return length, last

    def open(self, at: Position, header: bytes, body: bytes) -> bytes:
        """The data of a record at this position.

        Raises:
            Rejected: the record is not the one that was sealed for this position.
        """
        length, _ = self.check_header(at, header)
        if len(body) != length + TAG_BYTES:
            raise Rejected("record: cut short or too long")
        data = self._cipher.decrypt(self._nonce(at), body, header + _FRAME.pack(at.frame))
        if data is None:
            raise Rejected("record: not authentic")
        return data

    def _header(self, at: Position, length: int, last: bool) -> bytes:
        kind = _LAST if last else _MORE
        return bytes((kind,)) + length.to_bytes(3, "big") + (at.sequence & 0xFFFF).to_bytes(2, "big")

    def _nonce(self, at: Position) -> bytes:
        if at.sequence > MAX_SEQUENCE:
            raise Rejected("record: sequence numbers used up")
        if at.sequence >= self._most_records:
            raise Rejected("record: its key may encrypt no more")
        return _NONCE.pack(self._prefix, at.sequence)
