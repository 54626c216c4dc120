"""The frame loop, of a whole run or part by part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from quedge.model.conditions import Conditions, first_conditions
from quedge.model.scenario import PARTIAL, Scenario
from quedge.policy.compiled import kernel_address
from quedge.policy.policy import Learner, Policy, agent_for, check_carries, check_policy, knows_disturbance
from quedge.simulation.course import Course
from quedge.simulation.network import run_cells
from quedge.simulation.processes import ArrivalProcess, ChannelProcess
from quedge.simulation.trace import RunState, Trace
from quedge.simulation.world import World, WorldInParts, draw_world, random_streams

_LEAST_MEASURED = 128  # decisions of a run that are timed, if it has as many frames
BLOCKS_FROM = 2 * _LEAST_MEASURED
"""Frames from which on a run has some that Python does not see."""
_MOST_UNMEASURED = 64
_PATIENCE_US = 2e5  # of frames in a row, which nothing interrupts


def simulate(
    scenario: Scenario,
    policy: Policy | Learner,
    frames: int = 10_000,
    seed: int = 0,
    *,
    channel: ChannelProcess | None = None,
    arrivals: ArrivalProcess | None = None,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Run a policy for a number of frames, from empty queues.

    The same scenario, frames and seed give every policy the same channel and arrivals, and the same policy the same
    run, bit for bit. A learner starts afresh; an agent that has learned before goes on from there.

    A policy decides by the channel estimates and as if cancellation were perfect; the world gives the chosen powers the
    rates of the true channel (docs/channels.md).

    Args:
        scenario: the cell.
        policy: who decides; of a learner, a fresh agent.
        frames: number of frames, at least 1.
        seed: seed of the random streams of channel, arrivals and policy, at least 0.
        channel: where channel gains come from; Rician fading by default.
        arrivals: where arrivals come from; exponential by default.
        progress: called now and then with the number of frames done.

    Returns:
        The whole run.

    Raises:
        ValueError: a bad argument, or a decision of the wrong shape or beyond a limit; the message names it.

    Example:
        >>> run = quedge.simulate(quedge.Scenario(devices=3), quedge.Exact(), frames=100, seed=1)
        >>> print(f"{run.data_queue_mbit[50:].mean():.1f} Mbit, {run.power_w[50:].mean():.2f} W")
        3.2 Mbit, 0.04 W

    Source: Section III; eqs. (1)-(6) for what a decision brings.
    """
    if not isinstance(scenario, Scenario):
        raise ValueError(f"scenario: {scenario!r} is not allowed; it must be a Scenario")
    check_policy(policy)
    check_carries(policy, scenario)
    world = draw_world(scenario, frames, seed, channel, arrivals)
    return run_in_world(scenario, policy, world, seed, progress)


def run_in_world(
    scenario: Scenario,
    policy: Policy | Learner,
    world: World,
    seed: int,
    progress: Callable[[int], None] | None = None,
    start: RunState | None = None,
    first_frame: int = 0,
) -> Trace:
    """Run a policy in a world; arguments as in `simulate`.

    A run of a world's first frames, and one of the rest that starts from the first one's `end`, equal one run. The
    number of the world's first frame, `first_frame`, only serves to name frames in errors. Several cells run as a
    whole.
    """
    check_carries(policy, scenario)
    if scenario.cells > 1:
        return run_cells(scenario, policy, world, seed, progress)
    began = time.perf_counter()
    frames, devices = world.arrival_mbit.shape
    rng = random_streams(seed).policy
    state = np.zeros(devices), np.zeros(devices), *first_conditions(scenario)
    if start is not None:
        rng.bit_generator.state = start.random_state
        begun = start.data_queue_mbit, start.energy_queue, *(start.conditions or ())
        for values, given in zip(state, begun, strict=False):
            values[:] = given
    agent = agent_for(policy, devices, rng)
    course = Course(scenario, world, state, first_frame, knows_disturbance(agent))
    address = kernel_address(agent, devices, scenario.offloading == PARTIAL)
    every = min(max(frames // _LEAST_MEASURED, 1), _MOST_UNMEASURED) if address else 1
    report_every, reported = max(frames // 200, 1), 0
    while course.done < frames:
        took_us = course.ask(agent, rng)
        unmeasured = min(every - 1, int(_PATIENCE_US / max(took_us, 1.0)), frames - 1 - course.done, course.undisturbed)
        if unmeasured > 0:  # and the last frame is measured, too
            course.run(address, agent, unmeasured, rng)
        if progress is not None and (course.done - reported >= report_every or course.done == frames):
            reported = course.done
            progress(reported)
    data_queue, energy_queue, *varied = state
    conditions = Conditions(*varied)
    end = RunState(data_queue, energy_queue, rng.bit_generator.state, conditions if conditions.vary else None)
    drawn = (world.channel_gain, world.estimated_gain, world.arrival_mbit)
    recorded = course.recorded(getattr(agent, "note_names", ()))
    wall_s = time.perf_counter() - began
    return Trace(scenario, seed, *drawn, harvest_j=course.harvest_j, **recorded, wall_s=wall_s, end=end)


def run_in_parts(
    policy: Policy | Learner, world: WorldInParts, progress: Callable[[int], None] | None = None
) -> Iterator[Trace]:
    """The run of `simulate`, one consecutive part after the other, so that memory holds one part only.

    Args:
        policy: who decides; of a learner, a fresh agent.
        world: where it runs.
        progress: called now and then with the number of frames done.

    Yields:
        The trace of each part.

    Raises:
        ValueError: a decision is not allowed; the message names its frame.
    """
    scenario, done = world.scenario, 0
    check_carries(policy, scenario)
    if scenario.cells > 1:
        (whole,) = world
        yield run_cells(scenario, policy, whole, world.seed, progress)
        return
    rng = random_streams(world.seed).policy
    agent = agent_for(policy, scenario.devices, rng)
    state = begin_run(scenario, rng)
    for part in world:
        report = counted_from(done, progress)
        trace = run_in_world(scenario, agent, part, world.seed, report, state, done)
        done, state = done + trace.frames, trace.end
        yield trace


def begin_run(scenario: Scenario, rng: np.random.Generator) -> RunState:
    """Empty queues, full batteries, and a policy's random stream as it is."""
    conditions = first_conditions(scenario)
    queues = np.zeros(scenario.devices), np.zeros(scenario.devices)
    return RunState(*queues, rng.bit_generator.state, conditions if conditions.vary else None)


def counted_from(done: int, progress: Callable[[int], None] | None) -> Callable[[int], None] | None:
    """The progress of a part, told as that of the whole run; `done` frames were run before it."""
    return None if progress is None else lambda more: progress(done + more)
