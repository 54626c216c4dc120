"""Measures of a run: means and percentiles, as a whole and over time."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed
from quedge.model.cell import cell_of
from quedge.policy.exact import exact_objectives
from quedge.simulation.delays import deadline_violation_ratio, delay_distribution, delay_percentile, percentile_of
from quedge.simulation.trace import Trace

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
        decisions_timed: number of decisions that were timed: all, or a sample where compiled code runs the frames.
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
    decisions_timed: int
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
    settled = slice(first_settled_frame(trace.objective.size, warmup), None)
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
    timed = trace.timed_decisions_us(settled.start)
    p50, p99 = np.percentile(timed, (50.0, 99.0))
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
        delay_p50_frames=percentile_of(distribution, 50.0),
        delay_p99_frames=percentile_of(distribution, 99.0),
        objective_ratio=float(_ratios(trace.promised_objective[settled], optimum).mean()),
        delivered_ratio=float(_ratios(trace.objective[settled], optimum).mean()),
        outage_ratio=_outage_ratio(trace, settled),
        decisions_timed=timed.size,
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
    """Each frame's promised objective (17) over its optimum in the state that the policy saw, shape (frames,).

    `optimum` is `frame_optima` of the run, where they are known.
    """
    return _ratios(trace.promised_objective, frame_optima(trace) if optimum is None else optimum)


def _ratios(objective: NDArray[np.float64], optimum: NDArray[np.float64]) -> NDArray[np.float64]:
    # With empty queues the optimum may be 0: a decision that reaches it counts as optimal.
    return np.divide(objective, optimum, out=np.where(objective >= 0.0, 1.0, 0.0), where=optimum > 0.0)
