"""The frame loop, of a whole run or part by part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from quedge.model.cell import cell_of
from quedge.model.conditions import Conditions, facilities_of, first_conditions
from quedge.model.frame import NO_TIME_SHARES, Allocation, Frame, Status, cell_of_packed, packed_frame
from quedge.model.interpreting import interpreted_calls
from quedge.model.kernels import Floats
from quedge.model.scenario import Scenario
from quedge.policy.compiled import STATUSES, kernel_address
from quedge.policy.policy import Learner, Policy, agent_for, check_allocation, check_policy, check_shapes
from quedge.simulation.block import Decider, State, Surroundings, fill_cell, new_records, run_block, run_frame
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
    first_frame: int = 0,
) -> Trace:
    """Run a policy in a world; arguments as in `simulate`.

    A run of a world's first frames, and one of the rest that starts from the first one's `end`, equal one run. The
    number of the world's first frame, `first_frame`, only serves to name frames in errors.
    """
    began = time.perf_counter()
    frames, devices = world.channel_gain.shape
    rng = random_streams(seed).policy
    state = np.zeros(devices), np.zeros(devices), *first_conditions(scenario)
    if start is not None:
        rng.bit_generator.state = start.random_state
        begun = start.data_queue_mbit, start.energy_queue, *(start.conditions or ())
        for values, given in zip(state, begun, strict=False):
            values[:] = given
    course = _Course(scenario, world, state, first_frame)
    agent = agent_for(policy, devices, rng)
    address = kernel_address(agent, devices)
    every = min(max(frames // _LEAST_MEASURED, 1), _MOST_UNMEASURED) if address else 1
    report_every, reported = max(frames // 200, 1), 0
    while course.done < frames:
        took_us = course.ask(agent, rng)
        unmeasured = min(every - 1, int(_PATIENCE_US / max(took_us, 1.0)), frames - 1 - course.done)
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


class _Course:
    """Where a run stands, and what is recorded of it; what was promised and reached is the same in an ideal world."""

    def __init__(self, scenario: Scenario, world: World, state: State, first_frame: int) -> None:
        frames, devices = world.channel_gain.shape
        self.done, self._first_frame = 0, first_frame
        self._cell, self._world, self._state = cell_of(scenario), world, state
        self._conditions, residual = Conditions(*state[2:]), scenario.residual_sic_share
        self._ideal = world.has_perfect_csi and residual == 0.0
        numbers, usual, *_ = packed_frame(Frame(self._cell, world.channel_gain[0], *state[:2]))
        each = usual.copy() if self._conditions.vary else usual
        self.harvest_j = np.empty((frames, 0)) if world.harvest_j is None else world.harvest_j
        drawn = world.channel_gain, world.estimated_gain, world.arrival_mbit, self.harvest_j
        self._around = Surroundings(numbers, each, usual, (*facilities_of(scenario),), residual, *drawn)
        self._records = new_records(frames, devices, self._ideal, self._conditions)
        self._packed = (*self._around,), (*self._records,)
        self._decision_us = np.full(frames, np.nan)
        self._notes: dict[str, Floats] = {}

    def ask(self, agent: Policy, rng: np.random.Generator) -> float:
        """Run one frame, with the policy asked by Python; the time of its decision (µs).

        Raises:
            ValueError: its decision is of a wrong shape or beyond a limit.
        """
        t, (around, records) = self.done, self._packed
        if self._conditions.vary:
            fill_cell(t, around, self._state)
            self._cell = cell_of_packed(self._around.numbers, self._around.each.copy())
        copies = (values.copy() for values in (self._world.estimated_gain[t], *self._state[:2]))
        seen = Frame(self._cell, *copies)  # policies cannot change the world
        interpreted_before, asked = interpreted_calls(), time.perf_counter_ns()
        decision = agent.decide(seen, rng)
        took_us = (time.perf_counter_ns() - asked) * 1e-3
        if interpreted_calls() == interpreted_before:
            self._decision_us[t] = took_us
        with _naming_frame(self._first_frame + t):
            check_shapes(decision, self._cell.devices)
            self._records.status[t] = STATUSES.index(Status(decision.status))
            offload, transmit, frequency, share = decision.allocation
            decided = Allocation(_array(offload, np.bool_), _array(transmit), _array(frequency), _array(share))
            if not run_frame(t, around, self._state, self._ideal, (*decided,), records):
                check_allocation(self._cell, decided)
        if decision.upper_bound is not None:
            self._records.upper_bound[t] = decision.upper_bound
        for name, number in decision.notes.items():
            self._note(name)[t] = number
        self.done += 1
        return took_us

    def run(self, address: int, agent: Any, frames: int, rng: np.random.Generator) -> None:
        """Run frames in a row without Python, decided by an agent's kernel.

        Raises:
            ValueError: a decision is beyond a limit.
        """
        part, devices = slice(self.done, self.done + frames), self._cell.devices
        around, records = self._around, self._records
        met = (values[part] for values in around[-4:])
        drawn = rng.random((frames, agent.random_numbers(devices)))
        decider = Decider(address, agent.own_numbers(devices), drawn)
        notes = np.empty((frames, len(agent.note_names)))
        filled = (*(values[part] for values in records[:-1]), notes)
        run = run_block((*decider,), (*around[:-4], *met), self._state, self._ideal, filled)
        if run < frames:
            frame = self.done + run
            decided = (records.offload[frame], records.transmit_power_w[frame], records.cpu_frequency_hz[frame])
            cell = cell_of_packed(around.numbers, around.each)
            with _naming_frame(self._first_frame + frame):
                check_allocation(cell, Allocation(*decided, NO_TIME_SHARES))
        for name, values in zip(agent.note_names, notes.T, strict=True):
            self._note(name)[part] = values
        self.done += frames

    def recorded(self, note_names: Sequence[str]) -> dict[str, Any]:
        """By name, what a `Trace` has of it; among the notes are those that its policy may have, if it says so."""
        for name in note_names:
            self._note(name)
        recorded = self._records._asdict() | {"notes": self._notes, "decision_us": self._decision_us}
        return recorded | {"status": tuple(STATUSES[place] for place in self._records.status)}

    def _note(self, name: str) -> Floats:
        """The notes of a name, shape (frames,)."""
        if name not in self._notes:
            self._notes[name] = np.full(self._decision_us.size, np.nan)
        return self._notes[name]


def _array(values: Any, kind: Any = np.float64) -> Any:
    """Values that a policy decided, as kernels take them."""
    return np.ascontiguousarray(values, dtype=kind)


@contextmanager
def _naming_frame(frame: int) -> Iterator[None]:
    """Name the frame in a ValueError about its decision."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"decision of frame {frame}: {error}") from None


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
