"""How long bits wait, first come, first served: percentiles, the distribution, and those that are late."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quedge.model.kernels import Floats, inner_kernel, kernel
from quedge.simulation.trace import Trace

_ROUNDING = 1e-9  # relative, of a deadline that is a whole number of frames


def delay_percentile(trace: Trace, percent: float = 95.0, first_frame: int = 0) -> float:
    """A percentile of the delay of all bits that arrived from a frame on, over all devices.

    Each queue is first come, first served. A bit that arrives during frame t can be processed from frame t + 1 on, with
    a delay of one frame, so that the mean delay is the mean queue over the mean arrivals per frame (Little's law). Bits
    that still wait at the end count with their waiting time so far: where queues grow without bound, the percentile is
    a lower bound.

    Args:
        trace: the run.
        percent: which percentile, from 0 to 100.
        first_frame: bits that arrived before this frame do not count.

    Returns:
        The smallest delay (frames) that `percent` of the bits do not exceed; 0 where nothing arrived.
    """
    return percentile_of(delay_distribution(trace, first_frame), percent)


def delay_distribution(trace: Trace, first_frame: int = 0) -> NDArray[np.float64]:
    """Share of the bits whose delay is at most 0, 1, 2 ... frames; which bits and what delay: see `delay_percentile`.

    Args:
        trace: the run.
        first_frame: bits that arrived before this frame do not count.

    Returns:
        Rising shares, the last of them 1, shape (frames + 1,) at most; all bits count as served at once where nothing
        arrived.
    """
    mbit_of_delay = delay_histogram(trace.arrival_mbit, trace.rate_mbps * trace.scenario.frame_s, first_frame)
    cumulated = np.cumsum(mbit_of_delay)
    if cumulated[-1] <= 0.0:
        return np.ones(1)
    return np.asarray(cumulated[: int(np.flatnonzero(mbit_of_delay)[-1]) + 1] / cumulated[-1])


def percentile_of(distribution: NDArray[np.float64], percent: float) -> float:
    """The smallest delay that `percent` of the bits do not exceed (frames)."""
    return float(np.searchsorted(distribution, min(percent / 100.0, 1.0 - 1e-12)))


def deadline_violation_ratio(trace: Trace, first_frame: int = 0) -> float:
    """Share of the bits that waited longer than their device's deadline, over all devices; 0 without deadlines.

    Bits that still wait at the end are late once they have waited for longer: where queues grow without bound, the
    share is a lower bound.

    Args:
        trace: the run.
        first_frame: bits that arrived before this frame do not count.
    """
    scenario = trace.scenario
    if scenario.deadline_s is None:
        return 0.0
    in_time = np.floor(scenario.per_device("deadline_s") / scenario.frame_s * (1.0 + _ROUNDING))  # frames
    return _late_share(trace.arrival_mbit, trace.rate_mbps * scenario.frame_s, first_frame, in_time)


@kernel
def delay_histogram(arrival_mbit: Floats, processed_mbit: Floats, first_frame: int) -> Floats:
    """Data (Mbit) by delay of 0, 1, 2 ... frames; arguments of shape (frames, devices)."""
    mbit_of_delay = np.zeros(arrival_mbit.shape[0] + 1)
    for i in range(arrival_mbit.shape[1]):
        _add_delays(arrival_mbit, processed_mbit, first_frame, i, mbit_of_delay)
    return mbit_of_delay


@kernel
def _late_share(arrival_mbit: Floats, processed_mbit: Floats, first_frame: int, in_time: Floats) -> float:
    """Share of the data whose delay is more frames than its device's `in_time`; 0 where nothing arrived."""
    frames, devices = arrival_mbit.shape
    late, total = 0.0, 0.0
    for i in range(devices):
        mbit_of_delay = np.zeros(frames + 1)
        _add_delays(arrival_mbit, processed_mbit, first_frame, i, mbit_of_delay)
        for delay in range(frames + 1):
            total += mbit_of_delay[delay]
            if delay > in_time[i]:
                late += mbit_of_delay[delay]
    return late / total if total > 0.0 else 0.0


@inner_kernel
def _add_delays(arrival_mbit: Floats, processed_mbit: Floats, first_frame: int, i: int, mbit_of_delay: Floats) -> None:
    """Add the data of device i to the data by delay."""
    frames = arrival_mbit.shape[0]
    oldest = 0  # frame whose arrivals are served next
    left = arrival_mbit[0, i]  # of them, still waiting
    for t in range(1, frames):
        capacity = processed_mbit[t, i]
        while oldest < t and capacity > 0.0:
            served = min(left, capacity)
            if oldest >= first_frame:
                mbit_of_delay[t - oldest] += served
            capacity -= served
            left -= served
            if left <= 0.0:
                oldest += 1
                left = arrival_mbit[oldest, i]
    while oldest < frames:
        if oldest >= first_frame:
            mbit_of_delay[frames - oldest] += left
        oldest += 1
        if oldest < frames:
            left = arrival_mbit[oldest, i]
