"""The frame loop: state, decision, outcome, next state; and several policies in the same world."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.cell import cell_of
from quedge.model.frame import NO_TIME_SHARES, Allocation, Frame, Status
from quedge.model.limits import check_allocation, check_shapes
from quedge.model.scenario import Scenario
from quedge.model.uplink import predicted_outcome, step_frame
from quedge.policy.policy import Learner, Policy, agent_for, check_policy
from quedge.simulation.measures import Summary, first_settled_frame, summarise
from quedge.simulation.processes import ArrivalProcess, ChannelProcess
from quedge.simulation.trace import RunState, Trace
from quedge.simulation.world import World, draw_world, random_streams


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

    The same scenario, frames and seed give every policy the same channel and arrivals, and the same policy
    the same run, bit for bit. A learner starts afresh; an agent that has learned before goes on from there.

    A policy decides by the estimates of the channel, and as if cancellation were perfect; the world charges what the
    true channel brings of the powers that were chosen (docs/channels.md).

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

    Source: Section III; eqs. (1)-(6) for what a decision brings.
    """
    if not isinstance(scenario, Scenario):
        raise ValueError(f"scenario: {scenario!r} is not allowed; it must be a Scenario")
    check_policy(policy)
    world = draw_world(scenario, frames, seed, channel, arrivals)
    return run_in_world(scenario, policy, world, seed, progress)


def run_in_world(
    scenario: Scenario,
    policy: Policy | Learner,
    world: World,
    seed: int,
    progress: Callable[[int], None] | None = None,
    start: RunState | None = None,
) -> Trace:
    """Run a policy in a world that was drawn before; arguments as in `simulate`.

    A run of a world's first frames, and another of its rest with `start` as the first one's `end`, equal one run of
    them all.
    """
    began = time.perf_counter()
    cell = cell_of(scenario)
    frames, devices = world.channel_gain.shape
    estimated_gain, residual = world.estimated_gain, scenario.residual_sic_share
    as_assumed = world.has_perfect_csi and residual == 0.0
    rng = random_streams(seed).policy
    data_queue, energy_queue = np.zeros(devices), np.zeros(devices)
    if start is not None:
        rng.bit_generator.state = start.random_state
        data_queue[:], energy_queue[:] = start.data_queue_mbit, start.energy_queue
    agent = agent_for(policy, devices, rng)
    data_queues, energy_queues = np.empty((frames, devices)), np.empty((frames, devices))
    offload = np.zeros((frames, devices), dtype=np.bool_)
    transmit, time_share, frequency, rate, power = (np.empty((frames, devices)) for _ in range(5))
    objective, upper_bound, decision_us = np.empty(frames), np.full(frames, np.nan), np.empty(frames)
    predicted_rate = rate if as_assumed else np.empty((frames, devices))
    predicted_objective = objective if as_assumed else np.empty(frames)
    status: list[Status] = []
    notes: dict[str, NDArray[np.float64]] = {}
    report_every = max(frames // 200, 1)
    for t in range(frames):
        data_queues[t] = data_queue
        energy_queues[t] = energy_queue
        state = estimated_gain[t].copy(), data_queue.copy(), energy_queue.copy()  # a policy cannot change the world
        asked = time.perf_counter_ns()
        decision = agent.decide(Frame(cell, *state), rng)
        decision_us[t] = (time.perf_counter_ns() - asked) * 1e-3
        with _named(t):
            check_shapes(decision, devices)
            offload[t], transmit[t], frequency[t] = decision[:3]
            share = NO_TIME_SHARES if decision.time_share is None else np.asarray(decision.time_share, dtype=np.float64)
            time_share[t] = offload[t] if decision.time_share is None else share
            allocation = Allocation(offload[t], transmit[t], frequency[t], share)
            check_allocation(cell, allocation)
        if decision.upper_bound is not None:
            upper_bound[t] = decision.upper_bound
        status.append(decision.status)
        for name, number in decision.notes.items():
            if name not in notes:
                notes[name] = np.full(frames, np.nan)
            notes[name][t] = number
        frame = Frame(cell, estimated_gain[t], data_queue, energy_queue)
        if not as_assumed:
            predicted_rate[t], _, predicted_objective[t] = predicted_outcome(frame, allocation)
        objective[t] = step_frame(
            frame, allocation, world.channel_gain[t], residual, world.arrival_mbit[t], rate[t], power[t]
        )
        if progress is not None and (t + 1) % report_every == 0:
            progress(t + 1)
    end = RunState(data_queue, energy_queue, rng.bit_generator.state)
    return Trace(
        scenario, seed, world.channel_gain, estimated_gain, world.arrival_mbit, data_queues, energy_queues, offload,
        transmit, time_share, frequency, rate, predicted_rate, power, objective, predicted_objective, upper_bound,
        tuple(status), notes, decision_us, time.perf_counter() - began, end,
    )  # fmt: skip


@contextmanager
def _named(frame: int) -> Iterator[None]:
    """Say of which frame's decision a ValueError speaks."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"decision of frame {frame}: {error}") from None


class Outcome(NamedTuple):
    """How one policy fared.

    Attributes:
        name: the policy's name.
        trace: its whole run.
        summary: what was measured of it.
    """

    name: str
    trace: Trace
    summary: Summary


def compare(
    scenario: Scenario,
    policies: Mapping[str, Policy | Learner],
    frames: int = 10_000,
    seed: int = 0,
    *,
    channel: ChannelProcess | None = None,
    arrivals: ArrivalProcess | None = None,
    warmup: float = 0.5,
    progress: Callable[[str, int], None] | None = None,
) -> Iterator[Outcome]:
    """Run policies one after the other; all meet the same channel gains and arrivals.

    The world is drawn, and bad arguments are refused, before this returns; a policy runs when its outcome is
    asked for.

    Args:
        scenario: the cell.
        policies: the policies by name, in the order in which they run.
        frames: number of frames, at least 1.
        seed: seed of the random streams, at least 0.
        channel: where channel gains come from; Rician fading by default.
        arrivals: where arrivals come from; exponential by default.
        warmup: share of the frames that the summaries leave out at the start, from 0 to below 1.
        progress: called now and then with the running policy's name and the number of its frames done.

    Returns:
        One outcome a policy, in order.

    Raises:
        ValueError: a bad argument; the message names it, its value and what is allowed. The iterator raises one
            where a policy's decision is not allowed; it names the policy.
    """
    first_settled_frame(frames, warmup)  # refuses a bad share before any policy has run
    world = draw_world(scenario, frames, seed, channel, arrivals)

    def outcomes() -> Iterator[Outcome]:
        for name, policy in policies.items():
            report = None if progress is None else _named_policies(progress, name)
            try:
                trace = run_in_world(scenario, policy, world, seed, report)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            yield Outcome(name, trace, summarise(trace, warmup))

    return outcomes()


def _named_policies(progress: Callable[[str, int], None], name: str) -> Callable[[int], None]:
    return lambda done: progress(name, done)
