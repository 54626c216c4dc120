"""What partial offloading is measured by: a search over all decisions in NumPy, sharing no code with the package.

A decision's levels are written as the share of the growth of ln s that each offloader takes of what its limits allow,
so that every point is feasible. Many starts climb at once, for all 2^N decisions of a frame, one share after the other,
by steps that are halved. What it finds is a lower bound of the optimum, close to it for few devices.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.frame import Frame
from tests.oracle import best_frequencies, evaluate, most_bits, rate_weights

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SHARES = (1.0, 0.5, 0.2)  # of the growth, where climbs start, beside random ones
_SMALLEST = 1e-7


class Found(NamedTuple):
    """The best that was found in a frame, in its own order of devices."""

    objective: float
    offload: Bools
    transmit_power_w: Floats
    cpu_frequency_hz: Floats


class _Chain(NamedTuple):
    """A frame's devices, the weakest first: arrays of shape (devices,)."""

    order: NDArray[np.int64]
    value: Floats  # of a Mbit/s
    price: Floats  # of a W
    power_to_level: Floats  # W per unit of level
    uplink: Floats  # Mbit/s per unit of ln s
    overhead: Floats
    waiting: Floats  # Mbit/s
    secured: Floats
    most_growth: Floats
    step: Floats
    circuit: Floats
    energy: Floats
    alone: Floats  # best local rate (Mbit/s)
    cubic: Floats  # W per (Mbit/s)³


def _chain_of(frame: Frame) -> _Chain:
    cell, order = frame.cell, np.argsort(frame.channel_gain, kind="stable")
    per_level = cell.noise_w / frame.channel_gain
    arrays = (
        rate_weights(frame), cell.nu * frame.energy_queue, per_level, cell.uplink_mbps / np.log(2.0),
        cell.overhead_mbps, frame.data_queue_mbit / cell.frame_s, cell.max_secured_mbps, most_bits(frame) * np.log(2.0),
        cell.max_transmit_power_w / per_level, cell.circuit_power_w, cell.circuit_energy_j_per_mbit,
        best_frequencies(frame) / cell.cycles_per_mbit, cell.energy_coefficient * cell.cycles_per_mbit**3,
    )  # fmt: skip
    return _Chain(order, *(values[order] for values in arrays))


def _objectives(chain: _Chain, offload: Bools, share: Floats) -> Floats:
    """Objective (17) of points, shape (points,); `offload` and `share` of shape (points, devices)."""
    level, total = np.ones(len(share)), np.zeros(len(share))
    for k in range(chain.order.size):
        most = np.minimum(chain.most_growth[k], np.log1p(chain.step[k] / level))
        growth = np.where(offload[:, k], share[:, k] * most, 0.0)
        transmit = level * np.expm1(growth) * chain.power_to_level[k]
        sent = np.clip(chain.uplink[k] * growth - chain.overhead[k], 0.0, min(chain.waiting[k], chain.secured[k]))
        computed = np.minimum(chain.alone[k], chain.waiting[k] - sent)
        drawn = transmit + np.where(offload[:, k], chain.circuit[k] + chain.energy[k] * sent, 0.0)
        total += chain.value[k] * (sent + computed) - chain.price[k] * (drawn + chain.cubic[k] * computed**3)
        level = level * np.exp(growth)
    return total


def search(frame: Frame, rng: np.random.Generator, starts: int = 8) -> Found:
    """The best of all decisions of a frame, each climbed from several starts."""
    chain, devices = _chain_of(frame), frame.cell.devices
    decisions = np.array(list(itertools.product((False, True), repeat=devices)))
    offload = np.repeat(decisions, starts + len(_SHARES), axis=0)
    drawn = rng.random((len(decisions), starts, devices))
    fixed = np.broadcast_to(np.array(_SHARES)[:, np.newaxis], (len(decisions), len(_SHARES), devices))
    share = np.concatenate([drawn, fixed], axis=1).reshape(-1, devices).copy()
    best, step = _objectives(chain, offload, share), np.full(len(share), 0.25)
    while (step > _SMALLEST).any():
        moved = np.zeros(len(share), np.bool_)
        for k in range(devices):
            for sign in (1.0, -1.0):
                tried = share.copy()
                tried[:, k] = np.clip(tried[:, k] + sign * step, 0.0, 1.0)
                value = _objectives(chain, offload, tried)
                better = value > best
                share[better], best[better], moved = tried[better], value[better], moved | better
        step = np.where(moved, step, 0.5 * step)
        if step.max() < 1e-3:  # what is far behind by now does not catch up
            kept = best >= best.max() - 1e-3 * abs(best.max())
            offload, share, best, step = offload[kept], share[kept], best[kept], step[kept]
    return _found(frame, chain, offload[np.argmax(best)], share[np.argmax(best)])


def _found(frame: Frame, chain: _Chain, offload: Bools, share: Floats) -> Found:
    """A point as powers and frequencies, charged by eqs. (1)-(6)."""
    cell, level = frame.cell, 1.0
    decided, transmit = np.zeros(cell.devices, np.bool_), np.zeros(cell.devices)
    frequency = np.zeros(cell.devices)
    for k, i in enumerate(chain.order):
        sent = 0.0
        if offload[k]:
            growth = share[k] * min(chain.most_growth[k], np.log1p(chain.step[k] / level))
            decided[i], transmit[i] = True, level * np.expm1(growth) * chain.power_to_level[k]
            sent = min(max(chain.uplink[k] * growth - chain.overhead[k], 0.0), chain.waiting[k], chain.secured[k])
            level *= np.exp(growth)
        frequency[i] = min(chain.alone[k], chain.waiting[k] - sent) * cell.cycles_per_mbit[i]
    return Found(evaluate(frame, decided, transmit, frequency).objective, decided, transmit, frequency)
