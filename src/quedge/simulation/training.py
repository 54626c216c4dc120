"""Training an agent in parts, between which it can be saved and resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from quedge.model.scenario import Scenario
from quedge.policy.lydroo import Lydroo, LydrooAgent
from quedge.policy.policy import check_carries
from quedge.simulation.run import begin_run, counted_from, run_in_world
from quedge.simulation.trace import RunState, Trace
from quedge.simulation.world import World, random_streams


class Training(NamedTuple):
    """State of a training: the agent, which changes, the number of frames so far, and the state of the run."""

    agent: LydrooAgent
    frames: int
    run: RunState


class TrainingReport(NamedTuple):
    """How the frames went since the last report.

    Attributes:
        frames: number of frames so far.
        data_queue_mbit: mean data queue (Mbit).
        power_w: mean power (W).
        objective: mean of objective (17).
        offload_ratio: share of offloading devices.
        loss: mean cross-entropy of the actor's steps; None where it took none.
        candidates: mean K, the number of candidates.
    """

    frames: int
    data_queue_mbit: float
    power_w: float
    objective: float
    offload_ratio: float
    loss: float | None
    candidates: float


def report_of(trace: Trace, frames: int) -> TrainingReport:
    """The report of a part of a training that ends after so many frames."""
    steps = trace.notes.get("loss", np.empty(0))
    steps = steps[np.isfinite(steps)]
    loss = float(steps.mean()) if steps.size > 0 else None
    measured = trace.data_queue_mbit, trace.power_w, trace.objective, trace.offload
    queue_mbit, power_w, objective, offload_ratio = (float(values.mean()) for values in measured)
    candidates = float(trace.notes["candidates"].mean())
    return TrainingReport(frames, queue_mbit, power_w, objective, offload_ratio, loss, candidates)


def begin_training(settings: Lydroo, scenario: Scenario, seed: int) -> Training:
    """A fresh agent before its first frame, the same as in `simulate`."""
    scenario.require_one_cell("a training")
    check_carries(settings, scenario)
    rng = random_streams(seed).policy
    agent = settings.new_agent(scenario.devices, rng)
    return Training(agent, 0, begin_run(scenario, rng))


def train(
    scenario: Scenario,
    training: Training,
    world: World,
    seed: int,
    part: int = 1000,
    progress: Callable[[int], None] | None = None,
    hook: Callable[[TrainingReport], None] | None = None,
) -> Iterator[tuple[Training, Trace]]:
    """Let an agent decide and learn to the end of a world.

    The result does not depend on the length of the parts, nor on where a training was interrupted and resumed.

    Args:
        scenario: the cell.
        training: state of the training.
        world: the whole world, from its first frame on.
        seed: seed of the random streams.
        part: frames from one yield to the next.
        progress: called now and then with the number of frames done.
        hook: called with a report of every part, before it is yielded.

    Yields:
        The state of the training, every `part` frames and at the end, and the trace since the last one.
    """
    agent, done, run = training
    frames = world.arrival_mbit.shape[0]
    while done < frames:
        end = min(done + part - done % part, frames)
        piece = world.part(done, end)
        report = counted_from(done, progress)
        trace = run_in_world(scenario, agent, piece, seed, report, run, done)
        done, run = end, trace.end
        if hook is not None:
            hook(report_of(trace, done))
        yield Training(agent, done, run), trace


def world_digest(world: World) -> str:
    """A digest of a world."""
    digest = hashlib.blake2b(digest_size=16)
    estimates = () if world.has_perfect_csi else (world.estimated_gain,)
    harvests = () if world.harvest_j is None else (world.harvest_j,)
    leaves = () if world.leaves is None else (world.leaves,)
    for values in (world.channel_gain, world.arrival_mbit, *estimates, *harvests, *leaves):
        digest.update(repr(values.shape).encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
