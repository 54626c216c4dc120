"""Groups of offloaders, one a sub-channel: what they gain at their best levels, and what is decided with them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from quedge.allocation.greedy import greedy_level
from quedge.model.arrays import copy_into
from quedge.model.frame import LOCAL, Frame
from quedge.model.kernels import Bools, Floats, Ints, inner_kernel, kernel, without_refcount
from quedge.model.terms import Terms, highest_level, step_objective, transmit_power
from quedge.model.uplink import best_local_frequency, frame_objective, local_outcome, offloading_outcome
from quedge.policy.compiled import OBJECTIVE, OK, STATUS, UPPER_BOUND
from quedge.policy.exact.path import (
    Offloaders,
    first_free,
    group_slope,
    group_value,
    lowest_start,
    polish,
    room_to_move,
)
from quedge.policy.subchannels.chains import Chains, row_of, terms_of

_SWEEPS = 4
_HALVINGS = 14  # of a level in the search; the levels of what is decided are refined further
_STILL = 1e-4  # relative; a level that moves by less has come to rest


class Groups(NamedTuple):
    """Who offloads on which sub-channel.

    Attributes:
        subchannel: of each device its sub-channel, `LOCAL` where it computes locally; shape (devices,).
        member: of each sub-channel its offloaders by their places in its chain, ascending; shape (sub-channels, most),
            of which `sizes` are used.
        sizes: number of offloaders on each; shape (sub-channels,).
        gain: what each group gains over computing locally; shape (sub-channels,).
        most: how many may share a sub-channel, in its only element.
        level: room for the levels of a group.
        trial: room for the members of two groups.
    """

    subchannel: Ints
    member: Ints
    sizes: Ints
    gain: Floats
    most: Ints
    level: Floats
    trial: Ints


@kernel
def no_groups(devices: int, subchannels: int, group_size_max: int) -> Groups:
    """Everybody computes locally; with room for groups."""
    most = min(group_size_max, devices)
    return Groups(
        np.full(devices, LOCAL),
        np.empty((subchannels, most), np.int64),
        np.zeros(subchannels, np.int64),
        np.zeros(subchannels),
        np.full(1, most),
        np.empty(most + 2),
        np.empty((2, most + 1), np.int64),
    )


@kernel
def copy_groups(target: Groups, groups: Groups) -> None:
    """Overwrite groups by others of the same frame."""
    copy_into(target.subchannel, groups.subchannel)
    copy_into(target.sizes, groups.sizes)
    copy_into(target.gain, groups.gain)
    for d in range(groups.sizes.size):
        for m in range(groups.sizes[d]):
            target.member[d, m] = groups.member[d, m]


@kernel
def _levels_gain(terms: Terms, member: Ints, count: int, level: Floats) -> float:
    """What a group gains at its levels over computing locally."""
    total = 0.0
    for m in range(count):
        total += step_objective(terms, member[m], level[m], level[m + 1]) - terms.local_value[member[m]]
    return total


@kernel
def _greedy_levels(terms: Terms, member: Ints, count: int, level: Floats) -> None:
    level[0] = 1.0
    for m in range(count):
        level[m + 1] = greedy_level(terms, member[m], level[m])


@kernel
def _better_level(terms: Terms, offloaders: Offloaders, m: int) -> float:
    """The best level after member m while its neighbours' stay, of its part α ln s − β s."""
    member, level = offloaders.place, offloaders.level
    alpha, beta, here = offloaders.alpha[m], offloaders.beta[m], level[m + 1]
    low, high = level[m], highest_level(terms, member[m], level[m])
    if m + 1 < member.size:
        low = max(low, lowest_start(terms, member[m + 1], level[m + 2]))
        high = min(high, level[m + 2])
    if high <= low:
        return float(here)
    if alpha > 0.0 and beta > 0.0:
        best = min(max(alpha / beta, low), high)
    elif alpha * math.log(high / low) > beta * (high - low):  # convex or monotone: an end
        best = high
    else:
        best = low
    rises = alpha * math.log(best / here) > beta * (best - here)
    return float(best if rises and abs(best - here) > _STILL * here else here)


@kernel
def _better_tied_level(terms: Terms, offloaders: Offloaders, m: int, free: int) -> float:
    """A better level after member m with those that are tied to it, which stand before `free`; about the best one."""
    here = offloaders.level[m + 1]
    low, high = room_to_move(terms, offloaders, m, free)
    up = group_slope(terms, offloaders, m, free, here) > 0.0
    rising, falling = here, max(high, here) if up else min(low, here)
    if rising == falling:
        return float(here)
    if (group_slope(terms, offloaders, m, free, falling) > 0.0) == up:
        rising = falling
    for _ in range(_HALVINGS if rising != falling else 0):
        middle = 0.5 * (rising + falling)
        if (group_slope(terms, offloaders, m, free, middle) > 0.0) == up:
            rising = middle
        else:
            falling = middle
    before = group_value(terms, offloaders, m, free, here)
    gains = group_value(terms, offloaders, m, free, rising) > before
    return float(rising if gains and abs(rising - here) > _STILL * here else here)


@kernel
def _climb_levels(terms: Terms, member: Ints, level: Floats) -> None:
    """Improve the levels of a group, one after the other, each with those that are tied to it at their limits."""
    count = member.size
    alpha, beta = np.empty(count), np.empty(count)
    for m in range(count):
        alpha[m], beta[m] = terms.rate_value[member[m]], terms.level_price[member[m]]
        if m > 0:
            alpha[m - 1] -= alpha[m]
            beta[m - 1] -= beta[m]
    offloaders = Offloaders(member, alpha, beta, level)
    moved, sweep = True, 0
    while moved and sweep < _SWEEPS:
        moved = False
        for m in range(count - 1, -1, -1):
            free = first_free(terms, offloaders, m)
            better = _better_level(terms, offloaders, m)
            if free > m + 1:
                better = _better_tied_level(terms, offloaders, m, free)
                ceiling = level[free + 1] if free < count else math.inf  # rounding may not carry over who stays
                end = better
                for q in range(m + 1, free if better != level[m + 1] else m):
                    end = min(highest_level(terms, member[q], end), ceiling)
                    level[q + 1] = end
            moved = moved or better != level[m + 1]
            level[m + 1] = better
        sweep += 1


@kernel
def group_gain(terms: Terms, member: Ints, count: int, level: Floats) -> float:
    """What a group gains over computing locally: by greedy levels, then each in turn where it is best; fills `level`.

    Args:
        terms: the sub-channel's chain.
        member: places of the members, ascending.
        count: their number.
        level: filled with the level before the first, 1, and after each.
    """
    terms, member, level = without_refcount((terms, member, level))
    _greedy_levels(terms, member, count, level)
    greedy = _levels_gain(terms, member, count, level)
    if count < 2:
        return greedy
    _climb_levels(terms, member[:count], level[: count + 1])
    gain = _levels_gain(terms, member, count, level)
    if gain < greedy:  # below the overhead of key exchange a level brings nothing, which the climb does not see
        _greedy_levels(terms, member, count, level)
        gain = greedy
    return gain


@kernel
def with_place(member: Ints, count: int, place: int, found: Ints) -> int:
    """Fill `found` with the members and one more; their number."""
    m = 0
    while m < count and member[m] < place:
        found[m] = member[m]
        m += 1
    found[m] = place
    for q in range(m, count):
        found[q + 1] = member[q]
    return count + 1


@kernel
def without_place(member: Ints, count: int, place: int, found: Ints) -> int:
    """Fill `found` with the members but one; their number."""
    left = 0
    for m in range(count):
        if member[m] != place:
            found[left] = member[m]
            left += 1
    return left


@kernel
def put(chains: Chains, groups: Groups, i: int, subchannel: int) -> None:
    """Have device i offload on a sub-channel, or with `LOCAL` compute locally, wherever it was."""
    chains, groups = without_refcount((chains, groups))
    before = groups.subchannel[i]
    if before >= 0:
        place = chains.place[row_of(chains, before), i]
        groups.sizes[before] = without_place(groups.member[before], groups.sizes[before], place, groups.member[before])
        _measure(chains, groups, before)
    if subchannel >= 0:
        place = chains.place[row_of(chains, subchannel), i]
        count = with_place(groups.member[subchannel], groups.sizes[subchannel], place, groups.trial[0])
        for m in range(count):
            groups.member[subchannel, m] = groups.trial[0, m]
        groups.sizes[subchannel] = count
        _measure(chains, groups, subchannel)
    groups.subchannel[i] = subchannel


@inner_kernel
def _measure(chains: Chains, groups: Groups, d: int) -> None:
    groups.gain[d] = group_gain(terms_of(chains, d), groups.member[d], groups.sizes[d], groups.level)


@kernel
def tell_groups(
    chains: Chains, frame: Frame, groups: Groups, refines: bool, offload: Bools, powers: Floats, told: Floats
) -> None:
    """Fill in what a policy's kernel tells, without a bound.

    Args:
        chains: the frame's chains.
        frame: the frame.
        groups: who offloads where.
        refines: whether levels are refined beyond the greedy ones.
        offload: filled in, as by a kernel of `Compiled`.
        powers: filled in.
        told: filled in.
    """
    cell, queue, count = frame.cell, frame.data_queue_mbit, chains.device.shape[0]
    for i in range(offload.size):
        offload[i] = groups.subchannel[i] >= 0
        if not offload[i]:
            frequency = best_local_frequency(cell, i, queue[i], frame.energy_queue[i])
            rate, power = local_outcome(cell, i, frequency, queue[i])
            powers[0, i], powers[1, i], powers[2, i], powers[3, i] = 0.0, frequency, rate, power
        if powers.shape[0] > 4:
            powers[4, i] = groups.subchannel[i]
    for d in range(groups.sizes.size):
        terms, before = terms_of(chains, d), 1.0
        _fill_levels(terms, groups, d, refines)
        for m in range(groups.sizes[d]):
            i, level = terms.device[groups.member[d, m]], groups.level[m + 1]
            gain = frame.channel_gain[i * count + row_of(chains, d)]
            transmit = transmit_power(cell, i, gain, before, level)
            uplink_rate = cell.uplink_mbps[i] * math.log(level / before) / math.log(2.0)  # eq. (28)
            rate, power = offloading_outcome(cell, i, uplink_rate, transmit, queue[i])
            powers[0, i], powers[1, i], powers[2, i], powers[3, i] = transmit, 0.0, rate, power
            before = level
    told[OBJECTIVE] = frame_objective(cell, queue, frame.energy_queue, offload, powers[2], powers[3])
    told[UPPER_BOUND], told[STATUS] = np.nan, OK


@kernel
def _fill_levels(terms: Terms, groups: Groups, d: int, refines: bool) -> None:
    """Fill in the levels of a group: greedy ones, or as good as they get."""
    member, count, level = groups.member[d], groups.sizes[d], groups.level
    if not refines:
        _greedy_levels(terms, member, count, level)
        return
    group_gain(terms, member, count, level)
    offload, after = np.zeros(terms.device.size, np.bool_), np.ones(terms.device.size)
    for m in range(count):
        offload[member[m]] = True
        after[member[m]] = level[m + 1]
    polish(terms, offload, after)
    for m in range(count):
        level[m + 1] = after[member[m]]
