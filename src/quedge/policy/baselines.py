"""Policies without learning: what any learner has to beat. All allocate greedily."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quedge.allocation.greedy import greedy_levels
from quedge.model.frame import LOCAL, Frame, PackedFrame, unpacked_frame
from quedge.model.kernels import Bools, Floats, inner_kernel, kernel
from quedge.model.terms import frame_terms, powers_of_levels
from quedge.policy.compiled import Compiled, own_settings, tell


@inner_kernel
def _at_the_best(frame: Frame) -> Frame:
    """The frame with each device's gain on its best sub-channel, for those who offload alone."""
    n = frame.data_queue_mbit.size
    if frame.channel_gain.size == n:
        return frame
    each = frame.channel_gain.size // n
    best = np.empty(n)
    for i in range(n):
        best[i] = frame.channel_gain[i * each : (i + 1) * each].max()
    return Frame(frame.cell, best, frame.data_queue_mbit, frame.energy_queue)


@inner_kernel
def _tell_the_best(frame: Frame, offload: Bools, powers: Floats) -> None:
    """Tell the sub-channel of each offloader: its best one."""
    each = frame.channel_gain.size // offload.size
    for i in range(offload.size if powers.shape[0] > 4 else 0):
        powers[4, i] = np.argmax(frame.channel_gain[i * each : (i + 1) * each]) if offload[i] else LOCAL


@kernel
def _toss(packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats) -> None:
    """A device offloads where the number drawn is below its own; where none is drawn, 0 is."""
    given = unpacked_frame(*packed)
    frame = _at_the_best(given)
    terms = frame_terms(*frame)
    n = terms.device.size
    chosen, level = np.empty(n, np.bool_), np.empty(n)
    for k in range(n):
        chosen[k] = (drawn[terms.device[k]] if drawn.size > 0 else 0.0) < own[0]
    objective = greedy_levels(terms, chosen, level)
    tell(powers_of_levels(terms, frame, chosen, level), objective, offload, powers, told)
    _tell_the_best(given, offload, powers)


@dataclass(frozen=True)
class AllLocal(Compiled):
    """Every device computes locally.

    Example:
        >>> decision = quedge.AllLocal().decide(frame, rng)
        >>> print(decision.offload, decision.cpu_frequency_hz / 1e6)
        [False False False] [300. 300. 300.]
    """

    kernel: ClassVar = _toss
    assigns_subchannels: ClassVar = True

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(0.0)


@dataclass(frozen=True)
class AllOffload(Compiled):
    """Every device offloads.

    Example:
        >>> decision = quedge.AllOffload().decide(frame, rng)
        >>> print(decision.offload, decision.transmit_power_w.round(4))
        [ True  True  True] [0.1    0.1    0.0477]
    """

    kernel: ClassVar = _toss

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(1.0)


@dataclass(frozen=True)
class Random(Compiled):
    """Each device offloads by the toss of a coin.

    Attributes:
        probability: chance that a device offloads, from 0 to 1.

    Example:
        >>> run = quedge.simulate(quedge.Scenario(devices=4), quedge.Random(probability=0.25), frames=100, seed=1)
        >>> print(run.offload.mean())
        0.235
    """

    probability: float = 0.5
    kernel: ClassVar = _toss

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"probability: {self.probability!r} is not allowed; it must lie from 0 to 1")

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(self.probability)

    def random_numbers(self, devices: int) -> int:
        """See `Compiled.random_numbers`."""
        return devices


@kernel
def _best_up_to(packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats) -> None:
    """The best greedy allocation with at most own[0] (0, 1 or 2) offloading devices."""
    given = unpacked_frame(*packed)
    frame = _at_the_best(given)
    terms = frame_terms(*frame)
    n = terms.device.size
    chosen = np.zeros(n, np.bool_)
    level = np.empty(n)
    best = greedy_levels(terms, chosen, level)
    first = second = -1
    for i in range(n if own[0] > 0.0 else 0):
        chosen[i] = True
        objective = greedy_levels(terms, chosen, level)
        if objective > best:
            best, first, second = objective, i, i
        for j in range(i + 1, n if own[0] > 1.0 else 0):
            chosen[j] = True
            objective = greedy_levels(terms, chosen, level)
            if objective > best:
                best, first, second = objective, i, j
            chosen[j] = False
        chosen[i] = False
    if first >= 0:
        chosen[first] = True
        chosen[second] = True
    best = greedy_levels(terms, chosen, level)
    tell(powers_of_levels(terms, frame, chosen, level), best, offload, powers, told)
    _tell_the_best(given, offload, powers)


@dataclass(frozen=True)
class BestSingle(Compiled):
    """The best of all decisions in which at most one device offloads: N + 1 greedy allocations.

    Example:
        >>> print(quedge.BestSingle().decide(frame, rng).offload)
        [False  True False]
    """

    kernel: ClassVar = _best_up_to
    assigns_subchannels: ClassVar = True

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(1.0)


@dataclass(frozen=True)
class BestPair(Compiled):
    """The best of all decisions in which at most two devices offload: O(N²) greedy allocations.

    Example:
        >>> print(quedge.BestPair().decide(frame, rng).offload)
        [ True  True False]
    """

    kernel: ClassVar = _best_up_to

    def own_numbers(self, devices: int) -> Floats:
        """See `Compiled.own_numbers`."""
        return own_settings(2.0)
