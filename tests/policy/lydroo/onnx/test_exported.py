"""Exported actors: the graph gives what the compiled forward pass gives, and refuses what is none of ours."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quedge.allocation.tdma import Tdma
from quedge.files.fingerprint import plain
from quedge.model.cell import Cell, cell_of
from quedge.model.frame import Frame
from quedge.model.scenario import Scenario
from quedge.policy.lydroo import DROO, EQUIVARIANT, Inputs, Lydroo, MlpActor, SharedActor, TrainedLydroo
from quedge.policy.lydroo.features import device_features
from quedge.policy.lydroo.network import fresh_weights
from quedge.simulation.run import simulate

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from quedge.policy.lydroo.onnx.forward import Forward, unread  # noqa: E402
from quedge.policy.lydroo.onnx.graph import actor_model  # noqa: E402
from quedge.policy.lydroo.onnx.policy import ExportedLydroo  # noqa: E402

DEVICES = 10
SETTINGS = {
    "default": EQUIVARIANT,
    "state alone": dataclasses.replace(EQUIVARIANT, inputs=Inputs.STATE),
    "other sizes": dataclasses.replace(EQUIVARIANT, actor=SharedActor(5, 7)),
    "mlp": Lydroo(inputs=Inputs.MODEL),
    "paper": Lydroo(),
    "linear": Lydroo(inputs=Inputs.LINEAR),
    "gain alone": DROO,
    "shared, linear": dataclasses.replace(EQUIVARIANT, inputs=Inputs.LINEAR),
}
CELLS = {
    "the paper's": Scenario(),
    "circuit power": Scenario(pqc_power_w=0.05),
    "no energy price": Scenario(nu=0.0),
    "secured": Scenario(suite="level3", device="stm32f411", rekey_frames=1),
    "energy a bit": Scenario(pqc_energy_j_per_bit=1e-8, pqc_overhead_bits=3e5, pqc_max_rate_mbps=4.0),
    "no weight": Scenario(v=0.0, frame_s=0.5),
}
every_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def both(settings: Lydroo, seed: int = 0) -> tuple[TrainedLydroo, ExportedLydroo]:
    """The same untrained actor, compiled and exported."""
    weights = fresh_weights(settings.actor.shapes(DEVICES, settings.inputs.features), np.random.default_rng(seed))
    model = actor_model(settings.actor, settings.inputs.features, weights, DEVICES, "0", {"format": "test"})
    return TrainedLydroo(settings, weights, DEVICES), ExportedLydroo(settings, model.SerializeToString(), DEVICES)


def cell_with(scenario: Scenario, devices: int, rng: np.random.Generator) -> Cell:
    """A cell of some devices whose constants differ from device to device."""
    cell = cell_of(scenario).only(np.arange(devices) % scenario.devices)
    return cell._replace(
        max_frequency_hz=cell.max_frequency_hz * rng.uniform(0.3, 2.0, devices),
        cycles_per_mbit=cell.cycles_per_mbit * rng.uniform(0.5, 2.0, devices),
        max_transmit_power_w=cell.max_transmit_power_w * rng.uniform(0.0, 2.0, devices),
        uplink_mbps=cell.uplink_mbps * rng.uniform(0.5, 1.0, devices),
    )


def random_frame(scenario: Scenario, devices: int, rng: np.random.Generator) -> Frame:
    gain = 10.0 ** rng.uniform(-14.0, -8.0, devices)
    if rng.random() < 0.2:
        gain[:] = gain[0]  # equal gains keep their order
    data, energy = (rng.exponential(10.0 ** rng.uniform(-1.0, 3.0), devices) for _ in range(2))
    empty = (rng.random((2, devices)) < 0.1) & (rng.random() < 0.5)
    return Frame(
        cell_with(scenario, devices, rng), gain, np.where(empty[0], 0.0, data), np.where(empty[1], 0.0, energy)
    )


def compiled_logits(settings: Lydroo, trained: TrainedLydroo, frame: Frame) -> np.ndarray:
    features = device_features(frame, settings.inputs)
    return settings.actor.logits(trained.weights, features)


@every_setting
def test_logits_equal_those_of_the_compiled_forward_pass_in_a_thousand_states(settings: Lydroo) -> None:
    rng = np.random.default_rng(1)
    trained, exported = both(settings)
    forward = exported.forward()
    for t in range(1500):
        devices = int(rng.integers(1, 41)) if isinstance(settings.actor, SharedActor) else DEVICES
        frame = random_frame(list(CELLS.values())[t % len(CELLS)], devices, rng)
        expected = compiled_logits(settings, trained, frame)
        np.testing.assert_allclose(
            forward.logits(device_features(frame, settings.inputs)), expected, rtol=1e-5, atol=1e-5
        )


@every_setting
def test_a_run_by_an_exported_actor_decides_as_one_by_the_compiled_actor(settings: Lydroo) -> None:
    trained, exported = both(settings)
    before, after = (simulate(Scenario(), policy, frames=120, seed=3) for policy in (trained, exported))
    assert (before.offload == after.offload).mean() > 0.999  # two candidates' logits may be equal but for rounding
    np.testing.assert_allclose(after.objective, before.objective, rtol=0.01)


def test_devices_may_come_and_go_between_frames() -> None:
    _, exported = both(EQUIVARIANT)
    agent, rng = exported.new_agent(DEVICES, np.random.default_rng(0)), np.random.default_rng(0)
    for devices in (10, 3, 1, 10, 25):
        assert agent.decide(random_frame(Scenario(), devices, rng), rng).offload.shape == (devices,)


def test_an_exported_mlp_refuses_another_number_of_devices_with_both_numbers() -> None:
    _, exported = both(Lydroo())
    complaint = r"devices: 5 is not allowed; this mlp actor was made for 10"
    with pytest.raises(ValueError, match=complaint):
        exported.new_agent(5, np.random.default_rng(0))
    agent = exported.new_agent(10, np.random.default_rng(0))
    with pytest.raises(ValueError, match=complaint):
        agent.decide(random_frame(Scenario(), 5, np.random.default_rng(0)), np.random.default_rng(0))


def test_an_agent_that_stands_where_another_stood_decides_alike() -> None:
    _, exported = both(dataclasses.replace(EQUIVARIANT, allocator=Tdma(), adapt_every=4))
    rng = np.random.default_rng(0)
    frames = [random_frame(Scenario(), DEVICES, rng) for _ in range(20)]
    first = exported.new_agent(DEVICES, rng)
    for frame in frames[:10]:
        first.decide(frame, np.random.default_rng(1))
    second = exported.resume(first.state())
    for frame in frames[10:]:
        ours, theirs = (agent.decide(frame, np.random.default_rng(2)) for agent in (first, second))
        assert (ours.transmit_power_w == theirs.transmit_power_w).all()
        assert ours.notes == theirs.notes


def test_an_exported_policy_can_be_sent_to_another_process_and_is_named_by_its_content() -> None:
    _, exported = both(EQUIVARIANT)
    assert pickle.loads(pickle.dumps(exported)) == exported
    _, other = both(EQUIVARIANT, seed=1)
    assert plain(exported) == plain(both(EQUIVARIANT)[1])
    assert plain(exported) != plain(other)


def test_every_kind_of_inputs_is_exported_by_some_setting() -> None:
    assert {settings.inputs for settings in SETTINGS.values()} == set(Inputs)


@every_setting
def test_the_graph_holds_the_weights_alone_and_reads_every_input(settings: Lydroo) -> None:
    trained, exported = both(settings)
    model = onnx.load_from_string(exported.model)
    assert [node.name for node in model.graph.input] == ["features"]
    assert unread(exported.model, ["features"]) == []
    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    del held["flat"]
    assert held.keys() == trained.weights.keys()
    for name, values in trained.weights.items():
        np.testing.assert_array_equal(held[name], values)


def test_a_graph_of_other_features_or_devices_is_refused_with_what_it_takes() -> None:
    _, exported = both(dataclasses.replace(EQUIVARIANT, inputs=Inputs.STATE))
    complaint = r"inputs: 'features' is tensor\(float\) of shape \['devices', 3\], and must be .*"
    with pytest.raises(ValueError, match=complaint + r"\['devices', 9\]"):
        Forward(exported.model, 9, None)
    with pytest.raises(ValueError, match=complaint + r"\[10, 3\]"):
        Forward(exported.model, 3, 10)


def declared(name: str) -> Any:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["devices", 9])


def _extra(graph: Any) -> None:
    graph.input.append(declared("noise_w"))


def _missing(graph: Any) -> None:
    del graph.input[:]
    graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((10, 9), np.float32), "features"))


def _renamed(graph: Any) -> None:
    graph.input[0].name = graph.node[0].input[0] = "gains"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_extra, r"inputs: 'noise_w' is tensor\(float\) of shape \['devices', 9\], and must be absent"),
        (_missing, r"inputs: 'features' is absent, and must be tensor\(float\) of shape \['devices', 9\]"),
        (_renamed, r"inputs: 'gains' is .*, and must be absent"),
    ],
)
def test_a_graph_with_an_input_too_many_too_few_or_of_another_name_is_refused(
    change: Callable[[Any], None], complaint: str
) -> None:
    model = onnx.load_from_string(both(EQUIVARIANT)[1].model)
    change(model.graph)
    with pytest.raises(ValueError, match=complaint):
        Forward(model.SerializeToString(), 9, None)


def test_a_graph_that_does_not_read_its_input_is_refused() -> None:
    model = onnx.load_from_string(both(Lydroo())[1].model)
    Forward(model.SerializeToString(), 3, DEVICES)
    model.graph.node[0].input[0] = "stored"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((DEVICES, 3), np.float32), "stored"))
    with pytest.raises(ValueError, match="inputs: 'features' is read by no node of the graph, and must be"):
        Forward(model.SerializeToString(), 3, DEVICES)


@pytest.mark.parametrize("content", [b"\x3f", b"\x3b\x00", b"\xff" * 20])
def test_what_is_no_message_has_no_inputs_to_be_read(content: bytes) -> None:
    with pytest.raises(ValueError, match="its graph cannot be read"):
        unread(content, ["features"])


def test_an_actor_of_a_user_s_own_has_no_graph() -> None:
    with pytest.raises(ValueError, match=r"actor: .* must be a SharedActor or an MlpActor"):
        actor_model(object(), 9, {}, 3, "0", {})  # type: ignore[arg-type]


def test_mlp_weights_of_other_sizes_are_exported_too() -> None:
    trained, exported = both(Lydroo(actor=MlpActor((6, 4)), inputs=Inputs.STATE))
    frame = random_frame(Scenario(), DEVICES, np.random.default_rng(0))
    expected = compiled_logits(trained.settings, trained, frame)
    np.testing.assert_allclose(
        exported.forward().logits(device_features(frame, Inputs.STATE)), expected, rtol=1e-5, atol=1e-5
    )
