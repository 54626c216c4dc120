"""Rules of the literature that assign sub-channels without a search: one a device, strong with weak, or in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quedge.allocation.greedy import greedy_level
from quedge.model.arrays import ascending_order
from quedge.model.frame import LOCAL, PackedFrame, unpacked_frame
from quedge.model.kernels import Bools, Floats, Ints, kernel
from quedge.model.terms import Terms, step_objective
from quedge.policy.compiled import Compiled, own_settings
from quedge.policy.subchannels.chains import Chains, frame_chains, row_of, terms_of
from quedge.policy.subchannels.groups import Groups, no_groups, put, tell_groups

OFDMA, STRONG_WEAK, ROUND_ROBIN = 0, 1, 2
RULES = 3


@kernel
def alone_gain(terms: Terms, k: int) -> float:
    """What device k gains over computing locally, alone on its sub-channel."""
    return float(step_objective(terms, k, 1.0, greedy_level(terms, k, 1.0)) - terms.local_value[k])


@kernel
def _alone_gains(chains: Chains) -> Floats:
    """`alone_gain` of the frame's devices in each chain, shape (chains, devices)."""
    gain = np.empty((chains.place.shape[0], chains.place.shape[1]))
    for c in range(gain.shape[0]):
        terms = terms_of(chains, c)
        for i in range(gain.shape[1]):
            gain[c, i] = alone_gain(terms, chains.place[c, i])
    return gain


@kernel
def _chosen(gain: Floats, most: int) -> Ints:
    """The devices that gain most alone on their best sub-channel, at most so many, in the order of their numbers."""
    loss = np.empty(gain.shape[1])
    for i in range(loss.size):
        loss[i] = -gain[:, i].max()
    order = ascending_order(loss)
    taken = np.zeros(loss.size, np.bool_)
    for position in range(min(most, loss.size)):
        taken[order[position]] = loss[order[position]] < 0.0
    return np.flatnonzero(taken)


@kernel
def _one_each(chains: Chains, groups: Groups, gain: Floats) -> None:
    """The device and the sub-channel that gain most, one after the other, until all of either are taken."""
    for _ in range(groups.sizes.size):
        best, device, place = 0.0, -1, -1
        for d in range(groups.sizes.size):
            if groups.sizes[d] > 0:
                continue
            for i in range(groups.subchannel.size):
                if groups.subchannel[i] < 0 and gain[row_of(chains, d), i] > best:
                    best, device, place = gain[row_of(chains, d), i], i, d
            if gain.shape[0] == 1:  # the others that are free are alike
                break
        if device < 0:
            break
        put(chains, groups, device, place)


@kernel
def _strong_with_weak(chains: Chains, groups: Groups, gain: Floats) -> None:
    """The strongest with the weakest, the second with the last but one, until the rest have a sub-channel each.

    Each pair takes the best sub-channel that is left.
    """
    subchannels = groups.sizes.size
    chosen = _chosen(gain, min(groups.most[0], 2) * subchannels)
    strength = np.zeros(chosen.size)
    for position in range(chosen.size):  # by their places in the chains
        strength[position] = chains.place[:, chosen[position]].sum()
    order = ascending_order(strength)
    pairs = chosen.size - subchannels  # who need not share does not
    low, high = 0, chosen.size - 1
    while low <= high:
        weak, strong = chosen[order[low]], chosen[order[high]]
        best, place = -np.inf, -1
        for d in range(subchannels):
            c = row_of(chains, d)
            if groups.sizes[d] == 0 and gain[c, weak] + gain[c, strong] > best:
                best, place = gain[c, weak] + gain[c, strong], d
        put(chains, groups, strong, place)
        high -= 1
        if pairs > 0:
            put(chains, groups, weak, place)
            low += 1
            pairs -= 1


@kernel
def _in_turn(chains: Chains, groups: Groups, gain: Floats) -> None:
    """Those who gain most, in the order of their numbers, on one sub-channel after the other."""
    chosen = _chosen(gain, groups.most[0] * groups.sizes.size)
    for position in range(chosen.size):
        put(chains, groups, chosen[position], position % groups.sizes.size)


@kernel
def _leave_losers(chains: Chains, groups: Groups) -> None:
    """Have those compute locally who gain nothing at the level that they would start from."""
    for d in range(groups.sizes.size):
        terms = terms_of(chains, d)
        before, m = 1.0, 0
        while m < groups.sizes[d]:
            k = groups.member[d, m]
            level = greedy_level(terms, k, before)
            if step_objective(terms, k, before, level) > terms.local_value[k]:
                before = level
                m += 1
            else:
                put(chains, groups, terms.device[k], LOCAL)


@kernel
def groups_by_rule(chains: Chains, groups: Groups, rule: int) -> None:
    """Assign sub-channels, of which none has been assigned, by a rule."""
    gain = _alone_gains(chains)
    if rule == OFDMA:
        _one_each(chains, groups, gain)
    elif rule == STRONG_WEAK:
        _strong_with_weak(chains, groups, gain)
    else:
        _in_turn(chains, groups, gain)
    _leave_losers(chains, groups)


@kernel
def _by_rule(packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats) -> None:
    frame = unpacked_frame(*packed)
    chains = frame_chains(frame)
    groups = no_groups(offload.size, frame.cell.subchannels, frame.cell.group_size_max)
    groups_by_rule(chains, groups, int(own[0]))
    tell_groups(chains, frame, groups, False, offload, powers, told)


@dataclass(frozen=True)
class Ofdma(Compiled):
    """At most one device on a sub-channel: those who gain most, each on the best sub-channel that is left.

    Example:
        >>> cell = quedge.Scenario(devices=5, subchannels=2, group_size_max=2)
        >>> gain, queue = [2e-11, 9e-12, 4e-12, 2e-12, 1e-12], [5, 9, 7, 4, 8]
        >>> print(quedge.decide(cell, gain, queue, [0] * 5, policy=quedge.Ofdma()).subchannel)
        [-1  0  1 -1 -1]

    Source: orthogonal frequency-division multiple access, the scheme that NOMA is compared with.
    """

    kernel: ClassVar = _by_rule
    assigns_subchannels: ClassVar = True

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(float(OFDMA))


@dataclass(frozen=True)
class StrongWeak(Compiled):
    """Pairs: of the devices that gain most the strongest with the weakest, the second with the last but one.

    Where there are fewer than two a sub-channel, only as many pairs as it takes. Powers are greedy on each sub-channel;
    who gains nothing at the level that it would start from computes locally.

    Example:
        >>> cell = quedge.Scenario(devices=5, subchannels=2, group_size_max=2)
        >>> gain, queue = [2e-11, 9e-12, 4e-12, 2e-12, 1e-12], [5, 9, 7, 4, 8]
        >>> print(quedge.decide(cell, gain, queue, [0] * 5, policy=quedge.StrongWeak()).subchannel)
        [ 0 -1  1 -1  0]

    Source: Z. Ding, P. Fan, H. V. Poor, Impact of user pairing on 5G nonorthogonal multiple-access downlink
    transmissions, IEEE Transactions on Vehicular Technology 65(8), 2016, for pairs of unlike gains.
    """

    kernel: ClassVar = _by_rule
    assigns_subchannels: ClassVar = True

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(float(STRONG_WEAK))


@dataclass(frozen=True)
class RoundRobin(Compiled):
    """The devices that gain most, as many as there is room for, on one sub-channel after the other by their numbers.

    Powers are greedy on each sub-channel; who gains nothing at the level that it would start from computes locally.

    Example:
        >>> cell = quedge.Scenario(devices=5, subchannels=2, group_size_max=2)
        >>> gain, queue = [2e-11, 9e-12, 4e-12, 2e-12, 1e-12], [5, 9, 7, 4, 8]
        >>> print(quedge.decide(cell, gain, queue, [0] * 5, policy=quedge.RoundRobin()).subchannel)
        [-1 -1  0 -1  1]
    """

    kernel: ClassVar = _by_rule
    assigns_subchannels: ClassVar = True

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(float(ROUND_ROBIN))
