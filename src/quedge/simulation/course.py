"""Where a run stands: it asks a policy frame by frame, or lets compiled code run frames in a row, and records."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from quedge.model.cell import cell_of
from quedge.model.conditions import Conditions, check_batteries, facilities_of
from quedge.model.frame import NO_SUBCHANNELS, NO_TIME_SHARES, Allocation, Frame, Status, cell_of_packed, packed_frame
from quedge.model.interpreting import interpreted_calls
from quedge.model.kernels import Floats
from quedge.model.scenario import Scenario
from quedge.policy.compiled import STATUSES
from quedge.policy.policy import Policy, check_allocation, check_shapes
from quedge.simulation.block import Decider, State, Surroundings, fill_cell, new_records, run_block, run_frame
from quedge.simulation.world import World


class Course:
    """Where a run stands, and what is recorded of it; what was promised and reached is the same in an ideal world."""

    def __init__(
        self, scenario: Scenario, world: World, state: State, first_frame: int, knows_disturbance: bool = False
    ) -> None:
        """A run at its first frame; a policy promises rates with the residual interference, if it knows of that."""
        frames, devices = world.arrival_mbit.shape
        self.done, self._first_frame = 0, first_frame
        self._cell, self._world, self._state = cell_of(scenario), world, state
        self._conditions, residual = Conditions(*state[2:]), scenario.residual_sic_share
        check_batteries(self._conditions, world.channel_gain[0])
        self._ideal = world.has_perfect_csi and (residual == 0.0 or knows_disturbance)
        numbers, usual, *_ = packed_frame(Frame(self._cell, world.channel_gain[0], *state[:2]))
        each = usual.copy() if self._conditions.vary else usual
        self.harvest_j = np.empty((frames, 0)) if world.harvest_j is None else world.harvest_j
        gains = world.channel_gain.reshape(frames, -1), world.estimated_gain.reshape(frames, -1)
        drawn = *gains, world.arrival_mbit, self.harvest_j
        how = residual, knows_disturbance, not scenario.rate_adaptation
        self._around = Surroundings(numbers, each, usual, (*facilities_of(scenario),), *how, *drawn)
        self._is_divided = self._cell.subchannels > 1
        self._records = new_records(frames, devices, self._ideal, self._conditions, self._is_divided)
        self._packed = (*self._around,), (*self._records,)
        self._decision_us = np.full(frames, np.nan)
        self._notes: dict[str, Floats] = {}
        self._dropped = None if world.leaves is None else np.zeros((frames, devices))
        self._leaving = [] if world.leaves is None else np.flatnonzero(world.leaves.any(axis=1)).tolist()

    def _drop_queues(self) -> None:
        """Drop the data queues of the devices that go in the frame that is due."""
        leaves, queue = self._world.leaves, self._state[0]
        if leaves is not None and self._dropped is not None and self._leaving[:1] == [self.done]:
            gone = leaves[self._leaving.pop(0)]
            self._dropped[self.done, gone] = queue[gone]
            queue[gone] = 0.0

    @property
    def undisturbed(self) -> int:
        """Number of frames from the one that is due on in which no device goes."""
        return (self._leaving[0] if self._leaving else self._decision_us.size) - self.done

    def ask(self, agent: Policy, rng: np.random.Generator) -> float:
        """Run one frame, with the policy asked by Python; the time of its decision (µs).

        Raises:
            ValueError: its decision is of a wrong shape or beyond a limit.
        """
        decided, took_us = self.decide(agent, rng)
        self.carry_out(decided)
        return took_us

    def decide(self, agent: Policy, rng: np.random.Generator) -> tuple[Allocation, float]:
        """What a policy decides in the frame, and the time that it took (µs).

        Raises:
            ValueError: it is of a wrong shape.
        """
        self._drop_queues()
        t = self.done
        if self._conditions.vary:
            fill_cell(t, self._packed[0], self._state)
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
            offload, transmit, frequency, share, subchannel = decision.allocation
            powers = _array(transmit), _array(frequency), _array(share)
            decided = Allocation(_array(offload, np.bool_), *powers, _array(subchannel, np.int64))
        if decision.upper_bound is not None:
            self._records.upper_bound[t] = decision.upper_bound
        for name, number in decision.notes.items():
            self._note(name)[t] = number
        return decided, took_us

    def carry_out(self, decided: Allocation) -> None:
        """Carry out what was decided in the frame.

        Raises:
            ValueError: it is beyond a limit.
        """
        around, records = self._packed
        if not run_frame(self.done, around, self._state, self._ideal, (*decided,), records):
            with _naming_frame(self._first_frame + self.done):
                check_allocation(self._cell, decided)
        self.done += 1

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
                subchannel = records.subchannel[frame] if self._is_divided else NO_SUBCHANNELS
                check_allocation(cell, Allocation(*decided, NO_TIME_SHARES, subchannel))
        for name, values in zip(agent.note_names, notes.T, strict=True):
            self._note(name)[part] = values
        self.done += frames

    def recorded(self, note_names: Sequence[str]) -> dict[str, Any]:
        """By name, what a `Trace` has of it; among the notes are those that its policy may have, if it says so."""
        for name in note_names:
            self._note(name)
        recorded = self._records._asdict() | {"notes": self._notes, "decision_us": self._decision_us}
        recorded["dropped_mbit"] = self._dropped
        if not self._is_divided:
            recorded["subchannel"] = None
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
