"""The forward pass of an exported network, by ONNX Runtime on one thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from quedge.policy.lydroo.network import wrong_devices
from quedge.policy.lydroo.onnx import DEVICES, FEATURES, LOGITS

_GRAPH, _NODE, _INPUT = 7, 1, 1  # ModelProto.graph, GraphProto.node, NodeProto.input
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def unread(model: bytes, inputs: Iterable[str]) -> list[str]:
    """The inputs that no node of a graph reads, of a model that ONNX Runtime has loaded; a ValueError of no message."""
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


_FATAL = 4  # the lowest severity that is logged: what is wrong is told in our own words


class Forward:
    """A graph, ready to run; what goes in and out has memory of its own, which stays while the devices do."""

    def __init__(self, model: bytes, features: int, devices: int | None) -> None:
        """Load a graph.

        Args:
            model: the file's content.
            features: number of features that the actor sees of a device.
            devices: the only number of devices that it serves; None where any will do.

        Raises:
            ValueError: it is no such graph; the message says what is wrong, and the caller knows of which file.
        """
        self._session = _session(model)
        self._made_for = devices
        self._check(model, features)
        self._reserve(1 if devices is None else devices, features)

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The relaxed decision before the sigmoid, shape (devices,); `features` of shape (devices, features).

        Raises:
            ValueError: the actor was made for another number of devices.
        """
        devices, count = features.shape
        if devices != self._logits.size:
            if self._made_for is not None:
                raise wrong_devices(devices, self._made_for)
            self._reserve(devices, count)
        self._features[:] = features
        self._session.run_with_iobinding(self._binding)
        return self._logits.astype(np.float64)

    def _reserve(self, devices: int, features: int) -> None:
        """Memory for a number of devices."""
        self._features = np.zeros((devices, features), dtype=np.float32)
        self._logits = np.zeros(devices, dtype=np.float32)
        self._binding = self._session.io_binding()
        for bind, name, buffer in (
            (self._binding.bind_input, FEATURES, self._features),
            (self._binding.bind_output, LOGITS, self._logits),
        ):
            bind(name, "cpu", 0, np.float32, buffer.shape, buffer.ctypes.data)

    def _check(self, model: bytes, features: int) -> None:
        """Refuse a graph that takes or gives anything else, or that takes what it does not read."""
        axis = DEVICES if self._made_for is None else self._made_for
        inputs = self._session.get_inputs()
        for what, nodes, wanted in (
            ("inputs", inputs, {FEATURES: ("tensor(float)", [axis, features])}),
            ("outputs", self._session.get_outputs(), {LOGITS: ("tensor(float)", [axis])}),
        ):
            found = {node.name: (node.type, list(node.shape)) for node in nodes}
            for name in {**found, **wanted}:
                if found.get(name) != wanted.get(name):
                    told = [_told(each.get(name)) for each in (found, wanted)]
                    raise ValueError(f"{what}: {name[:60]!r} is {told[0]}, and must be {told[1]}")
        for name in unread(model, [node.name for node in inputs]):
            raise ValueError(f"inputs: {name!r} is read by no node of the graph, and must be")


def metadata_of(model: bytes) -> dict[str, str]:
    """What a model carries beside its graph; a ValueError where ONNX Runtime cannot load it."""
    return dict(_session(model).get_modelmeta().custom_metadata_map)


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_reuse = False  # values so small are found sooner where each has its own memory
    options.log_severity_level = _FATAL
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has an exception a reason, none of them in common
        raise ValueError(f"ONNX Runtime cannot load it: {' '.join(str(error).split())[:200]}") from None


def _told(signature: tuple[str, list[str | int]] | None) -> str:
    return "absent" if signature is None else f"{signature[0]} of shape {signature[1]}"
