"""The frame loop, and several policies in the same world."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.cell import Cell, cell_of
from quedge.model.frame import NO_TIME_SHARES, Allocation, Decision, Frame, Status
from quedge.model.scenario import Scenario
from quedge.model.uplink import predicted_outcome, step_frame
from quedge.policy.policy import Learner, Policy, agent_for, check_allocation, check_policy, check_shapes
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
    """Run a policy in a world; arguments as in `simulate`.

    A run of a world's first frames, and one of the rest that starts from the first one's `end`, equal one run.
    """
    began = time.perf_counter()
    cell, residual = cell_of(scenario), scenario.residual_sic_share
    frames, devices = world.channel_gain.shape
    ideal = world.has_perfect_csi and residual == 0.0
    log = _Log(frames, devices, ideal)
    rng = random_streams(seed).policy
    data_queue, energy_queue = np.zeros(devices), np.zeros(devices)
    if start is not None:
        rng.bit_generator.state = start.random_state
        data_queue[:], energy_queue[:] = start.data_queue_mbit, start.energy_queue
    agent = agent_for(policy, devices, rng)
    report_every = max(frames // 200, 1)
    for t in range(frames):
        log.data_queue_mbit[t], log.energy_queue[t] = data_queue, energy_queue
        estimate = world.estimated_gain[t]
        seen = Frame(cell, estimate.copy(), data_queue.copy(), energy_queue.copy())  # policies cannot change the world
        asked = time.perf_counter_ns()
        decision = agent.decide(seen, rng)
        log.decision_us[t] = (time.perf_counter_ns() - asked) * 1e-3
        with _naming_frame(t):
            allocation = log.decide(t, decision, cell)
        frame = Frame(cell, estimate, data_queue, energy_queue)
        if not ideal:
            log.promised_rate_mbps[t], _, log.promised_objective[t] = predicted_outcome(frame, allocation)
        log.objective[t] = step_frame(
            frame, allocation, world.channel_gain[t], residual, world.arrival_mbit[t], log.rate_mbps[t], log.power_w[t]
        )
        if progress is not None and (t + 1) % report_every == 0:
            progress(t + 1)
    end = RunState(data_queue, energy_queue, rng.bit_generator.state)
    drawn = (world.channel_gain, world.estimated_gain, world.arrival_mbit)
    logged: dict[str, Any] = vars(log) | {"status": tuple(log.status)}
    return Trace(scenario, seed, *drawn, **logged, wall_s=time.perf_counter() - began, end=end)


class _Log:
    """The fields of a trace, filled frame by frame; promised and reached ones are the same in an ideal world."""

    def __init__(self, frames: int, devices: int, ideal: bool) -> None:
        shape = (frames, devices)
        self.data_queue_mbit, self.energy_queue = np.empty(shape), np.empty(shape)
        self.offload = np.zeros(shape, dtype=np.bool_)
        self.transmit_power_w, self.time_share, self.cpu_frequency_hz = (np.empty(shape) for _ in range(3))
        self.rate_mbps, self.power_w, self.objective = np.empty(shape), np.empty(shape), np.empty(frames)
        self.promised_rate_mbps = self.rate_mbps if ideal else np.empty(shape)
        self.promised_objective = self.objective if ideal else np.empty(frames)
        self.upper_bound, self.decision_us = np.full(frames, np.nan), np.empty(frames)
        self.status: list[Status] = []
        self.notes: dict[str, NDArray[np.float64]] = {}

    def decide(self, t: int, decision: Decision, cell: Cell) -> Allocation:
        """Check and note the decision of frame t; returns its allocation, in the trace's own arrays.

        Raises:
            ValueError: a wrong shape, or a value beyond a limit.
        """
        check_shapes(decision, cell.devices)
        self.offload[t] = decision.offload
        self.transmit_power_w[t] = decision.transmit_power_w
        self.cpu_frequency_hz[t] = decision.cpu_frequency_hz
        share = NO_TIME_SHARES if decision.time_share is None else np.asarray(decision.time_share, dtype=np.float64)
        self.time_share[t] = self.offload[t] if decision.time_share is None else share
        allocation = Allocation(self.offload[t], self.transmit_power_w[t], self.cpu_frequency_hz[t], share)
        check_allocation(cell, allocation)
        if decision.upper_bound is not None:
            self.upper_bound[t] = decision.upper_bound
        self.status.append(decision.status)
        for name, number in decision.notes.items():
            if name not in self.notes:
                self.notes[name] = np.full(self.objective.size, np.nan)
            self.notes[name][t] = number
        return allocation


@contextmanager
def _naming_frame(frame: int) -> Iterator[None]:
    """Name the frame in a ValueError about its decision."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"decision of frame {frame}: {error}") from None


class ComparedRun(NamedTuple):
    """The run of one policy in a comparison: the policy's name, the run, and its measures."""

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
) -> Iterator[ComparedRun]:
    """Run policies, by name, one after the other in the same world; arguments as in `simulate`.

    The world is drawn, and bad arguments are refused, before this returns; a policy runs when the iterator reaches it.
    Summaries leave out the share `warmup` of the frames at the start, from 0 to below 1. `progress` is called now and
    then with the running policy's name and the number of its frames done.

    Returns:
        One run per policy, in order.

    Raises:
        ValueError: a bad argument; the message names it, its value and what is allowed. The iterator raises one for a
            policy's decision that is not allowed; it names the policy.
    """
    first_settled_frame(frames, warmup)  # refuses a bad share before any policy has run
    world = draw_world(scenario, frames, seed, channel, arrivals)

    def runs() -> Iterator[ComparedRun]:
        for name, policy in policies.items():
            report = None if progress is None else functools.partial(progress, name)
            try:
                trace = run_in_world(scenario, policy, world, seed, report)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            yield ComparedRun(name, trace, summarise(trace, warmup))

    return runs()
