from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.service.coap.messages import Code, Kind, Message, NoMessageError, decoded

KINDS = st.sampled_from(list(Kind))
CODES = st.sampled_from([code for code in Code if code is not Code.EMPTY])
NUMBERS = st.integers(0, 0xFFFF)
TOKENS = st.binary(max_size=8)


@given(KINDS, CODES, NUMBERS, TOKENS, st.binary(max_size=2000))
def test_a_message_is_read_as_it_was_written(kind: Kind, code: Code, number: int, token: bytes, payload: bytes) -> None:
    message = Message(kind, code, number, token, payload)
    assert decoded(message.encoded()) == message


@given(KINDS, NUMBERS, TOKENS, st.binary(max_size=99), st.lists(st.text(min_size=1, max_size=90), max_size=5))
def test_another_implementation_s_requests_are_read(
    kind: Kind, number: int, token: bytes, payload: bytes, path: list[str]
) -> None:
    aiocoap = pytest.importorskip("aiocoap")
    path = [each for each in path if len(each.encode()) < 256]
    request = aiocoap.Message(code=aiocoap.POST, payload=payload, uri_path=path, uri_host="localhost")
    request.mtype, request.mid, request.token = aiocoap.numbers.types.Type(int(kind)), number, token
    assert decoded(request.encode()) == Message(kind, Code.POST, number, token, payload, tuple(path))


@given(KINDS, CODES, NUMBERS, TOKENS, st.binary(max_size=99))
def test_another_implementation_reads_responses(
    kind: Kind, code: Code, number: int, token: bytes, payload: bytes
) -> None:
    aiocoap = pytest.importorskip("aiocoap")
    read = aiocoap.Message.decode(Message(kind, code, number, token, payload).encoded())
    assert (int(read.mtype), int(read.code), read.mid, read.token) == (kind, code, number, token)
    assert read.payload == payload


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_none(data: bytes) -> None:
    try:
        message = decoded(data)
    except NoMessageError:
        return
    assert len(message.token) <= 8
    assert data.endswith(message.payload)


@pytest.mark.parametrize(
    "data",
    [
        "", "400200", "00020001", "80020001", "c0020001",  # cut short, or of another version
        "4f020001" + 15 * "00", "4902000100", "42020001aa",  # tokens that are too long, or cut short
        "4000000161", "40020001ff",  # an empty message with more, a payload that does not follow
        "40020001b561", "40020001d1", "40020001e1aa", "40020001f161", "400200011f",  # options that are none
        "40020001b2fffe",  # a path that is no text
    ],
)  # fmt: skip
def test_what_is_no_message_is_told(data: str) -> None:
    with pytest.raises(NoMessageError):
        decoded(bytes.fromhex(data))


def test_an_option_that_must_be_understood_is_told_and_one_that_need_not_be_is_skipped() -> None:
    head = bytes.fromhex("40020001")
    assert decoded(head + bytes.fromhex("b1614132")).unknown_option == 15  # Uri-Query after Uri-Path
    assert decoded(head + bytes.fromhex("b161112a5111")).unknown_option == 17  # Content-Format, then Accept
    assert decoded(head + bytes.fromhex("b161112a")) == Message(0, Code.POST, 1, path=("a",))
    assert decoded(head + bytes.fromhex("d10e00")).unknown_option == 27
    assert decoded(head + bytes.fromhex("e000ff")).unknown_option == 0  # 524 may be skipped
