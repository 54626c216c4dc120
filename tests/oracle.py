"""What the solvers of the package are measured by: plain NumPy from the equations, sharing no code with them.

`evaluate` charges powers and frequencies by eqs. (1)-(6), with the interference of each device as a direct sum.
`best_powers` solves one offloading decision exactly. Let S_k be the received power of noise and of the offloaders
up to the k-th, counted from the last decoded. In S all limits are linear (0 ≤ S_k − S_{k−1} ≤ P_max h_k and
S_k ≤ 2^{Q_k/BT} S_{k−1}) and the objective is a sum of terms (α_k − α_{k+1}) ln S_k − (β_k − β_{k+1}) S_k, neither
concave nor convex. With linear limits every optimum satisfies the Karush-Kuhn-Tucker conditions, so we list *all*
points that do: each step is at one of its three limits or free; steps at a limit tie the levels into groups with
one unknown each; and where a group's derivative vanishes is a root of a polynomial, unless two limits of one step
fix the unknown. The best feasible chain of groups is the optimum, to rounding. `enumeration` takes the best of all
2^N decisions.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.frame import Frame

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_NO_LIMIT_BITS = 150.0  # 2^150 times more received power than noise is no limit at all
_NOTHING, _QUEUE, _POWER = range(3)  # the limit that a step is at: no growth, the queue, the transmit power


class Charged(NamedTuple):
    """What powers and frequencies bring, eqs. (5), (6), (17)."""

    rate_mbps: Floats
    power_w: Floats
    objective: float


class Optimum(NamedTuple):
    """The best answer to a frame."""

    objective: float
    offload: Bools
    transmit_power_w: Floats
    cpu_frequency_hz: Floats


def decoded_after(channel_gain: Floats, i: int) -> list[int]:
    """Devices decoded after device i: weaker ones, and of equal ones those that come before it."""
    return [j for j, gain in enumerate(channel_gain) if gain < channel_gain[i] or (gain == channel_gain[i] and j < i)]


def evaluate(
    frame: Frame, offload: Bools, transmit_power_w: Floats, cpu_frequency_hz: Floats, time_share: Floats | None = None
) -> Charged:
    """Rates, powers and objective (17) by eqs. (1)-(6); nothing is cut to the queue.

    With time shares, each device transmits alone for its share of the frame.
    """
    cell, gain = frame.cell, frame.channel_gain
    rate, power = np.zeros(cell.devices), np.zeros(cell.devices)
    for i in range(cell.devices):
        if offload[i]:
            others = decoded_after(gain, i) if time_share is None else []
            share = 1.0 if time_share is None else time_share[i]
            interference = sum(transmit_power_w[j] * gain[j] for j in others if offload[j])
            sinr = transmit_power_w[i] * gain[i] / (cell.noise_w + interference)
            sent = share * cell.uplink_mbps[i] * np.log1p(sinr) / np.log(2.0)
            rate[i] = max(sent - cell.overhead_mbps[i], 0.0)
            power[i] = (
                share * transmit_power_w[i] + cell.circuit_power_w[i] + cell.circuit_energy_j_per_mbit[i] * rate[i]
            )
        if cell.is_partial or not offload[i]:
            rate[i] += cpu_frequency_hz[i] / cell.cycles_per_mbit[i]
            power[i] += cell.energy_coefficient[i] * cpu_frequency_hz[i] ** 3
    power += cell.idle_power_w
    value, price = _values(frame, offload)
    return Charged(rate, power, float(np.sum(value * rate - price * power)))


def cut_to_limits(frame: Frame, offload: Bools, charged: Charged) -> Charged:
    """The same with no device sending or computing more than its queue holds, or securing more than it can."""
    cell = frame.cell
    rate = np.minimum(charged.rate_mbps, frame.data_queue_mbit / cell.frame_s)
    rate = np.where(offload, np.minimum(rate, cell.max_secured_mbps), rate)
    power = charged.power_w - np.where(offload, cell.circuit_energy_j_per_mbit * (charged.rate_mbps - rate), 0.0)
    value, price = _values(frame, offload)
    return Charged(rate, power, float(np.sum(value * rate - price * power)))


def rounding_of_rates(frame: Frame) -> Floats:
    """What rounding errors leave uncertain of rates (Mbit/s): rates are differences of logarithms, and overhead."""
    return 1e-13 * (frame.cell.uplink_mbps + 100.0 * frame.cell.overhead_mbps)


def magnitude(frame: Frame, charged: Charged) -> float:
    """The sum of the absolute terms of (17): what rounding errors of the objective are relative to."""
    value, price = _values(frame)
    rate = charged.rate_mbps + frame.cell.uplink_mbps * 1e-6 + frame.cell.overhead_mbps
    return float(np.sum(value * rate + price * charged.power_w))


def best_frequencies(frame: Frame) -> Floats:
    """Best CPU frequency of each device (Hz), by ternary search on its concave objective, or of all its levels."""
    cell = frame.cell
    value, price = _values(frame)
    if cell.frequency_step_hz.all():
        return _best_levels_of_cpu(frame)

    def objective(frequency: Floats) -> Floats:
        return value * frequency / cell.cycles_per_mbit - price * cell.energy_coefficient * frequency**3

    highest = np.minimum(cell.max_frequency_hz, cell.cycles_per_mbit * frame.data_queue_mbit / cell.frame_s)
    low, high = np.zeros(cell.devices), highest.copy()
    for _ in range(120):
        left, right = low + (high - low) / 3.0, high - (high - low) / 3.0
        rises = objective(left) < objective(right)
        low, high = np.where(rises, left, low), np.where(rises, high, right)
    tried = np.stack([np.zeros(cell.devices), low, high, highest])
    return np.take_along_axis(tried, np.argmax(objective(tried), axis=0)[np.newaxis], axis=0)[0]


def _best_levels_of_cpu(frame: Frame) -> Floats:
    """The best of the levels of each CPU (Hz)."""
    cell = frame.cell
    value, price = _values(frame)
    best = np.zeros(cell.devices)
    for i in range(cell.devices):
        step = cell.frequency_step_hz[i]
        tried = step * np.arange(int(cell.max_frequency_hz[i] / step + 1e-9) + 1)
        rate = np.minimum(tried / cell.cycles_per_mbit[i], frame.data_queue_mbit[i] / cell.frame_s)
        best[i] = tried[np.argmax(value[i] * rate - price[i] * cell.energy_coefficient[i] * tried**3)]
    return best


def best_powers(frame: Frame, offload: Bools) -> Floats:
    """Best transmit powers (W) of one offloading decision; zero for the devices that compute locally.

    An offloader whose overhead is more than its bits are worth sends nothing: all sets of those who send are tried.
    """
    if not frame.cell.overhead_mbps[offload].any():
        return _powers_of_senders(frame, offload)
    tried = [
        _powers_of_senders(frame, offload & np.array(bits))
        for bits in itertools.product((False, True), repeat=offload.size)
        if not (bits & ~offload).any()
    ]
    nothing = np.zeros(offload.size)
    return max(tried, key=lambda power: evaluate(frame, offload, power, nothing).objective)


def _powers_of_senders(frame: Frame, offload: Bools) -> Floats:
    """Best transmit powers (W) where all of these offloaders send."""
    chain = [i for i in np.argsort(frame.channel_gain, kind="stable") if offload[i]]
    power = np.zeros(frame.cell.devices)
    before = 1.0
    for i, level in zip(chain, _best_levels(_Chain.of(frame, chain)), strict=True):
        power[i] = min(
            (level - before) * frame.cell.noise_w / frame.channel_gain[i], frame.cell.max_transmit_power_w[i]
        )
        before = level
    return power


def enumeration(frame: Frame) -> Optimum:
    """The best of all 2^N decisions, each with its best powers."""
    frequency = best_frequencies(frame)
    cell_levels = frame.cell.frequency_step_hz.any()  # a level may be above what the queue holds
    best = None
    for bits in itertools.product((False, True), repeat=frame.cell.devices):
        offload = np.array(bits)
        power = _powers_of_senders(frame, offload)  # who would send nothing is tried as one who computes
        local_frequency = np.where(offload, 0.0, frequency)
        charged = evaluate(frame, offload, power, local_frequency)
        objective = cut_to_limits(frame, offload, charged).objective if cell_levels else charged.objective
        if best is None or objective > best.objective:
            best = Optimum(objective, offload, power, local_frequency)
    assert best is not None
    return best


def with_gains_of(frame: Frame, subchannel: int) -> Frame:
    """The frame with each device's gain on a sub-channel."""
    gain = frame.channel_gain
    return frame if gain.ndim == 1 else frame._replace(channel_gain=np.ascontiguousarray(gain[:, subchannel]))


def evaluate_groups(
    frame: Frame, subchannel: NDArray[np.int64], transmit_power_w: Floats, cpu_frequency_hz: Floats
) -> Charged:
    """As `evaluate`, with offloaders that interfere on their own sub-channel only, -1 for local computing."""
    nobody = evaluate(with_gains_of(frame, 0), subchannel < -1, transmit_power_w, cpu_frequency_hz)
    rate, power = nobody.rate_mbps.copy(), nobody.power_w.copy()
    for k in range(frame.cell.subchannels):
        here = subchannel == k
        charged = evaluate(with_gains_of(frame, k), here, transmit_power_w, cpu_frequency_hz)
        rate[here], power[here] = charged.rate_mbps[here], charged.power_w[here]
    value, price = _values(frame)
    return Charged(rate, power, float(np.sum(value * rate - price * power)))


def best_groups(frame: Frame) -> float:
    """The best objective of all assignments of devices to sub-channels, each group with its best powers."""
    cell, frequency = frame.cell, best_frequencies(frame)
    local = evaluate(with_gains_of(frame, 0), np.zeros(cell.devices, np.bool_), np.zeros(cell.devices), frequency)
    groups = [
        np.array(bits)
        for bits in itertools.product((False, True), repeat=cell.devices)
        if sum(bits) <= cell.group_size_max
    ]
    best = {frozenset[int](): 0.0}  # by who offloads on the sub-channels so far
    for k in range(cell.subchannels):
        seen, before = with_gains_of(frame, k), best.copy()
        for group in groups:
            power = best_powers(seen, group)
            gain = evaluate(seen, group, power, np.where(group, 0.0, frequency)).objective - local.objective
            members = frozenset(np.flatnonzero(group).tolist())
            for others, worth in before.items():
                if not members & others:
                    both = members | others
                    best[both] = max(best.get(both, -np.inf), worth + gain)
    return local.objective + max(best.values())


def most_bits(frame: Frame) -> Floats:
    """Bits a second and Hz with which each device sends all that it may: queue, secured in time, and overhead.

    Without anything to send there is no overhead, either.
    """
    cell = frame.cell
    task_bits = np.minimum(frame.data_queue_mbit / cell.frame_s, cell.max_secured_mbps)
    overhead = np.where(task_bits > 0.0, cell.overhead_mbps, 0.0)
    return np.asarray((task_bits + overhead) / cell.uplink_mbps)


def _values(frame: Frame, offload: Bools | None = None) -> tuple[Floats, Floats]:
    """What a Mbit/s and a W of each device are worth in (17); of offloaders less the edge server's queues."""
    less = 0.0 if offload is None else np.where(offload, frame.cell.server_weight, 0.0)
    return rate_weights(frame) - less, frame.cell.nu * frame.energy_queue


def rate_weights(frame: Frame) -> Floats:
    """Q^β + V c of each device, for frames of one second; the same in proportion for others."""
    cell = frame.cell
    waiting_mbps = frame.data_queue_mbit / cell.frame_s
    return cell.frame_s * np.power(waiting_mbps, cell.queue_exponent) + cell.v * cell.weight


class _Chain(NamedTuple):
    """One decision in levels S/N0: arrays over its offloaders, the last decoded first."""

    log_coefficient: Floats  # of ln(level)
    coefficient: Floats  # of level
    growth: Floats  # highest factor to the next level, 2^{Q/BT}
    step: Floats  # highest difference to the next level, P_max h / N0

    @classmethod
    def of(cls, frame: Frame, devices: list[int]) -> _Chain:
        cell = frame.cell
        everyone = np.ones(frame.cell.devices, np.bool_)
        value, price = (values[devices] for values in _values(frame, everyone))
        secured = np.maximum(value - price * cell.circuit_energy_j_per_mbit[devices], 0.0)
        worth = secured * cell.uplink_mbps[devices] / np.log(2.0)
        cost = price * cell.noise_w / frame.channel_gain[devices]
        bits = most_bits(frame)[devices]
        return cls(
            worth - np.append(worth[1:], 0.0),
            cost - np.append(cost[1:], 0.0),
            np.exp2(np.minimum(bits, _NO_LIMIT_BITS)),
            cell.max_transmit_power_w[devices] * frame.channel_gain[devices] / cell.noise_w,
        )

    def limits(self, k: int) -> tuple[int, ...]:
        """The limits that the step to level k can be at; the queue's is never met where power is shorter."""
        queue = (_QUEUE,) if 1.0 < self.growth[k] <= 1.0 + self.step[k] else ()
        return (_NOTHING, *queue, _POWER)

    def highest(self, k: int, before: Floats) -> Floats:
        """The highest level k over each level `before` it."""
        return np.minimum(self.growth[k] * before, before + self.step[k])

    def value(self, first: int, level: Floats) -> Floats:
        """Objective of the levels from the k-th on, shape (points, levels)."""
        ks = slice(first, first + level.shape[1])
        return np.asarray(np.log(level) @ self.log_coefficient[ks] - level @ self.coefficient[ks])


def _best_levels(chain: _Chain) -> Floats:
    """The best levels: the best path through all groups that satisfy the optimality conditions."""
    size = chain.step.size
    if size == 0:
        return np.empty(0)
    # ending[k]: all partial solutions up to level k, as (levels of shape (points, k + 1), values)
    ending: list[tuple[Floats, Floats]] = []
    for last in range(size):
        fixed = _tied_to_noise(chain, last)
        level, value = [fixed], [chain.value(0, fixed)]
        for first in range(last + 1):
            group = _groups(chain, first, last)
            if first == 0:
                before, worth = np.ones((1, 1)), np.zeros(1)
            else:
                before, worth = ending[first - 1]
            start, end = group[:, 0], before[:, -1]
            fits = (start >= end[:, np.newaxis]) & (start <= chain.highest(first, end)[:, np.newaxis])
            total = np.where(fits, worth[:, np.newaxis], -np.inf)
            chosen = np.argmax(total, axis=0)
            kept = total[chosen, np.arange(start.size)] > -np.inf
            head = before[chosen[kept]] if first > 0 else np.empty((int(kept.sum()), 0))
            level.append(np.concatenate([head, group[kept]], axis=1))
            value.append(worth[chosen[kept]] + chain.value(first, group[kept]))
        ending.append((np.concatenate(level), np.concatenate(value)))
    level, value = ending[-1]
    return np.asarray(level[np.argmax(value)])


def _groups(chain: _Chain, first: int, last: int) -> Floats:
    """All feasible groups of levels first..last that hang together and satisfy the optimality conditions."""
    found = [np.empty((0, last - first + 1))]
    for limits in itertools.product(*(chain.limits(k) for k in range(first + 1, last + 1))):
        slope, offset = [1.0], [0.0]
        for k, limit in enumerate(limits, start=first + 1):
            factor = chain.growth[k] if limit == _QUEUE else 1.0
            slope.append(slope[-1] * factor)
            offset.append(offset[-1] * factor + (chain.step[k] if limit == _POWER else 0.0))
        start = _stationary(chain, first, np.array(slope), np.array(offset))
        corner = [
            (chain.step[k] / (chain.growth[k] - 1.0) - offset[k - first - 1]) / slope[k - first - 1]
            for k, limit in enumerate(limits, start=first + 1)
            if limit != _NOTHING and _QUEUE in chain.limits(k)  # queue and power bind at once: this fixes the level
        ]
        found.append(_followed(chain, first, np.append(start, [t for t in corner if t >= 1.0]), limits))
    return np.concatenate(found)


def _tied_to_noise(chain: _Chain, last: int) -> Floats:
    """All feasible levels 0..last that hang on the noise itself, every step at one of its limits."""
    ways = itertools.product(*(chain.limits(k) for k in range(last + 1)))
    return np.concatenate([_followed(chain, -1, np.ones(1), limits)[:, 1:] for limits in ways])


def _followed(chain: _Chain, first: int, start: Floats, limits: tuple[int, ...]) -> Floats:
    """Levels from each `start` on with every step at the limit given; the infeasible ones are left out."""
    level, fine = [start], np.ones(start.size, dtype=np.bool_)
    for k, limit in enumerate(limits, start=first + 1):
        before = level[-1]
        after = (before, chain.growth[k] * before, before + chain.step[k])[limit]
        fine &= after <= chain.highest(k, before)
        level.append(after)
    return np.stack(level, axis=1)[fine]


def _stationary(chain: _Chain, first: int, slope: Floats, offset: Floats) -> Floats:
    """Where the derivative of Σ C ln(A t + D) − E (A t + D) vanishes: t ≥ 1, ascending candidates.

    With z = D / A it is Σ C / (t + z) − Σ E A. A candidate that is not quite a root does no harm: it is only not
    the best, for its feasibility is checked as any other's.
    """
    ks = slice(first, first + slope.size)
    linear = float(chain.coefficient[ks] @ slope)
    shift, where = np.unique(offset / slope, return_inverse=True)
    weight = np.bincount(where, weights=chain.log_coefficient[ks])
    unit = max(1.0, float(shift.max()))  # levels span thirteen powers of ten
    shift = shift / unit
    polynomial = -linear * unit * np.poly(-shift)
    for j in range(shift.size):
        rest = np.atleast_1d(np.poly(-np.delete(shift, j)))
        polynomial[shift.size + 1 - rest.size :] += weight[j] * rest
    significant = np.flatnonzero(polynomial)
    if significant.size == 0:
        return np.empty(0)
    point = unit * np.unique(np.roots(polynomial[significant[0] :]).real)
    reachable = 1.0 + chain.step.sum()
    point = point[(point >= 1.0) & (point <= reachable)]
    polished = point
    for _ in range(4):  # Newton's method undoes the rounding of the polynomial
        gap = polished[:, np.newaxis] + unit * shift
        curvature = -np.sum(weight / gap**2, axis=1)
        slope_here = np.sum(weight / gap, axis=1) - linear
        move = np.divide(slope_here, curvature, out=np.zeros_like(curvature), where=curvature != 0.0)
        polished = np.clip(polished - move, 1.0, reachable)
    return np.unique(np.concatenate([point, polished]))
