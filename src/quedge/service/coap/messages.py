"""CoAP's messages as bytes.

Source: RFC 7252, Sections 3, 5.10 and 12.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

_HEADER = struct.Struct("!BBH")
_VERSION = 1
_PAYLOAD_FOLLOWS = 0xFF
_MAX_TOKEN_BYTES = 8
_URI_HOST, _URI_PORT, _URI_PATH = 3, 7, 11


class NoMessageError(ValueError):
    """Bytes that are no message of CoAP."""


class Kind(IntEnum):
    """How a message is delivered."""

    CONFIRMABLE = 0
    NON_CONFIRMABLE = 1
    ACKNOWLEDGEMENT = 2
    RESET = 3


class Code(IntEnum):
    """What a message is: empty, a method, or what became of a request; class and detail in one byte."""

    EMPTY = 0
    POST = 2
    DELETE = 4
    DELETED = 2 << 5 | 2
    CHANGED = 2 << 5 | 4
    BAD_REQUEST = 4 << 5
    BAD_OPTION = 4 << 5 | 2
    FORBIDDEN = 4 << 5 | 3
    NOT_FOUND = 4 << 5 | 4
    METHOD_NOT_ALLOWED = 4 << 5 | 5
    CONFLICT = 4 << 5 | 9
    TOO_MANY_REQUESTS = 4 << 5 | 29
    INTERNAL_SERVER_ERROR = 5 << 5
    SERVICE_UNAVAILABLE = 5 << 5 | 3


class Message(NamedTuple):
    """A message.

    Attributes:
        kind: see `Kind`.
        code: see `Code`, which does not have all there are.
        number: the Message ID, by which acknowledgements and duplicates are known.
        token: what a response has of its request.
        payload: what follows the options.
        path: of the request's URI.
        unknown_option: number of an option that must be understood and is not; 0 where there is none.
    """

    kind: int
    code: int
    number: int
    token: bytes = b""
    payload: bytes = b""
    path: tuple[str, ...] = ()
    unknown_option: int = 0

    @property
    def is_request(self) -> bool:
        """Whether it is one, of whatever method."""
        return 0 < self.code < 1 << 5

    def encoded(self) -> bytes:
        """Its bytes, without options."""
        header = _HEADER.pack(_VERSION << 6 | self.kind << 4 | len(self.token), self.code, self.number)
        return header + self.token + (b"\xff" + self.payload if self.payload else b"")


def decoded(data: bytes) -> Message:
    """The message that bytes are; a NoMessageError where they are none."""
    if len(data) < _HEADER.size:
        raise NoMessageError("cut short")
    first, code, number = _HEADER.unpack_from(data)
    at = _HEADER.size + (first & 15)
    if first >> 6 != _VERSION or first & 15 > _MAX_TOKEN_BYTES or at > len(data) or (code == 0 and len(data) > at):
        raise NoMessageError("of another version, with a long token, or not empty")
    token, path, option, unknown = data[_HEADER.size : at], [], 0, 0
    while at < len(data) and data[at] != _PAYLOAD_FOLLOWS:
        both, at = data[at], at + 1
        delta, at = _extended(data, both >> 4, at)
        length, at = _extended(data, both & 15, at)
        option, end = option + delta, at + length
        if end > len(data):
            raise NoMessageError("an option is cut short")
        if option == _URI_PATH:
            path.append(_text(data[at:end]))
        elif option & 1 and option not in (_URI_HOST, _URI_PORT):  # odd ones must be understood
            unknown = unknown or option
        at = end
    if at + 1 == len(data):
        raise NoMessageError("no payload follows")
    return Message(first >> 4 & 3, code, number, token, data[at + 1 :], tuple(path), unknown)


def _extended(data: bytes, short: int, at: int) -> tuple[int, int]:
    """A number of an option's head, of which four bits are known, and the place after what else it takes."""
    if short < 13:
        return short, at
    end = at + short - 12  # one more byte, or two
    if short == 15 or end > len(data):
        raise NoMessageError("an option's head is none")
    return int.from_bytes(data[at:end], "big") + (13 if short == 13 else 269), end


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NoMessageError("the path is no text") from None
