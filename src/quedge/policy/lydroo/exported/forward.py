"""An exported actor's forward pass, by ONNX Runtime on one thread."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from quedge.model.cell import Cell
from quedge.model.frame import Frame
from quedge.policy.lydroo.actor import wrong_devices
from quedge.policy.lydroo.exported.signature import DEVICES, LOGITS, SCALARS, STATE, constants, taken
from quedge.policy.lydroo.features import Inputs

_FATAL = 4  # the lowest severity that is logged: what is wrong is told in our own words


class Forward:
    """A graph, ready to run; what goes in and out has memory of its own, which stays while the devices do."""

    def __init__(self, model: bytes, inputs: Inputs, devices: int | None) -> None:
        """Load a graph.

        Args:
            model: the file's content.
            inputs: what the actor sees, on which the graph's inputs depend.
            devices: the only number of devices that it serves; None where any will do.

        Raises:
            ValueError: it is no such graph; the message says what is wrong, and the caller knows of which file.
        """
        self._session = _session(model)
        self._inputs, self._made_for = inputs, devices
        self._check()
        self._cell: Cell | None = None
        self._reserve(1 if devices is None else devices)

    def logits(self, frame: Frame) -> NDArray[np.float64]:
        """The relaxed decision of a frame before the sigmoid, shape (devices,).

        Raises:
            ValueError: the actor was made for another number of devices.
        """
        if frame.cell is not self._cell:
            self._enter(frame.cell)
        for buffer, values in zip(self._state, frame[1:], strict=True):
            buffer[:] = values
        self._session.run_with_iobinding(self._binding)
        return self._logits.astype(np.float64)

    def _enter(self, cell: Cell) -> None:
        """Take the constants of a cell in."""
        if cell.devices != self._logits.size:
            if self._made_for is not None:
                raise wrong_devices(cell.devices, self._made_for)
            self._reserve(cell.devices)
        for name in constants(self._inputs):
            self._buffers[name][...] = getattr(cell, name)
        self._cell = cell

    def _reserve(self, devices: int) -> None:
        """Memory for a number of devices."""
        self._buffers = {name: np.zeros(() if name in SCALARS else devices) for name in taken(self._inputs)}
        self._state = [self._buffers[name] for name in STATE]
        self._logits = np.zeros(devices, dtype=np.float32)
        self._binding = self._session.io_binding()
        for name, buffer in self._buffers.items():
            self._binding.bind_input(name, "cpu", 0, np.float64, buffer.shape, buffer.ctypes.data)
        self._binding.bind_output(LOGITS, "cpu", 0, np.float32, self._logits.shape, self._logits.ctypes.data)

    def _check(self) -> None:
        axis = DEVICES if self._made_for is None else self._made_for
        expected = {name: ("tensor(double)", [] if name in SCALARS else [axis]) for name in taken(self._inputs)}
        for what, nodes, wanted in (
            ("inputs", self._session.get_inputs(), expected),
            ("outputs", self._session.get_outputs(), {LOGITS: ("tensor(float)", [axis])}),
        ):
            found = {node.name: (node.type, list(node.shape)) for node in nodes}
            for name in {**found, **wanted}:
                if found.get(name) != wanted.get(name):
                    told = [_told(each.get(name)) for each in (found, wanted)]
                    raise ValueError(f"{what}: {name[:60]!r} is {told[0]}, and must be {told[1]}")


def metadata_of(model: bytes) -> dict[str, str]:
    """What a model carries beside its graph.

    Raises:
        ValueError: ONNX Runtime cannot load it.
    """
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
