"""What is measured of a run: means, percentiles and delays."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.model.cell import cell_of
from quedge.model.kernels import Floats, kernel
from quedge.policy.exact import exact_objectives
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


_YARDSTICK_TOLERANCE = 1e-4  # relative; how close the yardstick of `objective_ratio` is to the true optimum
_ROUNDING = 1e-9  # relative; a rate falls short of what was promised only by more than this


@dataclass(frozen=True)
class Summary:
    """Means over the devices and over the frames after the warm-up, unless said.

    Attributes:
        devices: number of devices.
        frames: number of frames, warm-up included.
        seed: seed of the random streams.
        data_queue_mbit: data queue at the start of a frame (Mbit).
        data_queue_p95_mbit: its 95th percentile over devices and frames (Mbit).
        energy_queue: virtual energy queue at the start of a frame.
        weighted_rate_mbps: Σ c r (Mbit/s).
        arrivals_weighted_mbps: Σ c A / T (Mbit/s); the rate of any policy that keeps its queues stable.
        power_w: power a device (W).
        power_max_device_w: the largest mean power of a device (W).
        offload_ratio: share of devices that offload.
        delay_frames: mean queue over mean arrivals a frame (Little's law); 0 where nothing arrives.
        delay_p95_frames: 95th percentile of the delay of what arrived after the warm-up; see `delay_percentile`.
        objective_ratio: objective (17) over its optimum in the frame as the policy saw it: both with the estimates of
            the channel and with perfect cancellation. Where the world is as assumed, that is what was reached.
        delivered_ratio: objective that was reached over that optimum.
        unsupported_ratio: share of the offloading devices' frames in which the true channel carried less than promised.
        decision_us_p50: median time of a decision (µs).
        decision_us_p99: 99th percentile of the time of a decision (µs).
        wall_s: wall time of the whole run (s).
    """

    devices: int
    frames: int
    seed: int
    data_queue_mbit: float
    data_queue_p95_mbit: float
    energy_queue: float
    weighted_rate_mbps: float
    arrivals_weighted_mbps: float
    power_w: float
    power_max_device_w: float
    offload_ratio: float
    delay_frames: float
    delay_p95_frames: float
    objective_ratio: float
    delivered_ratio: float
    unsupported_ratio: float
    decision_us_p50: float
    decision_us_p99: float
    wall_s: float


def first_settled_frame(frames: int, warmup: float) -> int:
    """The first frame after the warm-up; at least the last frame is measured.

    Raises:
        ValueError: `warmup` is not from 0 to below 1.
    """
    if not 0.0 <= warmup < 1.0:
        raise ValueError(f"warmup: {warmup!r} is not allowed; it must be at least 0 and below 1")
    return min(int(warmup * frames), frames - 1)


def summarise(trace: Trace, warmup: float = 0.5, optimum: NDArray[np.float64] | None = None) -> Summary:
    """Measure a run.

    Args:
        trace: the run.
        warmup: share of the frames to leave out at the start, from 0 to below 1.
        optimum: `frame_optima` of the run, where they are known already.

    Returns:
        What was measured; every value is finite.

    Raises:
        ValueError: `warmup` is out of its range.
        OverflowError: the scenario's values are so large that a measure is infinite or undefined.
    """
    settled = slice(first_settled_frame(trace.frames, warmup), None)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below, by its name
        summary = _measured(trace, settled, frame_optima(trace, settled) if optimum is None else optimum[settled])
    for name, value in dataclasses.asdict(summary).items():
        if not math.isfinite(value):
            raise OverflowError(f"{name}: is not finite; the scenario has values too large to compute with")
    return summary


def _measured(trace: Trace, settled: slice, optimum: NDArray[np.float64]) -> Summary:
    frames, devices = trace.rate_mbps.shape
    weight = trace.scenario.per_device("weight")
    queue = trace.data_queue_mbit[settled]
    arrival = trace.arrival_mbit[settled]
    p50, p99 = np.percentile(trace.decision_us[settled], (50.0, 99.0))
    return Summary(
        devices=devices,
        frames=frames,
        seed=trace.seed,
        data_queue_mbit=float(queue.mean()),
        data_queue_p95_mbit=float(np.percentile(queue, 95.0)),
        energy_queue=float(trace.energy_queue[settled].mean()),
        weighted_rate_mbps=float((trace.rate_mbps[settled] @ weight).mean()),
        arrivals_weighted_mbps=float((arrival @ weight).mean() / trace.scenario.frame_s),
        power_w=float(trace.power_w[settled].mean()),
        power_max_device_w=float(trace.power_w[settled].mean(axis=0).max()),
        offload_ratio=float(trace.offload[settled].mean()),
        delay_frames=_delay_frames(queue, arrival),
        delay_p95_frames=delay_percentile(trace, 95.0, settled.start),
        objective_ratio=float(_ratios(trace.promised_objective[settled], optimum).mean()),
        delivered_ratio=float(_ratios(trace.objective[settled], optimum).mean()),
        unsupported_ratio=_unsupported_ratio(trace, settled),
        decision_us_p50=float(p50),
        decision_us_p99=float(p99),
        wall_s=trace.wall_s,
    )


def _delay_frames(queue: NDArray[np.float64], arrival: NDArray[np.float64]) -> float:
    """Little's law over all devices; without arrivals there is no delay to speak of, and it is given as 0."""
    queued, arrived = float(queue.sum()), float(arrival.sum())
    return queued / arrived if arrived > 0.0 else 0.0


def _unsupported_ratio(trace: Trace, settled: slice) -> float:
    """Of nobody who offloads, nothing falls short."""
    offload, promised = trace.offload[settled], trace.promised_rate_mbps[settled]
    short = offload & (trace.rate_mbps[settled] < promised * (1.0 - _ROUNDING))
    return float(short.sum() / max(offload.sum(), 1))


def frame_optima(trace: Trace, frames: slice = slice(None)) -> NDArray[np.float64]:
    """The optimum of objective (17) in each frame as the policy saw it; all frames by default."""
    return exact_objectives(
        cell_of(trace.scenario),
        trace.channel_estimate[frames],
        trace.data_queue_mbit[frames],
        trace.energy_queue[frames],
        _YARDSTICK_TOLERANCE,
    )


def objective_ratios(trace: Trace, optimum: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """What each frame's decision promised over the most that the state, as the policy saw it, allowed; objective (17).

    Args:
        trace: the run.
        optimum: `frame_optima` of the run, where they are known already.

    Returns:
        Ratios, one a frame.
    """
    return _ratios(trace.promised_objective, frame_optima(trace) if optimum is None else optimum)


def _ratios(objective: NDArray[np.float64], optimum: NDArray[np.float64]) -> NDArray[np.float64]:
    # With empty queues and nothing to win the optimum is 0: whoever reaches it is as good as can be.
    nothing_to_win = optimum <= 0.0
    return np.divide(objective, optimum, out=np.where(objective >= 0.0, 1.0, 0.0), where=~nothing_to_win)
