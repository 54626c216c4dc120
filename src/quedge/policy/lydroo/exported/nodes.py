"""An ONNX graph written as formulas: operators on its values append its nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Nodes:
    """The nodes and constants of a graph that is being built."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def op(self, kind: str, *given: Value | float, **attributes: Any) -> Value:
        """A node of one output; a float among what it is given becomes a constant of type float64."""
        (value,) = self.split(kind, 1, *given, **attributes)
        return value

    def split(self, kind: str, outputs: int, *given: Value | float, **attributes: Any) -> tuple[Value, ...]:
        """A node of several outputs."""
        name = f"{kind}_{len(self.nodes)}"
        values = tuple(Value(self, f"{name}_{place}" if outputs > 1 else name) for place in range(outputs))
        inputs = [self._value(each).name for each in given]
        self.nodes.append(helper.make_node(kind, inputs, [value.name for value in values], name, **attributes))
        return values

    def constant(self, name: str, array: NDArray[Any]) -> Value:
        """A constant; equal names stand for equal constants."""
        self.constants[name] = numpy_helper.from_array(array, name)
        return Value(self, name)

    def _value(self, given: Value | float) -> Value:
        return given if isinstance(given, Value) else self.constant(repr(float(given)), np.array(float(given)))


class Value:
    """What a node gives, or the graph takes, by its name."""

    def __init__(self, nodes: Nodes, name: str) -> None:
        self._nodes = nodes
        self.name = name

    def __add__(self, other: Value | float) -> Value:
        return self._nodes.op("Add", self, other)

    def __sub__(self, other: Value | float) -> Value:
        return self._nodes.op("Sub", self, other)

    def __mul__(self, other: Value | float) -> Value:
        return self._nodes.op("Mul", self, other)

    def __truediv__(self, other: Value | float) -> Value:
        return self._nodes.op("Div", self, other)

    def __gt__(self, other: Value | float) -> Value:
        return self._nodes.op("Greater", self, other)

    def __ge__(self, other: Value | float) -> Value:
        return self._nodes.op("GreaterOrEqual", self, other)
