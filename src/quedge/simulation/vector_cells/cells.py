"""Independent cells of one scenario, result together in one compiled call per frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.arrays import fill_ascending_order
from quedge.model.cell import Cell, cell_of, check_ungrouped, refuse_partial
from quedge.model.conditions import (
    Conditions,
    Facilities,
    advance_conditions,
    facilities_of,
    fill_frame_cell,
    first_conditions,
)
from quedge.model.frame import NO_SUBCHANNELS, NO_TIME_SHARES, Allocation, Frame
from quedge.model.kernels import Floats, Floats32, kernel, without_refcount
from quedge.model.scenario import Scenario
from quedge.model.terms import Terms, empty_terms
from quedge.model.uplink import Reception, advance_queues, deliver_fixed_rates, fill_outcome, step
from quedge.policy.exact.exact import solve_frames
from quedge.simulation.processes import ArrivalProcess, ChannelProcess, Recorded
from quedge.simulation.vector_cells.action import Actions, checked_actions, powers_of_choice, powers_of_shares
from quedge.simulation.vector_cells.observation import (
    Observed,
    Reward,
    drift_plus_penalty,
    fill_observation,
    observed_of,
    reward_unit,
)
from quedge.simulation.world import check_integer, draw_world

_MAX_DRAWN_SEED = 2**31
_OPTIMUM_TOLERANCE = 1e-4  # relative


class StepResult(NamedTuple):
    """The result of a frame, as in `Trace`; of shape (cells, devices), the last three, with the reward, of (cells,)."""

    offload: NDArray[np.bool_]
    transmit_power_w: NDArray[np.float64]
    cpu_frequency_hz: NDArray[np.float64]
    rate_mbps: NDArray[np.float64]
    promised_rate_mbps: NDArray[np.float64]
    power_w: NDArray[np.float64]
    objective: NDArray[np.float64]
    promised_objective: NDArray[np.float64]
    reward: NDArray[np.float64]


class States(NamedTuple):
    """The start of a frame, and the arrivals in it, as in `Trace`; of shape (cells, devices), or (cells, 0)."""

    channel_gain: NDArray[np.float64]
    channel_estimate: NDArray[np.float64]
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]
    arrival_mbit: NDArray[np.float64]
    battery_j: NDArray[np.float64]
    server_queue_mbit: NDArray[np.float64]
    harvest_j: NDArray[np.float64]


class _Worlds(NamedTuple):
    """What a step takes from the worlds.

    Attributes:
        state: the start of the frame.
        next_estimated_gain: power gains of the next frame as policies see them, shape (cells, devices).
        residual_sic_share: share of a decoded signal's power that cancellation leaves.
        as_assumed: whether the worlds are ideal.
        fixed_rates: whether what the channel does not carry is lost.
        facilities: batteries and the edge server.
        observed: what is observed.
    """

    state: States
    next_estimated_gain: NDArray[np.float64]
    residual_sic_share: float
    as_assumed: bool
    fixed_rates: bool
    facilities: Facilities
    observed: Observed


class Optimum(NamedTuple):
    """The largest promised objective (17) in a state, to a relative 1e-4, and a bound on it; shape (cells,)."""

    objective: NDArray[np.float64]
    upper_bound: NDArray[np.float64]


class VectorCells:
    """Cells that share a scenario and differ in their worlds; they restart together, with empty queues, full batteries.

    A cell that restarts with a seed meets the same channel and arrivals as `simulate` does with that seed and number of
    frames. With estimation errors or residual interference, observations and allocations follow the estimates, and the
    world charges the truth, as in `simulate`.

    Attributes:
        as_assumed: whether the world is ideal: perfect channel estimates and cancellation.
    """

    def __init__(
        self,
        scenario: Scenario,
        cells: int,
        frames: int,
        actions: Actions = Actions.OFFLOAD,
        reward: Reward = Reward.OBJECTIVE,
        channel: ChannelProcess | None = None,
        arrivals: ArrivalProcess | None = None,
    ) -> None:
        """Set up cells of a scenario; `restart` draws their worlds, of so many frames.

        Rician fading and exponential arrivals by default; a ValueError for a number of cells or frames below 1.
        """
        scenario.require_one_cell("environments")
        check_integer("cells", cells, 1)
        check_integer("frames", frames, 1)
        if isinstance(channel, Recorded) and channel.leaves is not None:
            raise ValueError(f"channel: {channel.name}: absent=drop is not allowed here; it must be absent=keep")
        self.scenario, self.cells, self.frames = scenario, int(cells), int(frames)
        self.actions, self._rewards_drift = actions, reward is Reward.DRIFT_PLUS_PENALTY
        self._channel, self._arrivals = channel, arrivals
        self._cell, self._unit = cell_of(scenario), reward_unit(scenario)
        check_ungrouped(self._cell, "in an environment, whose actions name no sub-channels")
        refuse_partial(self._cell.is_partial > 0.0 and actions is Actions.POWERS, f"actions {actions.value!r}")
        self._terms = empty_terms(scenario.devices, self._cell.is_partial)
        self._facilities, self._observed = facilities_of(scenario), observed_of(scenario)
        shape = (self.cells, scenario.devices)
        first = first_conditions(scenario)
        self._conditions = Conditions(*(np.empty((self.cells, values.size)) for values in first))
        self._frame_cell = self._cell.copied() if first.vary else self._cell
        self._harvest = np.empty((self.frames, *self._conditions.battery_j.shape))
        self._data_queue, self._energy_queue = np.zeros(shape), np.zeros(shape)
        self._channel_gain = np.empty((self.frames, *shape))  # frame by frame, in the order of use
        self._estimated_gain = self._channel_gain
        if scenario.per_device("estimate_error").any():
            self._estimated_gain = np.empty((self.frames, *shape))
        self.as_assumed = self._estimated_gain is self._channel_gain and scenario.residual_sic_share == 0.0
        self._arrival = np.empty((self.frames, *shape))
        self._generators = [np.random.default_rng() for _ in range(self.cells)]
        self.frame = self.frames

    @property
    def ended(self) -> bool:
        """Whether the worlds have ended, or have not begun."""
        return self.frame == self.frames

    def restart(self, seeds: Sequence[int | None]) -> list[int]:
        """Draw new worlds and empty all queues.

        Args:
            seeds: one seed per cell; None draws the next one from the cell's last seed.

        Returns:
            The seeds of the worlds.

        Raises:
            ValueError: a bad seed, or a recording that does not fit.
        """
        if len(seeds) != self.cells:
            raise ValueError(f"seeds: {len(seeds)} of them are not allowed; there must be {self.cells}, one a cell")
        used: list[int] = []
        for b, given in enumerate(seeds):
            seed = int(self._generators[b].integers(_MAX_DRAWN_SEED)) if given is None else given
            world = draw_world(self.scenario, self.frames, seed, self._channel, self._arrivals)
            self._channel_gain[:, b], self._arrival[:, b] = world.channel_gain, world.arrival_mbit
            if self._estimated_gain is not self._channel_gain:
                self._estimated_gain[:, b] = world.estimated_gain
            if world.harvest_j is not None:
                self._harvest[:, b] = world.harvest_j
            if given is not None:
                self._generators[b] = np.random.default_rng(given)
            used.append(int(seed))
        self._data_queue[:] = 0.0
        self._energy_queue[:] = 0.0
        for values, first in zip(self._conditions, first_conditions(self.scenario), strict=True):
            values[:] = first
        self.frame = 0
        return used

    def states(self) -> States:
        """The states of the cells. After the last frame, gains and arrivals are still the last frame's."""
        t = min(self.frame, self.frames - 1)
        gain = self._channel_gain[t].copy()
        estimate = gain if self._estimated_gain is self._channel_gain else self._estimated_gain[t].copy()
        queues = self._data_queue.copy(), self._energy_queue.copy()
        battery, server = (values.copy() for values in self._conditions)
        return States(gain, estimate, *queues, self._arrival[t].copy(), battery, server, self._harvest[t].copy())

    def frame_of(self, cell: int) -> Frame:
        """The state of a cell as policies take it."""
        state = self.states()
        observed = state.channel_estimate[cell], state.data_queue_mbit[cell], state.energy_queue[cell]
        return Frame(self._cell_of_frame(cell, *observed[:2]), *observed)

    def _cell_of_frame(self, b: int, estimated_gain: Floats, data_queue_mbit: Floats) -> Cell:
        """A cell as it is in the frame."""
        if not self._conditions.vary:
            return self._cell
        own, here = self._cell.copied(), Conditions(*(values[b] for values in self._conditions))
        fill_frame_cell(self._cell, here, estimated_gain, data_queue_mbit, own)
        return own

    def observations(self) -> NDArray[np.float32]:
        """Observations of all cells, shape (cells, numbers · devices); see `fill_observation`."""
        seen = np.empty((self.cells, self._observed.numbers * self.scenario.devices), np.float32)
        t = min(self.frame, self.frames - 1)
        queues = self._estimated_gain[t], self._data_queue, self._energy_queue
        _observe_cells((self._cell, self._frame_cell), queues, self._conditions, self._observed, seen)
        return seen

    def optimum(self) -> Optimum:
        """The optimum of the frame to be decided."""
        best = Optimum(np.empty(self.cells), np.empty(self.cells))
        state = self.states()
        observed = state.channel_estimate, state.data_queue_mbit, state.energy_queue
        together = slice(0, self.cells)
        for part in (slice(b, b + 1) for b in range(self.cells)) if self._conditions.vary else (together,):
            gain, data, energy = (values[part] for values in observed)
            cell = self._cell_of_frame(part.start, gain[0], data[0])
            solve_frames(cell, gain, data, energy, _OPTIMUM_TOLERANCE, best.objective[part], best.upper_bound[part])
        return best

    def step(self, actions: Any) -> tuple[StepResult, NDArray[np.float32]]:
        """Carry out an action in every cell and go on to the next frame.

        Args:
            actions: one action per cell, shape (cells, width); see `Actions`.

        Returns:
            The result, and the next observations.

        Raises:
            ValueError: a bad action, or the worlds have ended.
        """
        if self.ended:
            raise ValueError(f"frame: {self.frame} is not allowed; the world has {self.frames} frames: restart it")
        decided = checked_actions(self.actions, actions, self.cells, self.scenario.devices)
        t, following = self.frame, min(self.frame + 1, self.frames - 1)
        drawn = self._channel_gain[t], self._estimated_gain[t]
        queues = self._data_queue, self._energy_queue, self._conditions.server_queue_mbit
        state = States(*drawn, *queues[:2], self._arrival[t], *self._conditions, self._harvest[t])
        before = (queues[0].copy(), queues[1].copy(), queues[2].copy()) if self._rewards_drift else None
        result, seen = self._empty_result()
        following_gain, residual = self._estimated_gain[following], self.scenario.residual_sic_share
        how = residual, self.as_assumed, not self.scenario.rate_adaptation
        worlds = _Worlds(state, following_gain, *how, self._facilities, self._observed)
        _step_cells((self._cell, self._frame_cell), self._terms, worlds, decided, result, seen)
        reward = result.objective
        if before is not None:
            reward = drift_plus_penalty(self._cell, result.rate_mbps, before, queues)
        np.divide(reward, self._unit, out=result.reward)
        self.frame += 1
        return result, seen

    def _empty_result(self) -> tuple[StepResult, NDArray[np.float32]]:
        """Arrays for the result of a frame and the observations after it."""
        shape = self._data_queue.shape
        transmit, frequency, rate, power = np.empty((4, *shape))
        objective, reward = np.empty((2, self.cells))
        promised = (rate, objective) if self.as_assumed else (np.empty(shape), np.empty(self.cells))
        result = StepResult(
            np.empty(shape, np.bool_), transmit, frequency, rate, promised[0], power, objective, promised[1], reward
        )
        return result, np.empty((self.cells, self._observed.numbers * shape[1]), np.float32)


@kernel
def _observe_cells(
    usual_and_frame: tuple[Cell, Cell],
    queues: tuple[Floats, Floats, Floats],
    conditions: Conditions,
    observed: Observed,
    seen: Floats32,
) -> None:
    """Fill in the observations, of gains, data and energy queues of shape (cells, devices)."""
    usual, cell = usual_and_frame
    gain, data, energy = queues
    for b in range(gain.shape[0]):
        if observed.server or observed.battery:
            here = Conditions(conditions.battery_j[b], conditions.server_queue_mbit[b])
            fill_frame_cell(usual, here, gain[b], data[b], cell)
        fill_observation(cell, gain[b], data[b], energy[b], observed, seen[b])


@kernel
def _step_cells(
    usual_and_frame: tuple[Cell, Cell],
    terms: Terms,
    worlds: _Worlds,
    actions: Floats32,
    result: StepResult,
    seen: Floats32,
) -> None:
    """Decide, charge and advance every cell: its state changes in place, all of `result` but the reward is filled.

    In an ideal world the promised arrays are those of what is reached. `terms` is room for one cell at a time.
    """
    usual_and_frame, terms, worlds, result = without_refcount((usual_and_frame, terms, worlds, result))
    actions, seen = without_refcount((actions, seen))
    usual, cell = usual_and_frame
    state, varies = worlds.state, worlds.observed.server or worlds.observed.battery
    cells, n = state.channel_gain.shape
    for b in range(cells):
        frame = Frame(cell, state.channel_estimate[b], state.data_queue_mbit[b], state.energy_queue[b])
        here = Conditions(state.battery_j[b], state.server_queue_mbit[b])
        if varies:
            fill_frame_cell(usual, here, frame.channel_gain, frame.data_queue_mbit, cell)
        decided = result.offload[b], result.transmit_power_w[b], result.cpu_frequency_hz[b]
        fill_ascending_order(frame.channel_gain, terms.device)
        if actions.shape[1] == n:
            powers_of_choice(terms, frame, actions[b], *decided)
        else:
            powers_of_shares(frame, actions[b], *decided)
        allocation = Allocation(*decided, NO_TIME_SHARES, NO_SUBCHANNELS)
        power_w = result.power_w[b]
        if not worlds.as_assumed:
            assumed = Reception(terms.device, frame.channel_gain, 0.0)
            result.promised_objective[b] = fill_outcome(
                frame, assumed, allocation, result.promised_rate_mbps[b], power_w
            )
        reception = Reception(terms.device, state.channel_gain[b], worlds.residual_sic_share)
        rate, arrival_mbit = result.rate_mbps[b], state.arrival_mbit[b]
        if worlds.fixed_rates and not worlds.as_assumed:
            for i in range(n):
                rate[i] = result.promised_rate_mbps[b, i]
            result.objective[b] = deliver_fixed_rates(frame, reception, allocation, rate, power_w)
            advance_queues(cell, frame.data_queue_mbit, frame.energy_queue, rate, power_w, arrival_mbit)
        else:
            result.objective[b] = step(frame, reception, allocation, arrival_mbit, rate, power_w)
        next_gain = worlds.next_estimated_gain[b]
        if varies:
            advance_conditions(cell, worlds.facilities, here, state.harvest_j[b], decided[0], rate, power_w)
            fill_frame_cell(usual, here, next_gain, frame.data_queue_mbit, cell)
        fill_observation(cell, next_gain, frame.data_queue_mbit, frame.energy_queue, worlds.observed, seen[b])
