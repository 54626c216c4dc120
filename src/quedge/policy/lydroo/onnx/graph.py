"""An actor's network as an ONNX graph, from features to logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from quedge.errors import not_allowed
from quedge.policy.lydroo.network import Actor, MlpActor, SharedActor, Weights
from quedge.policy.lydroo.onnx import DEVICES, FEATURES, LOGITS

OPSET, IR_VERSION = 17, 8  # as old as the graph allows, so that old runtimes run it


def actor_model(
    actor: Actor, features: int, weights: Weights, devices: int, version: str, metadata: Mapping[str, str]
) -> onnx.ModelProto:
    """An actor with what it has learned, as a checked ONNX model; `signature.py` says what goes in and out.

    Args:
        actor: the network's shape.
        features: number of features that it sees of a device.
        weights: what it has learned; the graph holds them under their names.
        devices: number of devices that it was trained with; an `MlpActor` serves no other.
        version: the package's version.
        metadata: what the model is to carry beside the graph.

    Raises:
        ValueError: an actor that is not of this package.
    """
    axis: str | int
    if isinstance(actor, SharedActor):
        nodes, axis = _shared(), DEVICES
    elif isinstance(actor, MlpActor):
        nodes, axis = _mlp(), devices
    else:
        raise not_allowed("actor", actor, "a SharedActor or an MlpActor")
    flat = numpy_helper.from_array(np.array([-1]), _FLAT)
    graph = helper.make_graph(
        [*nodes, helper.make_node("Reshape", ["output", _FLAT], [LOGITS], LOGITS)],
        "lydroo_actor",
        [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, [axis, features])],
        [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, [axis])],
        [flat, *(numpy_helper.from_array(values, name) for name, values in weights.items())],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="quedge",
        producer_version=version,
    )
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return model


_FLAT = "flat"


def _shared() -> list[onnx.NodeProto]:
    """`SharedActor`, a device a row; `output` has shape (devices, 1)."""
    return [
        _layer("embed", FEATURES),
        _node("Relu", ["embed"], "embedded"),
        _node("ReduceMean", ["embedded"], "mean", axes=[0]),
        _node("ReduceMax", ["embedded"], "maximum", axes=[0]),
        _node("Concat", ["mean", "maximum"], "pooled", axis=1),
        _layer("context", "pooled"),
        _node("Gemm", ["embedded", "own.weight", "context"], "own", transB=1),
        _node("Relu", ["own"], "hidden"),
        _layer("output", "hidden"),
    ]


def _mlp() -> list[onnx.NodeProto]:
    """`MlpActor`, all devices' features in one row; `output` has shape (1, devices)."""
    return [
        _node("Flatten", [FEATURES], "row", axis=0),
        _layer("first", "row"),
        _node("Relu", ["first"], "first_hidden"),
        _layer("second", "first_hidden"),
        _node("Relu", ["second"], "second_hidden"),
        _layer("output", "second_hidden"),
    ]


def _layer(name: str, given: str) -> onnx.NodeProto:
    """What a layer of the network makes of rows; its weights are called after it."""
    return _node("Gemm", [given, f"{name}.weight", f"{name}.bias"], name, transB=1)


def _node(kind: str, given: list[str], gives: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, given, [gives], gives, **attributes)
