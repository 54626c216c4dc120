"""Which inputs a graph declares and no node reads: ONNX Runtime takes them and says nothing.

A model is a protocol-buffers message, of which this needs three fields; so whoever runs it needs no `onnx`.

Source: the ONNX project's `onnx.proto` (field numbers); protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_GRAPH, _NODE, _INPUT = 7, 1, 1  # ModelProto.graph, GraphProto.node, NodeProto.input
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def unread(model: bytes, inputs: Iterable[str]) -> list[str]:
    """The inputs that no node of a model's graph reads.

    Args:
        model: the file's content, which ONNX Runtime has loaded.
        inputs: names of the graph's inputs.

    Raises:
        ValueError: it is no message.
    """
    content = memoryview(model)
    read = {
        bytes(name).decode(errors="replace")
        for graph in _fields(content, _GRAPH)
        for node in _fields(graph, _NODE)
        for name in _fields(node, _INPUT)
    }
    return [name for name in inputs if name not in read]


def _fields(message: memoryview, number: int) -> Iterator[memoryview]:
    """The contents of a message's fields of one number that hold bytes: strings and messages."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind, length = tag & 7, 0
        if kind == _VARINT:
            _, place = _varint(message, place)
        elif kind == _BYTES:
            length, place = _varint(message, place)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError("its graph cannot be read")
        if kind == _BYTES and tag >> 3 == number:
            yield message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place behind it."""
    number = shift = 0
    while place < len(message):
        number |= (message[place] & 127) << shift
        shift, place = shift + 7, place + 1
        if message[place - 1] < 128:
            return number, place
    raise ValueError("its graph cannot be read")
