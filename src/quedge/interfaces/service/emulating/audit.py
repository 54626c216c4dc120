"""The emulation's own books, and whether every answer is what the model says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quedge.interfaces.service.asking.answers import CellState, Decided, due_in
from quedge.model.cell import cell_of
from quedge.model.frame import Decision
from quedge.model.limits import check_decision
from quedge.model.objective import frame_objective
from quedge.model.ranges import DATA_QUEUE_MBIT, ENERGY_QUEUE
from quedge.model.scenario import Scenario
from quedge.model.uplink import AT_ONCE, charge

_ROUNDING = 1e-9  # relative
_MOST_DESCRIBED = 5


class Audit:
    """Keeps both queues of every device, and compares.

    After a violation the service's own word is taken, so that one mistake is counted once.

    Args:
        scenario: the cell.
        state: where the service says that the cell stands; None where it begins.

    Attributes:
        violations: number of answers that were wrong in some way.
        described: what was wrong with the first few.
    """

    def __init__(self, scenario: Scenario, state: CellState | None) -> None:
        self._cell = cell_of(scenario)
        nothing = np.zeros(scenario.devices)
        self._next_frame = due_in(state)
        self._data_queue = nothing.copy() if state is None else state.data_queue_mbit.copy()
        self._energy_queue = nothing.copy() if state is None else state.energy_queue.copy()
        self.violations = 0
        self.described: list[str] = []

    def check(
        self,
        reported: NDArray[np.int64],
        channel_gain: NDArray[np.float64],
        arrived_mbit: NDArray[np.float64],
        decided: Decided,
    ) -> None:
        """Check a frame's answer and turn the books' page.

        Args:
            reported: numbers of the devices that it may be about.
            channel_gain: gains of all devices as they reported them (W/W), shape (devices of the cell,).
            arrived_mbit: what they reported of arrivals (Mbit), shape (devices of the cell,).
            decided: the answer.
        """
        try:
            self._check(reported, channel_gain, arrived_mbit, decided)
        except ValueError as error:
            self.violations += 1
            if len(self.described) < _MOST_DESCRIBED:
                self.described.append(f"frame {decided.frame}: {error}")
        self._next_frame = decided.frame + 1
        told = (decided.data_queue_mbit, decided.energy_queue)
        for queue, values in zip((self._data_queue, self._energy_queue), told, strict=True):
            fine = np.isin(decided.devices, reported)
            if values.shape == fine.shape and np.isfinite(values).all():
                queue[decided.devices[fine]] = values[fine]

    def _check(
        self,
        reported: NDArray[np.int64],
        channel_gain: NDArray[np.float64],
        arrived_mbit: NDArray[np.float64],
        decided: Decided,
    ) -> None:
        _check_form(reported, decided)
        if decided.frame != self._next_frame:
            raise ValueError(f"is answered where frame {self._next_frame} was due")
        devices = decided.devices
        cell, gain = self._cell.only(devices), channel_gain[devices]
        queue = np.minimum(self._data_queue[devices] + arrived_mbit[devices], DATA_QUEUE_MBIT.highest)
        energy = self._energy_queue[devices]
        powers = decided.offload, decided.transmit_power_w, decided.cpu_frequency_hz
        check_decision(cell, Decision(*powers, decided.rate_mbps, decided.power_w, 0.0, time_share=decided.time_share))
        _check_most("rate_mbps", devices, decided.rate_mbps, queue / cell.frame_s)
        rate, power = charge(cell, gain, queue, *powers, AT_ONCE if decided.time_share is None else decided.time_share)
        _check_equal("rate_mbps", devices, decided.rate_mbps, rate)
        _check_equal("power_w", devices, decided.power_w, power)
        left = np.maximum(queue - rate * cell.frame_s, 0.0)
        _check_equal("data_queue_mbit", devices, decided.data_queue_mbit, left)
        spent = np.maximum(energy + cell.nu * (power - cell.power_budget_w), 0.0)
        _check_equal("energy_queue", devices, decided.energy_queue, np.minimum(spent, ENERGY_QUEUE.highest))
        if not np.isnan(decided.objective):
            _check_objective(decided, frame_objective(cell, queue, energy, rate, power))


def _check_form(reported: NDArray[np.int64], decided: Decided) -> None:
    count = decided.devices.size
    if count == 0 or not np.isin(decided.devices, reported).all() or (np.diff(decided.devices) <= 0).any():
        raise ValueError(f"devices: {decided.devices.tolist()} is not allowed; {reported.tolist()} reported")
    for name in (
        "offload", "transmit_power_w", "cpu_frequency_hz", "time_share", "rate_mbps", "power_w", "data_queue_mbit",
        "energy_queue",
    ):  # fmt: skip
        values = getattr(decided, name)
        if values is None:
            continue
        if values.shape != (count,):
            raise ValueError(f"{name}: {values.size} values are not allowed; {count} devices reported")
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: {values.tolist()} is not allowed; they must be numbers")


def _check_most(name: str, devices: NDArray[np.int64], told: NDArray[np.float64], most: NDArray[np.float64]) -> None:
    over = told > most * (1.0 + _ROUNDING)
    if over.any():
        place = int(np.argmax(over))
        allowed = f"its queue holds {most[place]}"
        raise ValueError(f"{name}: {told[place]} of device {devices[place]} is not allowed; {allowed}")


def _check_equal(name: str, devices: NDArray[np.int64], told: NDArray[np.float64], found: NDArray[np.float64]) -> None:
    differs = np.abs(told - found) > _ROUNDING * np.maximum(np.abs(found), 1.0)
    if differs.any():
        place = int(np.argmax(differs))
        raise ValueError(f"{name}: {told[place]} is told of device {devices[place]}, and {found[place]} follows")


def _check_objective(decided: Decided, found: float) -> None:
    near = _ROUNDING * max(abs(found), 1.0)
    if not abs(decided.objective - found) <= near:
        raise ValueError(f"objective: {decided.objective} is told, and {found} follows")
    if decided.upper_bound is not None and not decided.upper_bound >= found - near:
        raise ValueError(f"upper_bound: {decided.upper_bound} is told, and the objective {found} is above it")
