"""The whole of an actor as an ONNX graph: from a frame's state and its cell to the logits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from quedge.policy.lydroo.actor import Actor, MlpActor, SharedActor, Weights
from quedge.policy.lydroo.exported.features import feature_rows
from quedge.policy.lydroo.exported.nodes import Nodes, Value
from quedge.policy.lydroo.exported.signature import DEVICES, LOGITS, SCALARS, taken
from quedge.policy.lydroo.features import Inputs

OPSET, IR_VERSION = 17, 8  # as old as the graph allows, so that old runtimes run it


def actor_model(
    actor: Actor, inputs: Inputs, weights: Weights, devices: int, version: str, metadata: Mapping[str, str]
) -> onnx.ModelProto:
    """An actor with what it has learned, as a checked ONNX model; `taken` and `LOGITS` name what goes in and out.

    Features are computed in float64 and the network in float32, as the compiled forward pass has them.

    Args:
        actor: the network's shape.
        inputs: what the actor sees.
        weights: what it has learned.
        devices: number of devices that it was trained with; an `MlpActor` serves no other.
        version: the package's version.
        metadata: what the model is to carry beside the graph.

    Raises:
        ValueError: an actor that is not of this package.
    """
    g = Nodes()
    features = feature_rows(g, {name: Value(g, name) for name in taken(inputs)}, inputs)
    axis: str | int
    if isinstance(actor, SharedActor):
        logits, axis = _shared(g, weights, features), DEVICES
    elif isinstance(actor, MlpActor):
        logits, axis = _mlp(g, weights, features, devices, inputs.features), devices
    else:
        raise ValueError(f"actor: {actor!r} is not allowed; it must be a SharedActor or an MlpActor")
    flat = g.constant("flat", np.array([-1]))
    g.nodes.append(helper.make_node("Reshape", [logits.name, flat.name], [LOGITS], LOGITS))
    graph = helper.make_graph(
        g.nodes,
        "lydroo_actor",
        [
            helper.make_tensor_value_info(name, TensorProto.DOUBLE, [] if name in SCALARS else [axis])
            for name in taken(inputs)
        ],
        [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, [axis])],
        list(g.constants.values()),
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


def _shared(g: Nodes, weights: Weights, features: Value) -> Value:
    """`SharedActor`, with the devices as columns; shape (1, devices)."""
    columns = {name: values if values.ndim == 2 else values[:, np.newaxis] for name, values in weights.items()}
    layer = {name: g.constant(name, values) for name, values in columns.items()}
    embedded = g.op("Relu", g.op("Gemm", layer["embed.weight"], features, layer["embed.bias"]))
    pooled = [g.op(kind, embedded, axes=[1]) for kind in ("ReduceMean", "ReduceMax")]
    context = g.op("Gemm", layer["context.weight"], g.op("Concat", *pooled, axis=0), layer["context.bias"])
    hidden = g.op("Relu", g.op("Gemm", layer["own.weight"], embedded, context))
    return g.op("Gemm", layer["output.weight"], hidden, layer["output.bias"])


def _mlp(g: Nodes, weights: Weights, features: Value, devices: int, count: int) -> Value:
    """`MlpActor`; shape (devices, 1). Its first layer takes all of the first feature, then of the second, ..."""
    first = weights["first.weight"].reshape(-1, devices, count).transpose(0, 2, 1).reshape(-1, devices * count)
    hidden = g.op("Reshape", features, g.constant("column", np.array([-1, 1])))
    for name, matrix in (("first", first), ("second", weights["second.weight"]), ("output", weights["output.weight"])):
        bias = g.constant(f"{name}.bias", weights[f"{name}.bias"][:, np.newaxis])
        hidden = g.op("Gemm", g.constant(f"{name}.weight", np.ascontiguousarray(matrix)), hidden, bias)
        if name != "output":
            hidden = g.op("Relu", hidden)
    return hidden
