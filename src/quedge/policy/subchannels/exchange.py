"""Local exchange: a device changes its sub-channel or its mode, takes another's place, or swaps with it."""

from __future__ import annotations

from typing import NamedTuple

from quedge.model.arrays import total_of
from quedge.model.frame import LOCAL
from quedge.model.kernels import kernel, without_refcount
from quedge.policy.subchannels.chains import Chains, row_of, terms_of
from quedge.policy.subchannels.groups import Groups, group_gain, put, with_place, without_place

LEAST_GAIN = 1e-9  # relative; less is rounding
_TRIALS = 1_000  # per device: bounds the time of a frame
_NOBODY = -1


class Move(NamedTuple):
    """What a device may do.

    Attributes:
        gain: what it gains.
        to: the sub-channel on which the device then offloads, or `LOCAL`.
        other: the device whose place it takes; -1 for none.
        swaps: whether that one takes its place in turn, rather than computing locally.
    """

    gain: float
    to: int
    other: int
    swaps: bool


@kernel
def _gain_without(chains: Chains, groups: Groups, i: int) -> float:
    """What the group of device i gains without it."""
    chains, groups = without_refcount((chains, groups))
    d = groups.subchannel[i]
    if d < 0:
        return 0.0
    place = chains.place[row_of(chains, d), i]
    count = without_place(groups.member[d], groups.sizes[d], place, groups.trial[0])
    return float(group_gain(terms_of(chains, d), groups.trial[0], count, groups.level) - groups.gain[d])


@kernel
def _gain_with(chains: Chains, groups: Groups, d: int, i: int, leaving: int) -> float:
    """What the group of sub-channel d gains with device i, and without another one that leaves it, if any."""
    chains, groups = without_refcount((chains, groups))
    c = row_of(chains, d)
    member, count = groups.member[d], groups.sizes[d]
    if leaving >= 0:
        count = without_place(member, count, chains.place[c, leaving], groups.trial[0])
        member = groups.trial[0]
    count = with_place(member, count, chains.place[c, i], groups.trial[1])
    return float(group_gain(terms_of(chains, d), groups.trial[1], count, groups.level) - groups.gain[d])


@kernel
def _best_move_to(chains: Chains, groups: Groups, i: int, d: int, left: float, best: Move) -> Move:
    """The better of a move and those of device i to sub-channel d, if its own group gains `left` by its leaving."""
    chains, groups = without_refcount((chains, groups))
    own, terms = groups.subchannel[i], terms_of(chains, d)
    if groups.sizes[d] < groups.most[0]:
        gain = left + _gain_with(chains, groups, d, i, _NOBODY)
        if gain > best.gain:
            best = Move(gain, d, _NOBODY, False)
    for m in range(groups.sizes[d]):
        other = terms.device[groups.member[d, m]]
        taken = _gain_with(chains, groups, d, i, other)
        if left + taken > best.gain:
            best = Move(left + taken, d, other, False)
        if own >= 0 and other > i:  # the other way round it is the same
            gain = taken + _gain_with(chains, groups, own, other, i)
            if gain > best.gain:
                best = Move(gain, d, other, True)
    return best


@kernel
def _best_move(chains: Chains, groups: Groups, i: int, least: float) -> Move:
    """The move of device i that gains most, if more than `least`; else to where it is."""
    chains, groups = without_refcount((chains, groups))
    own = groups.subchannel[i]
    best = Move(least, own, _NOBODY, False)
    left = _gain_without(chains, groups, i)
    if own >= 0 and left > best.gain:
        best = Move(left, LOCAL, _NOBODY, False)
    tried_empty = False
    for d in range(groups.sizes.size):
        is_empty = groups.sizes[d] == 0 and chains.device.shape[0] == 1  # of several such, one is as good as another
        if d == own or (is_empty and tried_empty):
            continue
        tried_empty = tried_empty or is_empty
        best = _best_move_to(chains, groups, i, d, left, best)
    return best


@kernel
def _carry_out(chains: Chains, groups: Groups, i: int, move: Move) -> None:
    own = groups.subchannel[i]
    put(chains, groups, i, LOCAL)
    if move.other >= 0:
        put(chains, groups, move.other, own if move.swaps else LOCAL)
    put(chains, groups, i, move.to)


@kernel
def exchange(chains: Chains, groups: Groups) -> float:
    """Let one device after the other make its best move until none gains, or too many were tried.

    Returns:
        What all groups gain over computing locally.
    """
    chains, groups = without_refcount((chains, groups))
    n, trials, still, i = groups.subchannel.size, 0, 0, 0
    scale = abs(total_of(chains.local_value[0]))
    while still < n and trials < _TRIALS * n:
        move = _best_move(chains, groups, i, LEAST_GAIN * (scale + total_of(groups.gain)))
        trials += groups.sizes.size + 2 * groups.sizes.sum()
        still += 1
        if move.to != groups.subchannel[i]:
            _carry_out(chains, groups, i, move)
            still = 0
        i = (i + 1) % n
    return float(total_of(groups.gain))
