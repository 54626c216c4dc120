"""Exported actors: how long a decision by ONNX Runtime takes, and in which parts. `python -m benchmarks.onnx`.

One thread, the paper's cell, untrained weights: times do not depend on what was learned. It needs the extras `export`
and `onnx`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.measuring import Row, microseconds, print_rows, spread
from quedge import EQUIVARIANT, BestSingle, Lydroo, Scenario, simulate
from quedge.allocation.allocator import allocate_best
from quedge.model.cell import cell_of
from quedge.model.frame import Frame
from quedge.policy.lydroo import Inputs, TrainedLydroo
from quedge.policy.lydroo.features import device_features
from quedge.policy.lydroo.network import fresh_weights
from quedge.policy.lydroo.onnx.graph import actor_model
from quedge.policy.lydroo.onnx.policy import ExportedLydroo

FRAMES = 4000
SETTINGS = {
    "equivariant": EQUIVARIANT,
    "lydroo-noma": Lydroo(),
    "lydroo-noma, inputs=model": Lydroo(inputs=Inputs.MODEL),
}


def settled_frames(devices: int) -> list[Frame]:
    """The second half of a run."""
    trace = simulate(Scenario(devices=devices), BestSingle(), 2 * FRAMES)
    cell = cell_of(trace.scenario)
    states = zip(trace.channel_gain, trace.data_queue_mbit, trace.energy_queue, strict=True)
    return [Frame(cell, *state) for state in states][FRAMES:]


def both(settings: Lydroo, devices: int) -> tuple[TrainedLydroo, ExportedLydroo, int]:
    """The same actor, compiled and exported, and the number of the graph's nodes."""
    weights = fresh_weights(settings.actor.shapes(devices, settings.inputs.features), np.random.default_rng(0))
    model = actor_model(settings.actor, settings.inputs.features, weights, devices, "0", {})
    exported = ExportedLydroo(settings, model.SerializeToString(), devices)
    return TrainedLydroo(settings, weights, devices), exported, len(model.graph.node)


def rows() -> Iterator[Row]:
    """What was measured, what it should reach, what it reached."""
    rng = np.random.default_rng(0)
    for devices in (10, 100):
        frames = settled_frames(devices)
        for name, settings in SETTINGS.items():
            trained, exported, nodes = both(settings, devices)
            compiled = trained.new_agent(devices, rng)
            ours = microseconds(lambda t: compiled.decide(frames[t], rng), FRAMES)  # noqa: B023
            agent = exported.new_agent(devices, rng)
            times = microseconds(lambda t: agent.decide(frames[t], rng), FRAMES)  # noqa: B023
            forward = exported.forward()
            seen = [device_features(frame, settings.inputs) for frame in frames]
            graph = microseconds(lambda t: forward.logits(seen[t]), FRAMES)  # noqa: B023
            yield (
                f"one decision by an exported actor ({name}, {nodes} nodes), N = {devices}, `decide` from Python (us)",
                "<= 60" if devices == 10 else "-",
                f"{spread(times)}; of which the graph {spread(graph)}; compiled instead: {spread(ours)}",
            )
    yield from part_rows()


def part_rows() -> Iterator[Row]:
    """The rest of a decision, N = 10."""
    rng, frames = np.random.default_rng(0), settled_frames(10)
    settings = EQUIVARIANT
    forward = both(settings, 10)[1].forward()
    logits = [forward.logits(device_features(frame, settings.inputs)) for frame in frames]
    offload = [settings.quantiser.quantise(each, 10, rng).offload for each in logits]
    quantise = microseconds(lambda t: settings.quantiser.quantise(logits[t], 10, rng), FRAMES)
    judge = microseconds(lambda t: allocate_best(settings.allocator, frames[t], offload[t]), FRAMES)
    features = microseconds(lambda t: device_features(frames[t], settings.inputs), FRAMES)
    parts = "; ".join(spread(each) for each in (features, quantise, judge))
    yield "beside the graph, N = 10: features; quantiser; critic (us)", "-", parts


if __name__ == "__main__":
    print_rows(rows())
