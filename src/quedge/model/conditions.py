"""What a frame's cell depends on besides constants: batteries, and the queues of the edge server.

A battery holds at most its capacity C. A device draws from it and harvests into it:

    B(t+1) = min(B(t) − e T + H(t), C),    e T ≤ B(t).

The limit becomes one of powers: they are lowered so far that no device can draw more than its battery holds, whatever
it does. Every policy that keeps a cell's limits then keeps its batteries'.

An offloaded bit waits at the edge server until that has processed it. The server has F cycles a second for all devices,
φ_s a bit, and serves first whose queue is worth most for its cycles, S / φ_s. What arrives in a frame is served from
the next one on:

    S(t+1) = S(t) − served(t) + r_off T.

These queues weigh against the devices' own: an offloaded Mbit/s has the weight Q^β − S^β + V c (docs/edge-server.md).
Results are downloaded as they are made: no device is served faster than its downlink takes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from quedge.model.arrays import ascending_order
from quedge.model.cell import BITS_PER_MBIT, Cell, cell_of
from quedge.model.frame import DATA_QUEUE_MBIT, Frame, Range, checked_array, packed_frame, unpacked_frame
from quedge.model.kernels import Bools, Floats, inner_kernel, kernel
from quedge.model.scenario import Scenario
from quedge.model.uplink import queue_weight

_HALVINGS = 60  # as many bits as a double has, and a few


class Facilities(NamedTuple):
    """A scenario's batteries and edge server; arrays of shape (devices,), and of size 0 where it has none.

    Attributes:
        battery_j: capacity of each battery (J).
        server_cycles: cycles of the edge server in a frame.
        server_cycles_per_mbit: its cycles to process a Mbit.
        most_served_mbit: most data of a device that it processes in a frame (Mbit), for the results' sake.
    """

    battery_j: Floats
    server_cycles: float
    server_cycles_per_mbit: Floats
    most_served_mbit: Floats


class Conditions(NamedTuple):
    """State of batteries and edge server at the start of a frame; as in `Facilities`, of size 0 where there is none.

    Attributes:
        battery_j: energy in each battery (J).
        server_queue_mbit: data of each device that waits at the edge server (Mbit).
    """

    battery_j: Floats
    server_queue_mbit: Floats

    @property
    def vary(self) -> bool:
        """Whether a cell depends on them at all."""
        return self.battery_j.size > 0 or self.server_queue_mbit.size > 0


def facilities_of(scenario: Scenario) -> Facilities:
    """The batteries and the edge server of a scenario."""
    each = scenario.per_device
    battery = np.empty(0) if scenario.battery_j is None else each("battery_j")
    if scenario.server_frequency_hz is None:
        return Facilities(battery, 0.0, np.empty(0), np.empty(0))
    ratio = each("result_ratio")
    downloaded = each("downlink_mbps") * scenario.frame_s
    most = np.divide(downloaded, ratio, out=np.full(ratio.size, np.inf), where=ratio > 0.0)
    cycles = each("server_cycles_per_bit") * BITS_PER_MBIT
    return Facilities(battery, scenario.server_frequency_hz * scenario.frame_s, cycles, most)


def server_load_of(scenario: Scenario) -> Floats:
    """Share of the edge server that an offloaded Mbit/s of each device takes; of size 0 where it is infinite.

    Raises:
        ValueError: the scenario has batteries, or results to download, which limit single devices.
    """
    if scenario.battery_j is not None:
        raise ValueError(f"battery_j: {scenario.battery_j!r} is not allowed where no frame follows another")
    if scenario.per_device("result_ratio").any():
        raise ValueError(f"result_ratio: {scenario.result_ratio!r} is not allowed here; it must be 0")
    _, cycles, cycles_per_mbit, _ = facilities_of(scenario)
    return cycles_per_mbit * (scenario.frame_s / cycles) if cycles > 0.0 else cycles_per_mbit


def first_conditions(scenario: Scenario) -> Conditions:
    """Full batteries, and nothing at the edge server."""
    facilities = facilities_of(scenario)
    return Conditions(facilities.battery_j.copy(), np.zeros(facilities.server_cycles_per_mbit.size))


@inner_kernel
def affordable_power(cell: Cell, i: int, channel_gain: float, data_queue_mbit: float, budget_w: float) -> float:
    """The highest transmit power (W) with which an offloader stays within a budget, whatever the others do.

    Interference only takes from its rate, and so from the energy that securing its bits costs: what it can afford alone
    it can afford always. What it draws idle is none of the budget.
    """
    most = max(min(cell.max_transmit_power_w[i], budget_w - cell.circuit_power_w[i]), 0.0)
    energy = cell.circuit_energy_j_per_mbit[i]
    if energy == 0.0:
        return float(most)
    left = budget_w - cell.circuit_power_w[i]
    most_rate = min(data_queue_mbit / cell.frame_s, cell.max_secured_mbps[i])
    fits, tried = 0.0, most
    for _ in range(_HALVINGS):
        uplink = cell.uplink_mbps[i] * math.log1p(tried * channel_gain / cell.noise_w) / math.log(2.0)
        rate = min(max(uplink - cell.overhead_mbps[i], 0.0), most_rate)
        if tried + energy * rate <= left:
            fits = tried
        if fits == most:
            break
        most = most if fits == tried else tried
        tried = 0.5 * (fits + most)
    return float(fits)


@inner_kernel
def highest_affordable_frequency(cell: Cell, i: int, budget_w: float) -> float:
    """The highest CPU frequency (Hz) at which a device stays within a budget; idle power is none of it."""
    return float(min(cell.max_frequency_hz[i], (budget_w / cell.energy_coefficient[i]) ** (1.0 / 3.0)))


@kernel
def fill_frame_cell(
    usual: Cell, conditions: Conditions, channel_gain: Floats, data_queue_mbit: Floats, cell: Cell
) -> None:
    """Fill in the arrays of a cell that depend on the conditions of a frame; the others are the usual ones'.

    A device whose battery is too low for its circuits spends what is left on them, and sends nothing.
    """
    for i in range(conditions.battery_j.size):
        available = conditions.battery_j[i] / usual.frame_s
        cell.available_power_w[i] = available
        cell.idle_power_w[i] = min(usual.idle_power_w[i], available)
        budget = available - cell.idle_power_w[i]
        cell.circuit_power_w[i] = min(usual.circuit_power_w[i], budget)
        cell.max_transmit_power_w[i] = affordable_power(usual, i, channel_gain[i], data_queue_mbit[i], budget)
        cell.max_frequency_hz[i] = highest_affordable_frequency(usual, i, budget)
    for i in range(conditions.server_queue_mbit.size):
        cell.server_weight[i] = queue_weight(usual, conditions.server_queue_mbit[i])


@kernel
def advance_conditions(
    cell: Cell,
    facilities: Facilities,
    conditions: Conditions,
    harvest_j: Floats,
    offload: Bools,
    rate_mbps: Floats,
    power_w: Floats,
) -> None:
    """Advance batteries and the edge server's queues by one frame, in place; arrays of shape (devices,).

    Args:
        cell: the frame's cell.
        facilities: what the scenario has.
        conditions: at the start of the frame; advanced.
        harvest_j: energy that is harvested in the frame (J); of size 0 without batteries.
        offload: who offloaded.
        rate_mbps: rates that were reached (Mbit/s).
        power_w: mean powers that were drawn (W).
    """
    for i in range(conditions.battery_j.size):
        left = max(conditions.battery_j[i] - power_w[i] * cell.frame_s, 0.0)
        conditions.battery_j[i] = min(left + harvest_j[i], facilities.battery_j[i])
    waiting, cycles = conditions.server_queue_mbit, facilities.server_cycles
    if waiting.size == 0:
        return
    for i in ascending_order(-waiting / facilities.server_cycles_per_mbit):  # the most worth of its cycles first
        served = min(waiting[i], facilities.most_served_mbit[i], cycles / facilities.server_cycles_per_mbit[i])
        waiting[i] -= served
        cycles = max(cycles - served * facilities.server_cycles_per_mbit[i], 0.0)
    for i in range(waiting.size):
        if offload[i]:
            waiting[i] += rate_mbps[i] * cell.frame_s


def check_batteries(conditions: Conditions, channel_gain: Floats) -> None:
    """Refuse batteries beside gains that differ from one sub-channel to the next: what a device can afford would, too.

    Args:
        conditions: of a frame.
        channel_gain: gains of a frame (W/W), shape (devices,) or (devices, sub-channels).

    Raises:
        ValueError: naming the key.
    """
    if conditions.battery_j.size > 0 and channel_gain.ndim > 1:
        raise ValueError("battery_j: is not allowed with gains that differ between sub-channels; leave out either")


def frame_under(scenario: Scenario, frame: Frame, given: Mapping[str, Any]) -> Frame:
    """The same frame with the cell that follows from conditions that come from outside.

    Args:
        scenario: the scenario.
        frame: a frame of its usual cell.
        given: by the names of `Conditions`, one number a device, of what the scenario has.

    Raises:
        ValueError: naming what is missing, not allowed, or of no use in the scenario.
    """
    usual, first = frame.cell, first_conditions(scenario)
    for name in given:
        if getattr(first, name).size == 0:
            raise ValueError(f"{name}: is not allowed; the scenario has no {_NEEDED[name]}")
    if not first.vary:
        return frame
    check_batteries(first, frame.channel_gain)
    found = []
    for name, values in first._asdict().items():
        if values.size > 0 and name not in given:
            raise ValueError(f"{name}: is missing; the scenario has {_NEEDED[name]}")
        highest = float(values.max()) if name == "battery_j" and values.size > 0 else DATA_QUEUE_MBIT.highest
        allowed = Range(highest)
        found.append(checked_array(name, given[name], usual.devices, allowed) if values.size > 0 else values)
    cell = usual.copied()
    fill_frame_cell(usual, Conditions(*found), frame.channel_gain, frame.data_queue_mbit, cell)
    return frame._replace(cell=cell)


def refuse_batteries(scenario: Scenario, what: str) -> None:
    """Refuse a scenario with batteries where nobody reports what they hold.

    Raises:
        ValueError: naming the key.
    """
    if scenario.battery_j is not None:
        raise ValueError(f"battery_j: {scenario.battery_j!r} is not allowed in {what}, to which no battery is reported")


_NEEDED = {"battery_j": "battery_j", "server_queue_mbit": "server_frequency_hz"}
"""The key without which a condition is none."""


def frame_cells(
    scenario: Scenario, conditions: Conditions, channel_gain: Floats, data_queue_mbit: Floats
) -> tuple[Floats, Floats]:
    """The cells of many frames as in a `PackedFrame`: numbers, shape (7,), and arrays, shape (frames, 16, devices).

    Args:
        scenario: the scenario.
        conditions: those of each frame, of shape (frames, devices) or (frames, 0).
        channel_gain: power gains as policies see them (W/W), shape (frames, devices).
        data_queue_mbit: data queues (Mbit), shape (frames, devices).
    """
    usual = cell_of(scenario)
    numbers, each, *_ = packed_frame(Frame(usual, channel_gain[0], data_queue_mbit[0], data_queue_mbit[0]))
    cells = np.repeat(each[np.newaxis], channel_gain.shape[0], axis=0)
    _fill_frame_cells(usual, (*conditions,), channel_gain, data_queue_mbit, (numbers, cells))
    return numbers, cells


@kernel
def _fill_frame_cells(
    usual: Cell,
    conditions: tuple[Floats, Floats],
    channel_gain: Floats,
    data_queue_mbit: Floats,
    packed: tuple[Floats, Floats],
) -> None:
    numbers, cells = packed
    for t in range(channel_gain.shape[0]):
        own = unpacked_frame(numbers, cells[t], channel_gain[t], data_queue_mbit[t], data_queue_mbit[t]).cell
        here = Conditions(conditions[0][t], conditions[1][t])
        fill_frame_cell(usual, here, channel_gain[t], data_queue_mbit[t], own)
