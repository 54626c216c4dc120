"""Measures of a run: means, percentiles and delays, as a whole and over time."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed
from quedge.model.cell import cell_of
from quedge.model.kernels import Floats, inner_kernel, kernel
from quedge.policy.exact import exact_objectives
from quedge.simulation.trace import Trace


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
    return _percentile(delay_distribution(trace, first_frame), percent)


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


def _percentile(distribution: NDArray[np.float64], percent: float) -> float:
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


_OPTIMUM_TOLERANCE = 1e-4  # relative, of the optimum in `objective_ratio`
_ROUNDING = 1e-9  # relative; a rate may be this much below the promised one


def over_time(trace: Trace) -> dict[str, NDArray[np.float64]]:
    """Measures frame by frame, each of shape (frames,): means over the devices, except for reward and rate."""
    return {
        "data_queue_mbit": trace.data_queue_mbit.mean(axis=1),
        "energy_queue": trace.energy_queue.mean(axis=1),
        "power_w": trace.power_w.mean(axis=1),
        "reward": trace.objective,
        "weighted_rate_mbps": trace.rate_mbps @ trace.scenario.per_device("weight"),
        "offload_ratio": trace.offload.mean(axis=1),
    }


@dataclass(frozen=True)
class Summary:
    """Means over the devices and over the frames after the warm-up, unless stated otherwise.

    Attributes:
        devices: number of devices.
        frames: number of frames, warm-up included.
        seed: seed of the random streams.
        data_queue_mbit: data queue at the start of a frame (Mbit).
        data_queue_p95_mbit: its 95th percentile over devices and frames (Mbit).
        energy_queue: virtual energy queue at the start of a frame.
        weighted_rate_mbps: weighted rate Σ c r (Mbit/s).
        arrivals_weighted_mbps: weighted arrivals Σ c A / T (Mbit/s); the weighted rate of every stable policy.
        power_w: power per device (W).
        power_max_device_w: the largest mean power of a device (W).
        offload_ratio: share of devices that offload.
        delay_frames: mean queue over mean arrivals per frame (Little's law); 0 without arrivals.
        delay_p50_frames: median of the delay of bits that arrived after the warm-up; see `delay_percentile`.
        delay_p95_frames: its 95th percentile.
        delay_p99_frames: its 99th percentile.
        deadline_violation_ratio: share of these bits that waited longer than `deadline_s`; 0 without a deadline.
        objective_ratio: objective (17) over its optimum in the frame as the policy saw it, both with the channel
            estimates and perfect cancellation.
        delivered_ratio: objective that was reached over that optimum; the same ratio in an ideal world.
        outage_ratio: share of the offloading devices' frames in which the true channel carried less than the
            promised rate.
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
    delay_p50_frames: float
    delay_p95_frames: float
    delay_p99_frames: float
    deadline_violation_ratio: float
    objective_ratio: float
    delivered_ratio: float
    outage_ratio: float
    decision_us_p50: float
    decision_us_p99: float
    wall_s: float


def first_settled_frame(frames: int, warmup: float) -> int:
    """The first frame after the warm-up, at most the last frame.

    Raises:
        ValueError: `warmup` is not from 0 to below 1.
    """
    if not 0.0 <= warmup < 1.0:
        raise not_allowed("warmup", warmup, "at least 0 and below 1")
    return min(int(warmup * frames), frames - 1)


def summarise(trace: Trace, warmup: float = 0.5, optimum: NDArray[np.float64] | None = None) -> Summary:
    """Measure a run.

    Args:
        trace: the run.
        warmup: share of the frames at the start to leave out, from 0 to below 1.
        optimum: `frame_optima` of the run, if they are known.

    Returns:
        The measures; every value is finite.

    Raises:
        ValueError: `warmup` is out of its range.
        OverflowError: the scenario's values are so large that a measure is infinite or undefined.
    """
    settled = slice(first_settled_frame(trace.frames, warmup), None)
    with np.errstate(over="ignore", invalid="ignore"):  # overflow is refused below, by its name
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
    distribution = delay_distribution(trace, settled.start)
    p50, p99 = np.percentile(trace.decision_us[settled], (50.0, 99.0))
    return Summary(
        **queue_and_power(trace, settled.start),
        devices=devices,
        frames=frames,
        seed=trace.seed,
        data_queue_p95_mbit=float(np.percentile(queue, 95.0)),
        energy_queue=float(trace.energy_queue[settled].mean()),
        weighted_rate_mbps=float((trace.rate_mbps[settled] @ weight).mean()),
        arrivals_weighted_mbps=float((arrival @ weight).mean() / trace.scenario.frame_s),
        offload_ratio=float(trace.offload[settled].mean()),
        delay_frames=_delay_frames(queue, arrival),
        delay_p50_frames=_percentile(distribution, 50.0),
        delay_p99_frames=_percentile(distribution, 99.0),
        objective_ratio=float(_ratios(trace.promised_objective[settled], optimum).mean()),
        delivered_ratio=float(_ratios(trace.objective[settled], optimum).mean()),
        outage_ratio=_outage_ratio(trace, settled),
        decision_us_p50=float(p50),
        decision_us_p99=float(p99),
        wall_s=trace.wall_s,
    )


def queue_and_power(trace: Trace, first_frame: int) -> dict[str, float]:
    """Mean data queue, 95th percentile of the delay, late bits, and power from a frame on, as `Summary` names them."""
    power_w = trace.power_w[first_frame:]
    return {
        "data_queue_mbit": float(trace.data_queue_mbit[first_frame:].mean()),
        "delay_p95_frames": delay_percentile(trace, 95.0, first_frame),
        "deadline_violation_ratio": deadline_violation_ratio(trace, first_frame),
        "power_w": float(power_w.mean()),
        "power_max_device_w": float(power_w.mean(axis=0).max()),
    }


def _delay_frames(queue: NDArray[np.float64], arrival: NDArray[np.float64]) -> float:
    """Little's law over all devices; 0 without arrivals."""
    queued, arrived = float(queue.sum()), float(arrival.sum())
    return queued / arrived if arrived > 0.0 else 0.0


def _outage_ratio(trace: Trace, settled: slice) -> float:
    """0 where nobody offloads."""
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
        _OPTIMUM_TOLERANCE,
    )


def objective_ratios(trace: Trace, optimum: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Each frame's promised objective (17) over its optimum in the state that the policy saw.

    Args:
        trace: the run.
        optimum: `frame_optima` of the run, if they are known.

    Returns:
        Ratios, shape (frames,).
    """
    return _ratios(trace.promised_objective, frame_optima(trace) if optimum is None else optimum)


def _ratios(objective: NDArray[np.float64], optimum: NDArray[np.float64]) -> NDArray[np.float64]:
    # With empty queues the optimum may be 0: a decision that reaches it counts as optimal.
    return np.divide(objective, optimum, out=np.where(objective >= 0.0, 1.0, 0.0), where=optimum > 0.0)
