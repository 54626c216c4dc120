"""How long data waits: delays of single bits, first come, first served."""

from __future__ import annotations

import numpy as np

from quedge.model.compiled import Floats, kernel
from quedge.simulation.trace import Trace


def delay_percentile(trace: Trace, percent: float = 95.0, first_frame: int = 0) -> float:
    """A percentile of the delay of all bits that arrived from a frame on, over all devices.

    Each queue is served first come, first served. A bit that arrives during frame t can be processed from frame t + 1
    on, with a delay of one frame, so that the mean delay is the mean queue over the mean arrivals a frame (Little's
    law). Bits that still wait at the end count with the time that they have waited by then, which is less than their
    delay will be: where queues grow without bound, the percentile is a lower bound.

    Args:
        trace: the run.
        percent: which percentile, from 0 to 100.
        first_frame: bits that arrived before this frame do not count.

    Returns:
        The smallest delay (frames) that `percent` of the bits do not exceed; 0 where nothing arrived.
    """
    mbit_of_delay = delay_histogram(trace.arrival_mbit, trace.rate_mbps * trace.scenario.frame_s, first_frame)
    cumulated = np.cumsum(mbit_of_delay)
    if cumulated[-1] <= 0.0:
        return 0.0
    return float(np.searchsorted(cumulated, cumulated[-1] * min(percent / 100.0, 1.0 - 1e-12)))


@kernel
def delay_histogram(arrival_mbit: Floats, processed_mbit: Floats, first_frame: int) -> Floats:
    """How much data (Mbit) had each delay of 0, 1, 2 ... frames; arguments of shape (frames, devices)."""
    frames, devices = arrival_mbit.shape
    mbit_of_delay = np.zeros(frames + 1)
    for i in range(devices):
        oldest = 0  # frame in which the data arrived that is served next
        left = arrival_mbit[0, i]  # what of it still waits
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
    return mbit_of_delay
